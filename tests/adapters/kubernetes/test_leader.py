"""Never two that act, and never long without one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.kubernetes.api import LEASE, Api
from controller.adapters.kubernetes.leader import Leader
from controller.adapters.kubernetes.shapes import Obj
from tests.adapters.kubernetes.served import api_of
from tests.fakes.cluster import FakeCluster

pytestmark = pytest.mark.processes

QUICK: dict[str, Any] = {
    "lease": timedelta(seconds=1),
    "renew_within": timedelta(seconds=0.6),
    "retry": timedelta(seconds=0.1),
}


class Replica:
    """One controller. What it does is to be there."""

    def __init__(self, api: Api, identity: str, namespace: str = "mayfly", **times: timedelta) -> None:
        self.leader = Leader(api, namespace, "leader", identity, **times)
        self.acts = asyncio.Event()
        self.stops = asyncio.Event()
        self.history: list[str] = []
        self.running = asyncio.create_task(self.leader.run(self._lead))

    async def _lead(self) -> None:
        self.acts.set()
        self.history.append("begins")
        try:
            await asyncio.Event().wait()
        finally:
            self.acts.clear()
            self.history.append("ends")
            self.stops.set()

    async def stop(self) -> None:
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running


@asynccontextmanager
async def replicas(
    api: Api, *identities: str, namespace: str = "mayfly", **times: timedelta
) -> AsyncIterator[list[Replica]]:
    """The first one leads."""
    made = []
    for identity in identities:
        made.append(Replica(api, identity, namespace, **times))
        if len(made) == 1:
            await within(10, made[0].acts)
    try:
        yield made
    finally:
        for replica in made:
            await replica.stop()


async def within(seconds: float, event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), seconds)


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    async with FakeCluster() as cluster:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mayfly"}})
        yield cluster


@pytest.fixture
async def ours(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(cluster, tmp_path, patience=0.1) as api:
        yield api


def a_lease(holder: str, **spec: object) -> Obj:
    metadata = {"name": "leader", "namespace": "mayfly"}
    content = {"holderIdentity": holder, "leaseDurationSeconds": 1, "leaseTransitions": 3} | spec
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": content}


def lease_in(cluster: FakeCluster) -> Obj:
    lease = cluster.get("Lease", "leader", "mayfly")
    assert lease is not None
    spec: Obj = lease["spec"]
    return spec


async def test_the_first_one_leads_and_the_others_know_who(api: Api, namespace: str) -> None:
    async with replicas(api, "one", "two", namespace=namespace) as (one, two):
        await _until(lambda: two.leader.holder == "one")
        assert (one.leader.leads, two.leader.leads) == (True, False)
        assert not two.acts.is_set()


async def test_a_stop_hands_over_within_a_second(api: Api, namespace: str) -> None:
    async with replicas(api, "one", "two", namespace=namespace) as (one, two):
        await _until(lambda: two.leader.holder == "one")
        await one.stop()
        assert one.history == ["begins", "ends"]
        await within(1, two.acts)
        lease = await api.get(LEASE, "leader", namespace)
        assert lease is not None
        assert lease["spec"]["holderIdentity"] == "two"
        assert lease["spec"]["leaseTransitions"] == 1


async def test_who_leads_renews_in_time(cluster: FakeCluster, ours: Api) -> None:
    async with replicas(ours, "one", "two", **QUICK) as (one, two):
        before = lease_in(cluster)["renewTime"]
        await asyncio.sleep(1.5)  # longer than the Lease lasts
        assert lease_in(cluster)["renewTime"] > before
        assert one.history == ["begins"]
        assert two.history == []


async def test_the_lease_of_one_that_died_is_taken_when_its_time_is_up(cluster: FakeCluster, ours: Api) -> None:
    cluster.create(a_lease("dead"))
    began = asyncio.get_running_loop().time()
    async with replicas(ours, "one", **QUICK):
        assert asyncio.get_running_loop().time() - began >= 1
        assert lease_in(cluster)["holderIdentity"] == "one"
        assert lease_in(cluster)["leaseTransitions"] == 4


async def test_the_clock_of_another_machine_does_not_matter(cluster: FakeCluster, ours: Api) -> None:
    cluster.create(a_lease("ahead", renewTime="2999-01-01T00:00:00.000000Z"))
    async with replicas(ours, "one", **QUICK):
        assert lease_in(cluster)["holderIdentity"] == "one"


async def test_who_is_released_is_followed_at_once(cluster: FakeCluster, ours: Api) -> None:
    cluster.create(a_lease("", leaseDurationSeconds=3600))
    async with asyncio.timeout(1):
        async with replicas(ours, "one"):
            pass


async def test_a_process_that_comes_back_under_its_name_goes_on(cluster: FakeCluster, ours: Api) -> None:
    cluster.create(a_lease("one", leaseDurationSeconds=3600))
    async with asyncio.timeout(1):
        async with replicas(ours, "one"):
            assert lease_in(cluster)["leaseTransitions"] == 3


async def test_who_cannot_renew_stops_before_another_may_begin(cluster: FakeCluster, ours: Api, tmp_path: Path) -> None:
    async with replicas(ours, "one", **QUICK) as (one,):
        cluster.faults.fail(503, times=None, verb="patch")
        await within(0.95, one.stops)
        assert not one.leader.leads
        cluster.faults.clear()
        await within(5, one.acts)


async def test_a_short_outage_costs_nothing(cluster: FakeCluster, ours: Api) -> None:
    async with replicas(ours, "one", **QUICK) as (one,):
        cluster.faults.fail(503, times=4, verb="patch")
        await asyncio.sleep(1)
        assert one.history == ["begins"]


async def test_who_was_robbed_of_the_lease_stops(cluster: FakeCluster, ours: Api) -> None:
    async with replicas(ours, "one", **QUICK) as (one,):
        cluster.change(a_lease("thief"), spec=a_lease("thief", leaseDurationSeconds=3600)["spec"])
        await within(2, one.stops)
        assert one.leader.holder == "thief"
        assert lease_in(cluster)["holderIdentity"] == "thief"


async def test_a_lease_that_is_deleted_is_made_anew(cluster: FakeCluster, ours: Api) -> None:
    async with replicas(ours, "one", **QUICK) as (one,):
        cluster.delete("Lease", "leader", "mayfly")
        await within(2, one.stops)
        await within(2, one.acts)
        assert lease_in(cluster)["holderIdentity"] == "one"


async def test_an_error_of_the_work_is_raised_and_the_lease_given_away(cluster: FakeCluster, ours: Api) -> None:
    async def lead() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await Leader(ours, "mayfly", "leader", "one").run(lead)
    assert lease_in(cluster)["holderIdentity"] == ""


async def test_work_that_is_done_ends_it_and_gives_the_lease_away(cluster: FakeCluster, ours: Api) -> None:
    async def lead() -> None:
        return

    leader = Leader(ours, "mayfly", "leader", "one")
    await leader.run(lead)
    assert lease_in(cluster)["holderIdentity"] == ""
    assert not leader.leads


async def test_the_lease_is_kept_until_the_work_has_ended(cluster: FakeCluster, ours: Api) -> None:
    acts, may_end = asyncio.Event(), asyncio.Event()

    async def lead() -> None:
        acts.set()
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    running = asyncio.create_task(Leader(ours, "mayfly", "leader", "one", **QUICK).run(lead))
    await within(5, acts)
    running.cancel()
    two = Replica(ours, "two", **QUICK)
    await asyncio.sleep(1.5)  # longer than the Lease lasts
    assert lease_in(cluster)["holderIdentity"] == "one"
    assert not two.acts.is_set()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    await within(2, two.acts)
    await two.stop()


async def test_of_two_who_reach_for_it_at_once_one_gets_it(cluster: FakeCluster, ours: Api) -> None:
    cluster.create(a_lease(""))
    cluster.faults.slow(0.1, verb="get", resource="leases")  # both have read it when the first one writes
    one, two = Replica(ours, "one", **QUICK), Replica(ours, "two", **QUICK)
    await _until(lambda: one.acts.is_set() or two.acts.is_set())
    for _ in range(20):
        assert one.acts.is_set() != two.acts.is_set()
        await asyncio.sleep(0.02)
    await one.stop()
    await two.stop()


async def test_never_do_two_act_whatever_goes_wrong(cluster: FakeCluster, ours: Api) -> None:
    async with replicas(ours, "one", "two", "three", **QUICK) as all_of_them:
        for _ in range(3):
            await _until(lambda: any(replica.acts.is_set() for replica in all_of_them))
            cluster.faults.cut_watches()
            cluster.faults.lose_answer(times=2, verb="patch")
            cluster.faults.fail(500, times=3)
            for _ in range(30):
                assert sum(replica.acts.is_set() for replica in all_of_them) <= 1
                await asyncio.sleep(0.02)
            leading = next((replica for replica in all_of_them if replica.acts.is_set()), None)
            if leading is not None:
                cluster.change(a_lease(""), spec=a_lease("", leaseDurationSeconds=1)["spec"])
                await within(2, leading.stops)
                leading.stops.clear()


async def test_waiting_costs_hardly_any_requests(cluster: FakeCluster, ours: Api) -> None:
    async with replicas(ours, "one", "two", **QUICK) as (_, two):
        await _until(lambda: two.leader.holder == "one")
        gets = cluster.requests["get", "leases"]
        await asyncio.sleep(1)
        assert cluster.requests["get", "leases"] - gets <= 1


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)
