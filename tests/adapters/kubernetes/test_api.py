"""What is asked of the API server, and what its answers become: on ours, and on a real one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from controller.adapters.kubernetes import answers
from controller.adapters.kubernetes import api as apis
from controller.adapters.kubernetes.api import (
    DEPLOYMENT,
    NAMESPACE,
    POD,
    Api,
    Change,
    Conflict,
    Expired,
    Stale,
    kind_of,
)
from controller.adapters.kubernetes.kinds import CONFIG_MAP, HTTP_ROUTE, path
from controller.adapters.kubernetes.retry import Backoff, Pace
from controller.errors import Refused, Unavailable
from tests.adapters.kubernetes.served import LABEL, a_config, api_of, api_on, namespace_in
from tests.fakes.cluster import FakeCluster

pytestmark = pytest.mark.processes


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    async with FakeCluster(bookmark_every=0.05) as cluster:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield cluster


@pytest.fixture
async def ours(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(cluster, tmp_path) as api:
        yield api


async def test_what_is_created_is_found(api: Api, namespace: str) -> None:
    assert await api.create(a_config(namespace)) is not None
    found = await api.get(CONFIG_MAP, "config", namespace)
    assert found is not None
    assert found["data"] == {"key": "value"}
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")


async def test_what_is_not_there_is_none(api: Api, namespace: str) -> None:
    assert await api.get(CONFIG_MAP, "config", namespace) is None
    assert await api.patch(CONFIG_MAP, "config", namespace, {"data": {"a": "b"}}) is None
    await api.delete(CONFIG_MAP, "config", namespace)


async def test_creating_what_is_there_changes_nothing(api: Api, namespace: str) -> None:
    await api.create(a_config(namespace))
    assert await api.create(a_config(namespace, data={"key": "other"})) is None
    found = await api.get(CONFIG_MAP, "config", namespace)
    assert found is not None
    assert found["data"] == {"key": "value"}


async def test_apply_makes_changes_and_takes_away(api: Api, namespace: str) -> None:
    await api.apply(a_config(namespace, data={"one": "1", "two": "2"}))
    applied = await api.apply(a_config(namespace, data={"one": "uno"}))
    assert applied["data"] == {"one": "uno"}
    assert [entry["manager"] for entry in applied["metadata"]["managedFields"]] == ["mayfly"]


async def test_a_field_of_another_manager_is_a_conflict_that_names_both(api: Api, namespace: str) -> None:
    await api.create(a_config(namespace))  # owned by another operation of ours, as if it were somebody else's
    with pytest.raises(Conflict) as refused:
        await api.apply(a_config(namespace, data={"key": "ours"}))
    assert "config" in refused.value.reason
    assert ".data.key" in refused.value.reason
    assert "mayfly" in refused.value.reason
    assert (await api.apply(a_config(namespace, data={"key": "ours"}), force=True))["data"] == {"key": "ours"}


async def test_a_write_on_an_old_version_is_stale(api: Api, namespace: str) -> None:
    old = await api.apply(a_config(namespace))
    await api.apply(a_config(namespace, data={"key": "newer"}))
    version = {"resourceVersion": old["metadata"]["resourceVersion"]}
    with pytest.raises(Stale):
        await api.apply(a_config(namespace, data={"key": "late"}, **version))
    with pytest.raises(Stale):
        await api.patch(CONFIG_MAP, "config", namespace, {"metadata": version, "data": {"key": "late"}})


async def test_a_write_meant_for_another_uid_is_stale(api: Api, namespace: str) -> None:
    await api.apply(a_config(namespace))
    with pytest.raises(Stale):
        await api.apply(a_config(namespace, uid="another"))
    with pytest.raises(Stale):
        await api.patch(CONFIG_MAP, "config", namespace, {"metadata": {"uid": "another"}, "data": {"key": "late"}})


async def test_a_merge_patch_takes_away_with_null(api: Api, namespace: str) -> None:
    await api.create(a_config(namespace, data={"one": "1", "two": "2"}))
    patched = await api.patch(CONFIG_MAP, "config", namespace, {"data": {"one": None}})
    assert patched is not None
    assert patched["data"] == {"two": "2"}


async def test_only_the_one_of_that_uid_is_deleted(api: Api, namespace: str) -> None:
    made = await api.create(a_config(namespace))
    assert made is not None
    await api.delete(CONFIG_MAP, "config", namespace, uid="another")
    assert await api.get(CONFIG_MAP, "config", namespace) is not None
    await api.delete(CONFIG_MAP, "config", namespace, uid=made["metadata"]["uid"])
    assert await api.get(CONFIG_MAP, "config", namespace) is None


async def test_all_pages_of_a_list_are_read_and_know_their_kind(
    api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apis, "_PAGE", 2)
    for number in range(5):
        await api.create(a_config(namespace, f"config-{number}"))
    found, version = await api.list(CONFIG_MAP, labels=f"{LABEL}={namespace}")
    assert sorted(obj["metadata"]["name"] for obj in found) == [f"config-{number}" for number in range(5)]
    assert {(obj["apiVersion"], obj["kind"]) for obj in found} == {("v1", "ConfigMap")}
    assert version


async def test_a_watch_tells_what_happens_after_a_list(api: Api, namespace: str) -> None:
    labels = f"{LABEL}={namespace}"
    _, version = await api.list(CONFIG_MAP, labels=labels)
    await api.create(a_config(namespace))
    await api.patch(CONFIG_MAP, "config", namespace, {"data": {"key": "other"}})
    await api.delete(CONFIG_MAP, "config", namespace)
    assert await _types(api, version, labels, 3) == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_watch_begins_with_a_bookmark_once_it_is_accepted(api: Api, namespace: str) -> None:
    _, version = await api.list(CONFIG_MAP)
    watch = api.watch(CONFIG_MAP, version)
    first = await anext(watch)
    assert first == Change("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": version}})
    await watch.aclose()


async def test_one_object_can_be_watched(api: Api, namespace: str) -> None:
    _, version = await api.list(CONFIG_MAP, namespace)
    await api.create(a_config(namespace, "other"))
    await api.create(a_config(namespace, "mine"))
    watch = api.watch(CONFIG_MAP, version, namespace=namespace, name="mine")
    assert [change.object["metadata"].get("name") async for change in _some(watch, 1)] == ["mine"]


async def test_a_namespace_that_is_gone_may_come_back(api: Api, namespace: str) -> None:
    with pytest.raises(Unavailable, match="namespace"):
        await api.apply(a_config(f"{namespace}-never"))
    with pytest.raises(Unavailable, match="namespace"):
        await api.create(a_config(f"{namespace}-never"))


async def test_an_object_that_breaks_the_rules_is_refused_with_the_servers_words(api: Api, namespace: str) -> None:
    with pytest.raises(Refused, match="UPPER"):
        await api.create(a_config(namespace, "UPPER"))


async def test_a_log_of_no_pod_is_empty(api: Api, namespace: str) -> None:
    assert await api.logs(namespace, "web", "web") == ""
    assert [line async for line in api.follow(namespace, "web", "web", lines=5)] == []


@pytest.mark.cluster
@pytest.mark.parametrize("where", ["real"])
async def test_a_field_that_no_schema_has_is_refused_at_once(where: str, tmp_path: Path) -> None:
    async with api_on(where, tmp_path) as api, namespace_in(api) as namespace:
        with pytest.raises(Refused, match="bogus"):
            await api.apply(a_config(namespace) | {"bogus": 1})


@pytest.mark.cluster
@pytest.mark.parametrize("where", ["real"])
async def test_a_kind_that_the_cluster_lacks_is_refused_by_its_name(where: str, tmp_path: Path) -> None:
    async with api_on(where, tmp_path) as api, namespace_in(api) as namespace:
        with pytest.raises(Refused, match="HTTPRoute"):
            await api.list(HTTP_ROUTE)
        assert await api.get(HTTP_ROUTE, "web", namespace) is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_may_pass_is_asked_again(cluster: FakeCluster, ours: Api, status: int) -> None:
    cluster.faults.fail(status, times=2, verb="create")
    assert await ours.create(a_config("shop")) is not None


async def test_a_lost_answer_is_asked_for_again(cluster: FakeCluster, ours: Api) -> None:
    cluster.faults.lose_answer(verb="patch")
    assert (await ours.apply(a_config("shop")))["data"] == {"key": "value"}


async def test_what_does_not_pass_is_unavailable_with_the_servers_words(cluster: FakeCluster, tmp_path: Path) -> None:
    async with api_of(cluster, tmp_path, patience=0.3) as api:
        cluster.faults.fail(503, times=None, message="etcd has no leader")
        with pytest.raises(Unavailable, match="etcd has no leader"):
            await api.get(CONFIG_MAP, "config", "shop")


async def test_a_longer_wait_than_our_patience_is_passed_on(cluster: FakeCluster, ours: Api) -> None:
    cluster.faults.fail(429, times=None, retry_after=60)
    with pytest.raises(Unavailable) as late:
        await ours.get(CONFIG_MAP, "config", "shop")
    assert late.value.retry_after == timedelta(seconds=60)


async def test_retry_after_is_obeyed(cluster: FakeCluster, ours: Api) -> None:
    cluster.faults.fail(429, retry_after=1)
    began = asyncio.get_running_loop().time()
    await ours.get(CONFIG_MAP, "config", "shop")
    assert asyncio.get_running_loop().time() - began >= 1


async def test_a_server_that_is_gone_is_unavailable(cluster: FakeCluster, tmp_path: Path) -> None:
    async with api_of(cluster, tmp_path, patience=0.3) as api:
        cluster.faults.down = True
        with pytest.raises(Unavailable, match="does not answer"):
            await api.list(CONFIG_MAP)


async def test_what_is_forbidden_is_refused_with_the_servers_words(cluster: FakeCluster, ours: Api) -> None:
    cluster.faults.forbid("list", "pods")
    with pytest.raises(Refused, match='cannot list resource "pods"'):
        await ours.list(POD)


async def test_a_namespace_that_is_being_removed_takes_nothing_for_now(cluster: FakeCluster, ours: Api) -> None:
    held = {"name": "held", "namespace": "shop", "finalizers": ["test.mayfly.dev/hold"]}
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
    await ours.delete(NAMESPACE, "shop")
    with pytest.raises(Unavailable, match="terminated"):
        await ours.create(a_config("shop"))


async def test_a_list_that_expires_on_the_way_begins_again(
    cluster: FakeCluster, ours: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apis, "_PAGE", 2)
    for number in range(5):
        cluster.create(a_config("shop", f"config-{number}"))
    asked = ours.wire.ask

    async def compacted_after_the_first_page(request: object) -> object:
        answer = await asked(request)  # type: ignore[arg-type]
        if cluster.requests["list", "configmaps"] == 1:
            cluster.create(a_config("shop", "config-5"))
            cluster.compact()
        return answer

    monkeypatch.setattr(type(ours.wire), "ask", lambda _, request: compacted_after_the_first_page(request))
    found, _ = await ours.list(CONFIG_MAP, labels=f"{LABEL}=shop")
    assert sorted(obj["metadata"]["name"] for obj in found) == [f"config-{number}" for number in range(6)]


@pytest.mark.parametrize("as_status", [True, False], ids=["as the answer", "as an event"])
async def test_a_watch_from_too_long_ago_has_expired(cluster: FakeCluster, ours: Api, as_status: bool) -> None:
    cluster.faults.expire_as_status = as_status
    _, version = await ours.list(CONFIG_MAP)
    cluster.create(a_config("shop"))
    cluster.compact()
    with pytest.raises(Expired):
        await _types(ours, version, "", 1)


async def test_a_watch_that_is_cut_ends(cluster: FakeCluster, ours: Api) -> None:
    _, version = await ours.list(CONFIG_MAP)
    watch = ours.watch(CONFIG_MAP, version)
    await anext(watch)
    cluster.faults.cut_watches()
    with suppress(Unavailable):
        assert [change.type async for change in watch if change.type != "BOOKMARK"] == []


async def test_a_silent_watch_counts_as_dead(cluster: FakeCluster, ours: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apis, "_SILENCE_SECONDS", 0.2)
    _, version = await ours.list(CONFIG_MAP)
    cluster.faults.silent = True
    with pytest.raises(Unavailable, match="does not answer"):
        await _types(ours, version, "", 1)


async def test_writes_are_ours_by_name(cluster: FakeCluster, ours: Api) -> None:
    await ours.create(a_config("shop"))
    await ours.patch(CONFIG_MAP, "config", "shop", {"data": {"key": "other"}})
    config = cluster.get("ConfigMap", "config", "shop")
    assert config is not None
    assert {entry["manager"] for entry in config["metadata"]["managedFields"]} == {"mayfly"}


async def test_requests_keep_to_their_pace_but_not_those_for_a_lease(cluster: FakeCluster, ours: Api) -> None:
    ours.wire.pace = Pace(0.001)
    await ours.get(CONFIG_MAP, "a", "shop")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ours.get(CONFIG_MAP, "b", "shop"), 0.2)
    await asyncio.wait_for(ours.get(apis.LEASE, "leader", "shop"), 5)


def test_a_burst_of_twice_as_many_goes_at_once_and_then_one_by_one() -> None:
    now = 100.0
    pace = Pace(10.0, lambda: now)
    delays = [pace.delay() for _ in range(23)]
    assert all(delay <= 1e-9 for delay in delays[:20])
    assert delays[20:] == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3)]


def test_pauses_grow_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(1.0, 4.0)
    bounds = [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (2.0, 4.0)]
    assert all(low <= backoff.pause() <= high for low, high in bounds)
    assert backoff.pause(timedelta(seconds=30)) == 30
    backoff.reset()
    assert backoff.pause() <= 1.0


def test_an_object_knows_its_way() -> None:
    assert kind_of({"apiVersion": "apps/v1", "kind": "Deployment"}) is DEPLOYMENT
    assert path(DEPLOYMENT, "shop", "web") == "/apis/apps/v1/namespaces/shop/deployments/web"
    assert path(POD) == "/api/v1/pods"
    assert path(NAMESPACE, "", "shop") == "/api/v1/namespaces/shop"


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        pytest.param({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}, "Node", id="an unknown kind"),
        pytest.param({"metadata": {"name": "a"}}, "no apiVersion", id="no kind at all"),
        pytest.param({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, "namespace", id="no namespace"),
        pytest.param({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "a"}}, "name", id="no name"),
    ],
)
async def test_what_has_no_way_is_refused(ours: Api, obj: dict[str, object], words: str) -> None:
    with pytest.raises(Refused, match=words):
        await ours.apply(obj)


def _refusal(code: int, message: str = "no", **details: object) -> answers.Refusal:
    status = {"kind": "Status", "code": code, "message": message, "details": details}
    return answers.read(code, json.dumps(status).encode(), {})


def test_a_quota_that_two_wanted_to_count_in_may_pass() -> None:
    assert answers.may_pass(_refusal(409, kind="resourcequotas", name="quota"))
    assert not answers.may_pass(_refusal(409, kind="configmaps", name="config"))


def test_an_exceeded_quota_waits_for_a_person() -> None:
    error = answers.error(_refusal(403, 'pods "web" is forbidden: exceeded quota: preview'), "POST Pod")
    assert isinstance(error, Refused)
    assert error.reason == 'pods "web" is forbidden: exceeded quota: preview'


def test_a_refusal_that_is_no_status_is_told_as_it_is() -> None:
    assert answers.error(answers.read(400, b"<html>no</html>", {}), "GET Pod").reason == "<html>no</html>"
    assert answers.error(answers.read(502, b"", {}), "GET Pod").reason == (
        "the API server cannot answer (GET Pod): HTTP 502"
    )


async def _types(api: Api, version: str, labels: str, count: int) -> list[str]:
    return [change.type async for change in _some(api.watch(CONFIG_MAP, version, labels), count)]


async def _some(watch: AsyncIterator[Change], count: int) -> AsyncIterator[Change]:
    """So many changes that are no bookmarks."""
    async with asyncio.timeout(20):
        async for change in watch:
            if change.type != "BOOKMARK":
                yield change
                count -= 1
            if not count:
                return
