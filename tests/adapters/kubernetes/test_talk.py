"""Logs of a preview's containers: the last lines, and every new one."""

import asyncio
from contextlib import aclosing

import pytest

from controller.common.nouns import Phase
from controller.errors import Refused
from tests.adapters.kubernetes.shop import a_service, a_spec, deploy, deployed
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import KEY, eventually, settled
from tests.fakes.databases import PASSWORD

pytestmark = pytest.mark.processes


@pytest.fixture
async def world(tmp_path):
    async with KubernetesWorld(tmp_path) as world:
        yield world


class Talking:
    """A program that says what it is told to."""

    def __init__(self, world, name):
        self.runs, self.end = [], asyncio.Event()
        world.cluster.programs.add(self.run, command=name)

    async def run(self, run):
        self.runs.append(run)
        run.print("listening")
        serving = asyncio.create_task(run.serve(lambda _path: (200, "ok")))
        await self.end.wait()
        serving.cancel()
        return 1

    def say(self, text):
        self.runs[-1].print(text)


def logs(world, service=None, lines=10, *, follow=False):
    return world.platform.logs(KEY, service, lines, follow=follow)


async def lines_of(world, *arguments):
    return [line async for line in logs(world, *arguments)]


def two_services(**more):
    return a_spec(services={"web": a_service("web"), "api": a_service("api", port=9000)}, **more)


class TestTheLastLines:
    async def test_only_as_many_as_are_asked_for(self, world):
        web = Talking(world, "web")
        await deployed(world, a_spec(a_service("web")))
        for number in range(20):
            web.say(f"line {number}")
        assert await lines_of(world, "web", 3) == ["line 17", "line 18", "line 19"]

    async def test_those_of_all_services_each_with_its_name(self, world):
        web, api = Talking(world, "web"), Talking(world, "api")
        await deployed(world, two_services())
        web.say("from web")
        api.say("from api")
        assert await lines_of(world) == ["web | listening", "web | from web", "api | listening", "api | from api"]

    async def test_those_of_a_migration_by_its_name(self, world):
        async def migrate(run):
            run.print("altering users")
            return 0

        world.cluster.programs.add(migrate, command="alter")
        await deployed(world, a_spec(postgres={"migrate": ["alter"]}))
        assert await lines_of(world, "migrate") == ["altering users"]
        with pytest.raises(Refused, match="there is no service `seed`; there are web, migrate"):
            await lines_of(world, "seed")

    async def test_a_pod_that_is_not_there_yet_has_none(self, world):
        world.cluster.no_room()
        await deploy(world, a_spec())
        await eventually(lambda: bool(world.cluster.all("Pod", world.namespace())))
        assert await lines_of(world) == []
        assert await lines_of(world, "web") == []

    async def test_a_container_that_has_not_begun_has_none(self, world):
        world.cluster.miss_image("registry.test/shop:1")
        await deploy(world, a_spec())
        await eventually(lambda: "ImagePullBackOff" in str(world.cluster.all("Pod", world.namespace())))
        assert await lines_of(world, "web") == []

    async def test_a_sleeping_one_has_none(self, world):
        _, preview = await deployed(world, a_spec())
        await world.platform.sleep(KEY, preview.uid, 1)
        await settled(world.platform, Phase.SLEEPING)
        await eventually(lambda: not world.cluster.all("Pod", world.namespace()))
        assert await lines_of(world, "web") == []


class TestFollowing:
    async def test_every_new_line_comes_as_it_is_said(self, world):
        web = Talking(world, "web")
        await deployed(world, a_spec(a_service("web")))
        async with asyncio.timeout(10), aclosing(logs(world, "web", follow=True)) as lines:
            assert await anext(lines) == "listening"
            web.say("one")
            assert await anext(lines) == "one"
            web.say("two")
            assert await anext(lines) == "two"

    async def test_lines_of_all_services_come_with_their_names_as_they_are_said(self, world):
        web, api = Talking(world, "web"), Talking(world, "api")
        await deployed(world, two_services())
        async with asyncio.timeout(10), aclosing(logs(world, follow=True)) as lines:
            assert {await anext(lines), await anext(lines)} == {"web | listening", "api | listening"}
            api.say("one")
            assert await anext(lines) == "api | one"
            web.say("two")
            assert await anext(lines) == "web | two"

    async def test_it_begins_once_the_pod_is_there(self, world):
        world.cluster.no_room()
        web = Talking(world, "web")
        await deploy(world, a_spec(a_service("web")))
        async with asyncio.timeout(10), aclosing(logs(world, "web", follow=True)) as lines:
            first = asyncio.ensure_future(anext(lines))
            await eventually(lambda: bool(world.cluster.all("Pod", world.namespace())))
            world.cluster.no_room("")
            assert await first == "listening"
            web.say("one")
            assert await anext(lines) == "one"

    async def test_it_goes_on_with_the_container_that_takes_the_place_of_one_that_crashed(self, world):
        web = Talking(world, "web")
        await deployed(world, a_spec(a_service("web")))
        async with asyncio.timeout(10), aclosing(logs(world, "web", follow=True)) as lines:
            assert await anext(lines) == "listening"
            web.end.set()
            await eventually(lambda: len(web.runs) == 2)
            web.end.clear()
            assert await anext(lines) == "listening"

    async def test_it_goes_on_with_the_next_revision(self, world):
        await deployed(world, a_spec(a_service(version="one")))
        async with asyncio.timeout(20), aclosing(logs(world, "web", follow=True)) as lines:
            assert await anext(lines) == "listening"
            web = Talking(world, "web")
            await deployed(world, a_spec(a_service("web")))
            assert await anext(lines) == "listening"
            web.say("from the second")
            assert await anext(lines) == "from the second"

    async def test_it_ends_with_the_preview(self, world):
        _, preview = await deployed(world, a_spec())
        async with asyncio.timeout(20), aclosing(logs(world, "web", follow=True)) as lines:
            assert await anext(lines) == "listening"
            await world.platform.remove(KEY, preview.uid)
            assert [line async for line in lines] == []

    async def test_whoever_stops_listening_leaves_no_request_behind(self, world):
        await deployed(world, a_spec())
        async with aclosing(logs(world, "web", follow=True)) as lines:
            await anext(lines)
        await eventually(lambda: not [task for task in asyncio.all_tasks() if "talk" in repr(task.get_coro())])


class TestSecrets:
    async def test_the_databases_password_is_in_no_line_whoever_reads_it(self, world):
        async def boasting(run):
            run.print(f"connected to {run.env['DATABASE_URL']}")
            await run.serve(lambda _path: (200, "ok"))

        world.cluster.programs.add(boasting, command="boast")
        await deployed(world, a_spec(a_service("boast"), postgres={}))
        await world.reopen()
        [said] = await lines_of(world, "web")
        assert said.startswith("connected to postgresql://ada:")
        assert PASSWORD not in said
        await world.reopen()
        async with asyncio.timeout(10), aclosing(logs(world, "web", follow=True)) as lines:
            assert await anext(lines) == said
