"""A route that is down, hangs and answers 500 by turns: it is told later, once; another waits not."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.scenarios.listeners import Receiver
from tests.scenarios.world import World

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180), pytest.mark.xdist_group("story")]


@pytest.fixture
def receivers():
    with Receiver(mood=0) as ailing, Receiver() as well:
        yield ailing, well


@pytest.fixture
async def world(tmp_path, receivers):
    ailing, well = receivers
    policy = {
        "notify": [{"name": "ailing", "url": ailing.url}, {"name": "well", "url": well.url}],
        "probes": [
            {
                "name": "shop",
                "url": "http://127.0.0.1:9/",  # nobody listens at `discard`
                "title": "the shop",
                "every": "1s",
                "alerts": {"burn": False, "rule": "2 of 3"},
            }
        ],
    }
    world = World(tmp_path, "\n".join(f"{name}: {json.dumps(value)}" for name, value in policy.items()))
    world.start()
    yield world
    world.kill()
    await world.clean()


def test_an_alert_arrives_later_and_once_where_the_route_hangs_and_fails_for_a_while(world, receivers):
    ailing, well = receivers
    world.wait(lambda: ailing.tried.total() == 1, "it to hang")
    world.wait(lambda: well.taken != [], "the other route to be told meanwhile")
    assert ailing.taken == []

    ailing.mood = 500
    world.wait(lambda: ailing.tried.total() == 2, "it to be tried again")
    world.kill()
    ailing.mood = 200
    world.start()
    world.wait(lambda: ailing.taken != [], "it to be told")

    [(key, told)] = ailing.taken
    assert [sent for sent, _ in well.taken] == [key]
    assert told["alerts"][0]["labels"]["severity"] == "page"
    assert set(ailing.tried) == {key}
    world.wait(lambda: undelivered(world) == 0, "nothing more to wait")
    assert (len(ailing.taken), len(well.taken)) == (1, 1)


def undelivered(world):
    with closing(sqlite3.connect(world.home.history)) as history:
        return history.execute("SELECT count(*) FROM outbox WHERE over_at IS NULL").fetchone()[0]
