from collections.abc import Mapping

import pytest

from controller.common.nouns import PreviewKey
from tests.contracts.forge import ForgeContract
from tests.fakes.forge import FakeForge


class FakeWorld:
    repo = "shop"

    def __init__(self) -> None:
        self.forge = FakeForge()
        self.forge.add_repository(self.repo)

    async def open_pull(
        self, branch: str, files: Mapping[str, str] | None = None, title: str = "A change"
    ) -> PreviewKey:
        return self.forge.open(self.repo, branch, files, title=title)

    async def push(self, key: PreviewKey, files: Mapping[str, str] | None = None) -> str:
        return self.forge.push(key, files)

    async def close(self, key: PreviewKey) -> None:
        self.forge.close(key)

    async def merge(self, key: PreviewKey) -> None:
        self.forge.merge(key)

    async def push_main(self, files: Mapping[str, str], title: str = "A commit") -> str:
        return self.forge.push_main(self.repo, files, title=title.partition("\n")[0])

    async def break_it(self) -> None:
        self.forge.down = True


class TestFakeForge(ForgeContract):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()


async def test_half_of_the_list_is_missing_and_every_number_is_still_true() -> None:
    forge = FakeForge()
    keys = [forge.open(branch=str(number)) for number in range(4)]
    forge.half = True
    assert [pull.key for pull in await forge.open_pulls("shop")] == keys[::2]
    forge.empty = True
    assert await forge.open_pulls("shop") == ()
    assert [await forge.pull(key) for key in keys] == [forge.pulls[key] for key in keys]
