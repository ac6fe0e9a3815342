"""What becomes of Deployments, Jobs and pods on the fake cluster: the part of it that runs things."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.cluster import FakeCluster
from tests.fakes.cluster.programs import Run
from tests.fakes.cluster.resources import POD, Obj
from tests.fakes.cluster.wire import Wire, connected

pytestmark = pytest.mark.processes

WEB = {"app": "web"}


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    async with FakeCluster() as cluster:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        await cluster.settled()
        yield cluster


@pytest.fixture
async def wire(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Wire]:
    async with connected(cluster.kubeconfig(tmp_path / "kubeconfig")) as wire:
        wire.namespace = "shop"
        yield wire


async def until(cluster: FakeCluster, holds: Callable[[], Any]) -> Any:
    """Looks after every change, until it holds."""
    changed = asyncio.Event()
    stop = cluster.store.listen(lambda _event: changed.set())
    try:
        async with asyncio.timeout(10):
            while not (found := holds()):
                await changed.wait()
                changed.clear()
    finally:
        stop()
    return found


def a_deployment(cluster: FakeCluster, version: str = "1", *, replicas: int = 1, **more: Any) -> Obj:
    container = {"name": "web", "image": f"registry.test/shop:{version}", "ports": [{"containerPort": 8000}]} | more
    template = {"metadata": {"labels": WEB}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": WEB}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
    }


def a_job(*command: str, **more: Any) -> Obj:
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "seed", "image": "registry.test/shop:1", "command": list(command)}],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}} | more
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "seed", "namespace": "shop"}, "spec": spec}


def status(cluster: FakeCluster, kind: str = "Deployment", name: str = "web") -> Obj:
    return (cluster.get(kind, name, "shop") or {}).get("status") or {}


def conditions(cluster: FakeCluster, kind: str, name: str) -> dict[str, Obj]:
    return {one["type"]: one for one in status(cluster, kind, name).get("conditions") or () if one["status"] == "True"}


def web(cluster: FakeCluster) -> list[Obj]:
    return [pod for pod in cluster.all("Pod", "shop") if pod["metadata"].get("labels", {}).get("app") == "web"]


def container_state(cluster: FakeCluster) -> Obj:
    found = [pod.get("status", {}).get("containerStatuses") for pod in cluster.all("Pod", "shop")]
    return found[0][0] if found and found[0] else {"state": {}, "lastState": {}}


def waiting(cluster: FakeCluster) -> Obj:
    return container_state(cluster)["state"].get("waiting") or {}


def available(cluster: FakeCluster, count: int = 1) -> Callable[[], bool]:
    return lambda: status(cluster).get("availableReplicas", 0) == count == status(cluster).get("updatedReplicas", 0)


async def serving(run: Run) -> int:
    run.print("listening")
    await run.serve(lambda path: (200, f"{run.container['image']} at {path}"))
    return 0


class TestDeployments:
    async def test_it_becomes_available(self, cluster: FakeCluster) -> None:
        cluster.create(a_deployment(cluster, replicas=2))
        await until(cluster, available(cluster, 2))
        found = status(cluster)
        assert found["observedGeneration"] == 1
        assert {one["type"]: one["status"] for one in found["conditions"]} == {
            "Progressing": "True",
            "Available": "True",
        }

    async def test_another_template_takes_over_without_a_gap(self, cluster: FakeCluster) -> None:
        made = cluster.create(a_deployment(cluster))
        await until(cluster, available(cluster))
        [before] = web(cluster)
        ready: list[bool] = []
        stop = cluster.store.listen(lambda _event: ready.append(any(map(_ready, web(cluster)))))
        cluster.change(made, spec=a_deployment(cluster, "2")["spec"] | _defaults(made))
        await until(
            cluster, lambda: len(web(cluster)) == 1 and before not in web(cluster) and status(cluster)["replicas"] == 1
        )
        stop()
        assert all(ready)
        assert web(cluster)[0]["spec"]["containers"][0]["image"] == "registry.test/shop:2"

    async def test_recreate_ends_the_old_one_first(self, cluster: FakeCluster) -> None:
        first = a_deployment(cluster)
        first["spec"]["strategy"] = {"type": "Recreate"}
        made = cluster.create(first)
        await until(cluster, available(cluster))
        counts: list[int] = []
        stop = cluster.store.listen(lambda _event: counts.append(len(web(cluster))))
        second = a_deployment(cluster, "2")["spec"] | _defaults(made)
        cluster.change(made, spec=second)
        await until(cluster, lambda: any(pod["spec"]["containers"][0]["image"].endswith(":2") for pod in web(cluster)))
        stop()
        assert max(counts) == 1

    async def test_scaled_to_nothing_nothing_runs(self, cluster: FakeCluster) -> None:
        made = cluster.create(a_deployment(cluster))
        await until(cluster, available(cluster))
        cluster.change(made, spec=made["spec"] | {"replicas": 0})
        await until(cluster, lambda: not web(cluster) and "replicas" not in status(cluster))

    async def test_with_it_go_its_replica_sets_and_pods(self, cluster: FakeCluster) -> None:
        cluster.create(a_deployment(cluster))
        await until(cluster, available(cluster))
        cluster.delete("Deployment", "web", "shop")
        await until(cluster, lambda: not cluster.all("ReplicaSet", "shop") and not cluster.all("Pod", "shop"))

    async def test_what_is_not_healthy_is_not_available(self, cluster: FakeCluster) -> None:
        health = {"status": 500}

        async def sick(run: Run) -> int:
            await run.serve(lambda _path: (health["status"], ""))
            return 0

        cluster.programs.add(sick)
        probe = {"httpGet": {"path": "/", "port": 8000}}
        cluster.create(a_deployment(cluster, readinessProbe=probe))
        await until(cluster, lambda: "running" in container_state(cluster)["state"])
        assert not status(cluster).get("availableReplicas")
        health["status"] = 200
        await until(cluster, available(cluster))

    async def test_one_that_never_is_ready_runs_out_of_time(self, cluster: FakeCluster) -> None:
        cluster.miss_image("registry.test/shop:1")
        made = a_deployment(cluster)
        made["spec"]["progressDeadlineSeconds"] = 0
        cluster.create(made)

        def late() -> bool:
            found = [one for one in status(cluster).get("conditions", ()) if one["type"] == "Progressing"]
            return bool(found) and (found[0]["status"], found[0]["reason"]) == ("False", "ProgressDeadlineExceeded")

        await until(cluster, late)

    async def test_a_pod_that_found_no_room_is_made_when_there_is(self, cluster: FakeCluster) -> None:
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota", "namespace": "shop"}}
        made = cluster.create(quota | {"spec": {"hard": {"pods": "0"}}})
        cluster.create(a_deployment(cluster))
        await until(cluster, lambda: "ReplicaFailure" in conditions(cluster, "Deployment", "web"))
        cluster.change(made, spec={"hard": {"pods": "1"}})
        await until(cluster, available(cluster))
        await until(cluster, lambda: "ReplicaFailure" not in conditions(cluster, "Deployment", "web"))
        await until(cluster, lambda: status(cluster, "ResourceQuota", "quota")["used"] == {"pods": "1"})


class TestPods:
    async def test_an_image_that_is_missing_is_waited_for(self, cluster: FakeCluster) -> None:
        cluster.miss_image("registry.test/shop:1", "registry.test/shop:1: not found")
        cluster.create(a_deployment(cluster))
        await until(cluster, lambda: waiting(cluster).get("reason") == "ImagePullBackOff")
        assert "registry.test/shop:1: not found" in waiting(cluster)["message"]
        assert cluster.all("Event", "shop")[0]["involvedObject"]["kind"] == "Pod"
        cluster.push_image("registry.test/shop:1")
        await until(cluster, available(cluster))

    async def test_a_container_that_crashes_is_started_again_ever_later(self, cluster: FakeCluster) -> None:
        async def crashing(run: Run) -> int:
            run.print("no such table: users")
            return 3

        cluster.programs.add(crashing)
        cluster.create(a_deployment(cluster))
        await until(cluster, lambda: waiting(cluster).get("reason") == "CrashLoopBackOff")
        found = container_state(cluster)
        assert found["restartCount"] >= 1
        assert found["lastState"]["terminated"]["exitCode"] == 3

    async def test_a_secret_that_is_missing_is_waited_for(self, cluster: FakeCluster) -> None:
        env = [{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "database", "key": "url"}}}]
        cluster.create(a_deployment(cluster, env=env))
        await until(cluster, lambda: waiting(cluster).get("reason") == "CreateContainerConfigError")
        assert waiting(cluster)["message"] == 'secret "database" not found'
        about = {"name": "database", "namespace": "shop"}
        data = {"url": base64.b64encode(b"postgresql:///app").decode()}
        cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data})
        await until(cluster, available(cluster))

    async def test_a_pod_that_fits_nowhere_says_so(self, cluster: FakeCluster) -> None:
        cluster.no_room("0/1 nodes are available: 1 Insufficient memory.")
        cluster.create(a_deployment(cluster))

        def scheduled() -> list[Obj]:
            found = [one for pod in web(cluster) for one in pod["status"].get("conditions", ())]
            return [one for one in found if one["type"] == "PodScheduled"]

        [condition] = await until(cluster, scheduled)
        assert (condition["reason"], condition["status"]) == ("Unschedulable", "False")
        cluster.no_room("")
        await until(cluster, available(cluster))

    async def test_it_finds_its_variables_and_files(self, cluster: FakeCluster) -> None:
        seen: list[Run] = []

        async def looking(run: Run) -> int:
            seen.append(run)
            return 0

        cluster.programs.add(looking)
        about = {"name": "config", "namespace": "shop"}
        cluster.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"a.txt": "text", "NAME": "ada"}}
        )
        job = a_job("look", "$(GREETING)", "$$(GREETING)")
        [container] = job["spec"]["template"]["spec"]["containers"]
        container["env"] = [{"name": "GREETING", "value": "hello $(NAME)"}]
        container["envFrom"] = [{"configMapRef": {"name": "config"}}]
        container["volumeMounts"] = [
            {"name": "config", "mountPath": "/config"},
            {"name": "scratch", "mountPath": "/scratch"},
        ]
        volumes = [{"name": "config", "configMap": {"name": "config"}}, {"name": "scratch", "emptyDir": {}}]
        job["spec"]["template"]["spec"]["volumes"] = volumes
        cluster.create(job)
        await until(cluster, lambda: seen)
        [run] = seen
        assert run.env["GREETING"] == "hello ada"
        assert run.command == ("look", "hello ada", "$(GREETING)")
        assert run.files["/config/a.txt"] == b"text"
        assert run.folders == {"/scratch": {}}


class TestJobs:
    @pytest.fixture(autouse=True)
    def programs(self, cluster: FakeCluster) -> None:
        async def failing(run: Run) -> int:
            run.print("it failed")
            return 1

        async def hanging(run: Run) -> int:
            await asyncio.Event().wait()
            return 0

        cluster.programs.add(failing, command="fail")
        cluster.programs.add(hanging, command="hang")

    async def test_one_that_works_is_complete(self, cluster: FakeCluster) -> None:
        cluster.create(a_job("work"))
        await until(cluster, lambda: "Complete" in conditions(cluster, "Job", "seed"))
        assert status(cluster, "Job", "seed")["succeeded"] == 1
        assert "completionTime" in status(cluster, "Job", "seed")

    async def test_one_that_fails_says_so_once_its_pod_has_ended(self, cluster: FakeCluster) -> None:
        cluster.create(a_job("fail"))
        await until(cluster, lambda: "Failed" in conditions(cluster, "Job", "seed"))
        found = conditions(cluster, "Job", "seed")
        assert found["Failed"]["reason"] == found["FailureTarget"]["reason"] == "BackoffLimitExceeded"
        assert status(cluster, "Job", "seed")["failed"] == 1
        assert [pod["status"]["phase"] for pod in cluster.all("Pod", "shop")] == ["Failed"]

    async def test_one_that_takes_too_long_is_ended(self, cluster: FakeCluster) -> None:
        cluster.create(a_job("hang", activeDeadlineSeconds=1))
        await until(cluster, lambda: "Failed" in conditions(cluster, "Job", "seed"))
        assert conditions(cluster, "Job", "seed")["Failed"]["reason"] == "DeadlineExceeded"
        assert (status(cluster, "Job", "seed")["failed"], cluster.all("Pod", "shop")) == (1, [])

    async def test_a_pod_that_somebody_deletes_has_failed(self, cluster: FakeCluster) -> None:
        cluster.create(a_job("hang"))
        [pod] = await until(cluster, lambda: cluster.all("Pod", "shop"))
        cluster.delete("Pod", pod["metadata"]["name"], "shop")
        await until(cluster, lambda: "Failed" in conditions(cluster, "Job", "seed"))
        assert conditions(cluster, "Job", "seed")["Failed"]["reason"] == "BackoffLimitExceeded"

    async def test_it_is_tried_as_often_as_it_says(self, cluster: FakeCluster) -> None:
        cluster.create(a_job("fail", backoffLimit=2))
        await until(cluster, lambda: "Failed" in conditions(cluster, "Job", "seed"))
        assert status(cluster, "Job", "seed")["failed"] == 3

    async def test_what_runs_before_runs_first_and_may_fail_it(self, cluster: FakeCluster) -> None:
        seen: list[str] = []

        async def named(run: Run) -> int:
            seen.append(run.container["name"])
            return 1 if run.container["name"] == "build" else 0

        cluster.programs.add(named)
        job = a_job("work")
        image = "registry.test/shop:1"
        before = [{"name": "source", "image": image}, {"name": "build", "image": image}]
        job["spec"]["template"]["spec"]["initContainers"] = before
        cluster.create(job)
        await until(cluster, lambda: "Failed" in conditions(cluster, "Job", "seed"))
        assert seen == ["source", "build"]


class TestReaching:
    @pytest.fixture(autouse=True)
    async def served(self, cluster: FakeCluster) -> None:
        cluster.programs.add(serving)
        cluster.create(a_deployment(cluster))
        await until(cluster, available(cluster))

    async def test_a_pod_answers_at_its_address(self, cluster: FakeCluster) -> None:
        [pod] = web(cluster)
        address = cluster.address(pod, 8000)
        assert address is not None
        async with aiohttp.ClientSession() as session, session.get(f"http://{address[0]}:{address[1]}/a") as answer:
            assert await answer.text() == "registry.test/shop:1 at /a"
        assert pod["status"]["podIP"].startswith("127.")

    async def test_its_last_lines_are_read(self, cluster: FakeCluster, wire: Wire) -> None:
        [pod] = web(cluster)
        url = f"{cluster.url}{wire.path(POD, pod['metadata']['name'], 'log')}"
        async with aiohttp.ClientSession() as session, session.get(url, params={"tailLines": "1"}) as answer:
            assert await answer.text() == "listening\n"

    async def test_its_lines_are_followed_until_it_ends(self, cluster: FakeCluster, wire: Wire) -> None:
        [pod] = web(cluster)
        container = cluster.kubelet.container(pod, "web")
        assert container is not None
        assert container.run is not None
        url = f"{cluster.url}{wire.path(POD, pod['metadata']['name'], 'log')}"
        async with aiohttp.ClientSession() as session, session.get(url, params={"follow": "true"}) as answer:
            assert await answer.content.readline() == b"listening\n"
            container.run.print("more")
            assert await answer.content.readline() == b"more\n"
            cluster.delete("Deployment", "web", "shop")
            assert await answer.content.read() == b""

    async def test_its_port_is_forwarded(self, cluster: FakeCluster, wire: Wire) -> None:
        [pod] = web(cluster)
        url = f"{cluster.url}{wire.path(POD, pod['metadata']['name'], 'portforward')}?ports=8000"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=["v4.channel.k8s.io"]) as socket,
        ):
            assert [await socket.receive_bytes() for _ in range(2)] == [b"\x00\x40\x1f", b"\x01\x40\x1f"]
            await socket.send_bytes(b"\x00GET /b HTTP/1.1\r\n\r\n")
            data = [message.data async for message in socket]
        assert b"".join(part[1:] for part in data).endswith(b"registry.test/shop:1 at /b")

    async def test_a_port_on_which_nobody_listens_is_an_error(self, cluster: FakeCluster, wire: Wire) -> None:
        [pod] = web(cluster)
        url = f"{cluster.url}{wire.path(POD, pod['metadata']['name'], 'portforward')}?ports=9"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=["v4.channel.k8s.io"]) as socket,
        ):
            data = [message.data async for message in socket]
        assert data[2].startswith(b"\x01failed to connect")


def _ready(pod: Obj) -> bool:
    found = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", ())}
    return found.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _defaults(made: Obj) -> Obj:
    return {key: made["spec"][key] for key in ("strategy", "progressDeadlineSeconds", "revisionHistoryLimit")}
