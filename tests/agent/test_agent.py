"""An agent in this process, with a controller that says and takes what a test wants."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from controller.agent import agent as at_work
from controller.agent.agent import Agent, alone
from controller.errors import Refused, Unavailable
from controller.probes import remote
from controller.settings import Probing
from tests.probes.examples import a_probe
from tests.probes.shop import opened

KEY = "5e" * 32


class FakeLink:
    """`says` is the assignment, `refuses` every batch; `down`: nothing gets through."""

    def __init__(self):
        self.says, self.taken = b"", []
        self.down = self.refuses = False

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def assignment(self):
        if self.down:
            raise Unavailable("it is down")
        return self.says

    async def deliver(self, batch, samples):
        if self.down:
            raise Unavailable("it is down")
        if self.refuses:
            raise Refused("never")
        self.taken += [json.loads(sample) for sample in samples]


class World:
    def __init__(self, folder, shop):
        self.folder, self.shop = folder, shop
        self.ahead = timedelta(0)
        self.link = FakeLink()

    def now(self):
        return datetime.now(UTC) + self.ahead

    def is_told(self, *paths, **probing):
        probes = [a_probe(path, url=self.shop.url, every="1s", checks=[a_check(path)]) for path in paths]
        assignment = remote.assigned(probes, Probing.model_validate(probing), "berlin", self.now())
        self.link.says = remote.sign(assignment, KEY)

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(Agent(self.link, "berlin", KEY, self.folder, self.now).run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def taken(self, path):
        return [sample for sample in self.link.taken if sample["probe"] == path]


def a_check(path):
    return {"name": path, "http": {"path": f"/{path}"}}


async def until(holds):
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def world(tmp_path, monkeypatch):
    for name in ("FETCH_EVERY", "DELIVER_EVERY", "LONGEST"):
        monkeypatch.setattr(at_work, name, 0.05)
    async with opened() as shop:
        yield World(tmp_path, shop)


async def test_other_work_takes_the_place_of_what_was_done(world):
    world.is_told("first")
    async with world.running():
        await until(lambda: world.taken("first"))
        world.is_told("second")
        await until(lambda: len(world.taken("second")) >= 2)
        done = len(world.taken("first"))
        await until(lambda: len(world.taken("second")) >= 3)
    assert len(world.taken("first")) == done


async def test_without_its_controller_it_works_until_the_assignment_expires(world):
    world.is_told("shop")
    async with world.running():
        await until(lambda: world.taken("shop"))
        world.link.down = True
        asked = len(world.shop.asked)
        await until(lambda: len(world.shop.asked) >= asked + 2)
        with capture_logs() as logs:
            world.ahead = timedelta(hours=24)
            await until(lambda: [one for one in logs if one["event"].startswith("nothing runs")])
        asked = len(world.shop.asked)
        await asyncio.sleep(1.2)  # longer than the probe's interval
        assert len(world.shop.asked) == asked


async def test_what_waits_is_brought_before_it_ends(world, monkeypatch):
    monkeypatch.setattr(at_work, "DELIVER_EVERY", 60)
    world.is_told("shop")
    async with world.running():
        await until(lambda: list((world.folder / "samples").glob("*.jsonl")))
        assert not world.link.taken
    assert world.taken("shop")
    assert not list((world.folder / "samples").glob("*.jsonl"))


async def test_what_is_never_taken_does_not_hold_up_the_rest(world):
    world.is_told("shop")
    world.link.refuses = True
    async with world.running():
        await until((world.folder / "samples" / "lost").exists)
        world.link.refuses = False
        await until(lambda: world.taken("shop"))


async def test_cut_off_itself_it_says_so_of_every_failure(world):
    world.shop.status = 500
    world.is_told("shop", canaries=["http://127.0.0.1:1"])
    async with world.running():
        await until(lambda: world.taken("shop"))
    [sample, *_] = world.taken("shop")
    assert (sample["outcome"], sample["excused"]) == ("broken", True)
    assert sample["message"].startswith("we are cut off ourselves: no canary answers (shop: ")


def test_a_folder_is_one_agents(tmp_path):
    with alone(tmp_path), pytest.raises(Refused, match="another agent runs with"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass
