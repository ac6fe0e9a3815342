"""Killed after any write of a whole story, and another controller goes on: it ends the same, and nothing is doubled."""

import pytest

from controller.adapters.kubernetes import work
from tests.adapters.kubernetes.mortal import MortalWorld
from tests.adapters.kubernetes.stories import the_story

pytestmark = pytest.mark.processes

LIFE = 18
"""Writes after which each controller dies but the first, which dies earlier: a story takes about fifty, so that over
all of them each is once the last."""


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(work, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(work, "GIVE_WAY", 0.3)
    monkeypatch.setattr(work, "LONGEST_PAUSE", 0.05)


@pytest.mark.parametrize("isolation", ["server", "namespace"])
async def test_a_story_is_longer_than_two_lives(tmp_path, isolation):
    async with MortalWorld(tmp_path, isolation) as world:
        await the_story(world)
        assert world.life.writes > 2 * LIFE


@pytest.mark.parametrize("most", range(1, LIFE + 1))
@pytest.mark.parametrize("isolation", ["server", "namespace"])
async def test_controllers_that_are_killed_are_succeeded_by_others_that_end_the_same(tmp_path, isolation, most):
    async with MortalWorld(tmp_path, isolation, most, again=LIFE) as world:
        await the_story(world)
        assert world.deaths >= 2
