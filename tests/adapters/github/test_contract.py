from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.common.words import CheckStatus, DeploymentState
from controller.errors import Unavailable
from tests.adapters.github.world import GitHubWorld, a_world
from tests.contracts.forge import A_CHECK, A_DEPLOYMENT, ForgeContract, SourceContract, World

TO_THE_SECOND = datetime(2026, 1, 2, 12, 0, 3, tzinfo=UTC)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GitHubWorld]:
    async with a_world(tmp_path / "github") as world:
        yield world


@pytest.mark.processes
class TestGitHubForge(ForgeContract, SourceContract):
    async def test_the_files_that_it_changes_are_told_when_asked_for(self, world: World) -> None:
        """GitHub tells them of the head as it is now, and of no other."""
        key = await world.open_pull("feature", {"a.txt": "a", "deep/in/b.txt": "b"})
        [before] = await world.forge.open_pulls(world.repo)
        assert await world.forge.changed_paths(before) == frozenset({"a.txt", "deep/in/b.txt"})
        superseded = replace(before, head=await world.push(key, {"c.txt": "c"}))
        await world.push(key, {"d.txt": "d"})
        [after] = await world.forge.open_pulls(world.repo)
        assert await world.forge.changed_paths(before) == frozenset({"a.txt", "deep/in/b.txt"})
        assert await world.forge.changed_paths(after) == frozenset({"a.txt", "deep/in/b.txt", "c.txt", "d.txt"})
        with pytest.raises(Unavailable, match="has moved on"):
            await world.forge.changed_paths(superseded)

    async def test_the_latest_check_of_each_name_and_the_latest_deployment_stand(self, world: World) -> None:
        """GitHub knows its revisions, and time to the second."""
        key = await world.open_pull("feature")
        [pull] = await world.forge.open_pulls(world.repo)
        check = replace(A_CHECK, revision=pull.head, completed_at=TO_THE_SECOND)
        deployment = replace(A_DEPLOYMENT, revision=pull.head)
        e2e = replace(check, name="e2e", annotations=(), external_id="shop#1/e2e/1")
        await world.forge.report_check(key, replace(check, status=CheckStatus.IN_PROGRESS, completed_at=None))
        await world.forge.report_check(key, check)
        await world.forge.report_check(key, e2e)
        await world.forge.report_deployment(key, replace(deployment, state=DeploymentState.QUEUED))
        await world.forge.report_deployment(key, deployment)
        conversation = await world.forge.conversation(key)
        assert conversation.checks == (e2e, check)
        assert conversation.deployment == deployment
