"""What is known of the cluster, whatever happens on the way to it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from controller.adapters.kubernetes.api import NAMESPACE, POD, Api
from controller.adapters.kubernetes.cache import Cache
from controller.adapters.kubernetes.kinds import CONFIG_MAP
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.kubernetes.shelf import Shelf
from controller.errors import Refused, Unavailable
from tests.adapters.kubernetes.served import LABEL, a_config, api_of
from tests.fakes.cluster import FakeCluster

pytestmark = pytest.mark.processes


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    async with FakeCluster(bookmark_every=0.05) as cluster:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield cluster


@pytest.fixture
async def ours(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(cluster, tmp_path, patience=0.1) as api:
        yield api


@asynccontextmanager
async def running(cache: Cache) -> AsyncIterator[Cache]:
    task = asyncio.create_task(cache.run())
    try:
        await cache.synced()
        yield cache
    finally:
        await _end(task)


@asynccontextmanager
async def cached(api: Api, namespace: str = "shop") -> AsyncIterator[Cache]:
    async with running(Cache(api, [NAMESPACE, CONFIG_MAP], f"{LABEL}={namespace}")) as cache:
        yield cache


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.02)


def names(cache: Cache, namespace: str = "shop") -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in cache.of(CONFIG_MAP, namespace))


async def test_what_is_there_at_first_is_known_without_who_manages_it(api: Api, namespace: str) -> None:
    await api.create(a_config(namespace))
    async with cached(api, namespace) as cache:
        config = cache.get(CONFIG_MAP, "config", namespace)
        assert config is not None
        assert config["data"] == {"key": "value"}
        assert config["kind"] == "ConfigMap"
        assert "managedFields" not in config["metadata"]
        assert [obj["metadata"]["name"] for obj in cache.all(NAMESPACE)] == [namespace]
        assert cache.get(NAMESPACE, namespace) is not None


async def test_what_happens_is_heard_of_and_rings(api: Api, namespace: str) -> None:
    async with cached(api, namespace) as cache:
        changes = cache.changes()
        await api.create(a_config(namespace))
        assert await _next(changes) == namespace
        await until(lambda: names(cache, namespace) == ["config"])
        await api.delete(CONFIG_MAP, "config", namespace)
        await until(lambda: names(cache, namespace) == [])


async def test_a_change_of_a_namespace_rings_with_its_name(api: Api, namespace: str) -> None:
    async with cached(api, namespace) as cache:
        changes = cache.changes()
        await api.patch(NAMESPACE, namespace, "", {"metadata": {"annotations": {"test.mayfly.dev/a": "b"}}})
        assert await _next(changes) == namespace


async def test_only_what_has_our_labels_is_known(cluster: FakeCluster, ours: Api) -> None:
    cluster.create(a_config("shop", "not-ours", labels={}))
    cluster.create(a_config("shop", "ours"))
    async with cached(ours) as cache:
        assert names(cache) == ["ours"]


async def test_what_loses_our_label_is_gone_and_comes_back_with_it(cluster: FakeCluster, ours: Api) -> None:
    config = cluster.create(a_config("shop"))
    async with cached(ours) as cache:
        cluster.change(config, metadata={"labels": {}})
        await until(lambda: names(cache) == [])
        cluster.change(config, metadata={"labels": {LABEL: "shop"}})
        await until(lambda: names(cache) == ["config"])


async def test_a_cut_watch_goes_on_where_it_was(cluster: FakeCluster, ours: Api) -> None:
    async with cached(ours) as cache:
        lists = cluster.requests["list", "configmaps"]
        cluster.faults.cut_watches()
        cluster.create(a_config("shop"))
        await until(lambda: names(cache) == ["config"])
        assert cluster.requests["list", "configmaps"] == lists


async def test_watches_that_are_cut_at_random_lose_nothing(cluster: FakeCluster, ours: Api) -> None:
    cluster.faults.cut_at_random(0.3, seed=7)
    async with cached(ours) as cache:
        for number in range(40):
            cluster.create(a_config("shop", f"config-{number:02}"))
            if number % 2:
                cluster.delete("ConfigMap", f"config-{number:02}", "shop")
            await asyncio.sleep(0.01)
        await until(lambda: names(cache) == [f"config-{number:02}" for number in range(0, 40, 2)])


@pytest.mark.parametrize("as_status", [True, False], ids=["as the answer", "as an event"])
async def test_after_too_long_an_absence_what_vanished_rings_and_is_gone(
    cluster: FakeCluster, ours: Api, as_status: bool
) -> None:
    cluster.faults.expire_as_status = as_status
    cluster.create(a_config("shop", "old"))
    async with cached(ours) as cache:
        changes = cache.changes()
        cluster.faults.fail(503, times=None, verb="watch")
        cluster.faults.cut_watches()
        cluster.delete("ConfigMap", "old", "shop")
        cluster.create(a_config("shop", "new"))
        cluster.compact()
        cluster.faults.clear()
        cluster.faults.expire_as_status = as_status
        await until(lambda: names(cache) == ["new"])
        assert await _next(changes) == "shop"


async def test_a_server_that_was_away_is_heard_of_again(cluster: FakeCluster, ours: Api) -> None:
    async with cached(ours) as cache:
        cluster.faults.down = True
        cluster.create(a_config("shop"))
        await asyncio.sleep(0.3)
        assert names(cache) == []
        cluster.faults.down = False
        await until(lambda: names(cache) == ["config"])


async def test_who_cannot_list_at_first_is_told_why(cluster: FakeCluster, ours: Api) -> None:
    cluster.faults.forbid("list", "configmaps")
    with pytest.raises(Refused, match="cannot list"):
        async with cached(ours):
            pass


async def test_who_finds_no_server_at_first_is_told_so_and_knows_all_later(cluster: FakeCluster, ours: Api) -> None:
    cluster.create(a_config("shop"))
    cluster.faults.down = True
    cache = Cache(ours, [NAMESPACE, CONFIG_MAP], f"{LABEL}=shop")
    task = asyncio.create_task(cache.run())
    try:
        with pytest.raises(Unavailable):
            await cache.synced()
        cluster.faults.down = False
        await until(lambda: names(cache) == ["config"])
    finally:
        await _end(task)


async def test_it_says_when_it_is_out_of_touch_for_over_a_minute(cluster: FakeCluster, ours: Api) -> None:
    now = 1000.0
    async with running(Cache(ours, [CONFIG_MAP], f"{LABEL}=shop", lambda: now)) as cache:
        now += 3600
        assert cache.out_of_touch() == ""
        cluster.faults.fail(503, times=None, message="etcd is gone")
        cluster.faults.cut_watches()
        await until(lambda: "etcd is gone" in cache._feeds[CONFIG_MAP].trouble)
        now += 59
        assert cache.out_of_touch() == ""
        now += 60
        assert "configmaps for 119 seconds" in cache.out_of_touch()
        assert "etcd is gone" in cache.out_of_touch()
        cluster.faults.clear()
        await until(lambda: cache.out_of_touch() == "")


async def test_what_a_write_returned_is_seen_at_once_and_rings_once(cluster: FakeCluster, ours: Api) -> None:
    async with cached(ours) as cache:
        changes = cache.changes()
        made = await ours.apply(a_config("shop"))
        cache.put(CONFIG_MAP, made)
        assert names(cache) == ["config"]
        assert await _next(changes) == "shop"


async def test_listeners_hear_each_name_once_until_they_ask(ours: Api) -> None:
    cache = Cache(ours, [CONFIG_MAP], "")
    one, other = cache.changes(), cache.changes()
    for version in range(1, 4):
        cache.put(CONFIG_MAP, an_object("a", version))
    cache.put(CONFIG_MAP, an_object("b", 9, namespace="else"))
    for changes in (one, other):
        assert [await _next(changes), await _next(changes)] == ["shop", "else"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.01)


async def test_what_is_not_listened_to_any_more_is_forgotten(ours: Api) -> None:
    cache = Cache(ours, [CONFIG_MAP], "")
    changes = cache.changes()
    assert len(cache._bells) == 1
    del changes
    assert len(cache._bells) == 0


def an_object(name: str = "a", version: object = 1, uid: str = "", namespace: str = "shop") -> Obj:
    metadata = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata}


def a_shelf(*objects: Obj) -> Shelf:
    shelf = Shelf(POD)
    for obj in objects:
        shelf.hear(obj)
    return shelf


@pytest.mark.parametrize(
    ("known", "put", "is_news"),
    [
        pytest.param("9", "10", True, id="a newer one"),
        pytest.param("10", "9", False, id="an older one"),
        pytest.param("10", "10", False, id="the same"),
        pytest.param("abc", "abd", True, id="one that cannot be compared"),
    ],
)
def test_only_what_is_newer_is_put(known: str, put: str, is_news: bool) -> None:
    shelf = a_shelf(an_object(version=known))
    assert shelf.put(an_object(version=put)) is is_news
    found = shelf.get("a", "shop")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == (put if is_news else known)


def test_what_was_removed_is_not_brought_back_by_a_late_answer() -> None:
    shelf = a_shelf(an_object(version=1))
    shelf.drop(an_object(version=3))
    assert not shelf.put(an_object(version=2))
    assert shelf.all() == []
    assert shelf.put(an_object(version=4, uid="another"))


def test_what_came_back_takes_answers_again() -> None:
    shelf = a_shelf(an_object(version=1))
    shelf.drop(an_object(version=3))
    shelf.hear(an_object(version=4))
    assert shelf.put(an_object(version=5))


def test_the_removal_of_a_former_one_leaves_its_successor() -> None:
    shelf = a_shelf(an_object(version=5, uid="new"))
    assert not shelf.drop(an_object(version=4, uid="old"))
    assert len(shelf.all()) == 1


def test_a_list_takes_away_what_it_has_not_but_for_what_was_put_since() -> None:
    shelf = a_shelf(an_object("old", 1), an_object("kept", 2), an_object("put", 11))
    changed = shelf.replace([an_object("kept", 2), an_object("new", 9)], "10")
    assert sorted(obj["metadata"]["name"] for obj in changed) == ["new", "old"]
    assert sorted(obj["metadata"]["name"] for obj in shelf.all()) == ["kept", "new", "put"]


def test_an_older_list_takes_back_nothing() -> None:
    shelf = a_shelf(an_object("a", 11))
    assert shelf.replace([an_object("a", 9)], "10") == []


def test_strings_are_shared_between_objects() -> None:
    shelf = Shelf(POD)
    for number in range(2):
        shelf.put(an_object(f"pod-{number}") | {"spec": {"image": "".join(["registry.test/", "shop"])}})
    one, other = shelf.all()
    assert one["spec"]["image"] is other["spec"]["image"]
    assert sys.getrefcount(one["spec"]["image"]) > 2


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _next(changes: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(changes), 10)
