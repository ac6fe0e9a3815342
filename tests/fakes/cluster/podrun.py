"""One pod on the kubelet: its containers one after the other, what they say, and its status."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fakes.cluster import furnish
from tests.fakes.cluster.objects import STATUS, now
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.programs import Log, Run
from tests.fakes.cluster.resources import POD, Obj

if TYPE_CHECKING:
    from tests.fakes.cluster.kubelet import Kubelet

KILLED = 143


@dataclass
class Container:
    """A container of the pod over all its starts. `state` and `last` are as in its status."""

    spec: Obj
    state: Obj = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last: Obj = field(default_factory=dict)
    ready: bool = False
    restarts: int = 0
    run: Run | None = None
    logs: list[Log] = field(default_factory=list)

    def status(self) -> Obj:
        told = {"name": self.spec["name"], "image": self.spec["image"], "imageID": "", "ready": self.ready}
        started = "running" in self.state
        return told | {"restartCount": self.restarts, "state": self.state, "lastState": self.last, "started": started}

    @property
    def ended(self) -> int | None:
        return self.state["terminated"]["exitCode"] if "terminated" in self.state else None


class PodRun:
    def __init__(self, kubelet: "Kubelet", pod: Obj, address: str) -> None:
        self._kubelet, self.pod, self.address = kubelet, pod, address
        spec = pod["spec"]
        self.before = [Container(container) for container in spec.get("initContainers") or ()]
        self.containers = [Container(container) for container in spec["containers"]]
        waiting = "PodInitializing" if self.before else "ContainerCreating"
        for container in self.containers:
            container.state = {"waiting": {"reason": waiting}}
        self._volumes = kubelet.volumes(pod)
        self._scheduled, self._initialized = "", False
        self._started = now()

    async def run(self) -> None:
        await self._schedule()
        for container in self.before:
            await self._keep(container, again=self.pod["spec"]["restartPolicy"] != "Never")
            if container.ended != 0:
                self._tell(phase="Failed")
                return
        self._initialized = True
        async with asyncio.TaskGroup() as group:
            for container in self.containers:
                group.create_task(self._keep(container, again=self.pod["spec"]["restartPolicy"] == "OnFailure"))
        worked = all(container.ended == 0 for container in self.containers)
        self._tell(phase="Succeeded" if worked else "Failed")

    async def _schedule(self) -> None:
        while why := self._kubelet.no_room:
            self._scheduled = why
            self._tell()
            self._kubelet.tell(self.pod, "FailedScheduling", why)
            await self._kubelet.news()
        self._scheduled = ""
        self._kubelet.bind(self.pod)
        self._tell()

    async def _keep(self, container: Container, *, again: bool) -> None:
        """Until the container ended for good: `again` starts one anew that failed, and `Always` any."""
        always = self.pod["spec"]["restartPolicy"] == "Always" and container in self.containers
        while True:
            status = await self._once(container)
            if (status == 0 and not always) or not (again or always):
                return
            container.last, container.restarts = container.state, container.restarts + 1
            if container.restarts > 1:
                await self._back_off(container)

    async def _back_off(self, container: Container) -> None:
        name, pod = container.spec["name"], self.pod["metadata"]["name"]
        told = f"back-off 10s restarting failed container={name} pod={pod}_{self.pod['metadata']['namespace']}"
        container.state = {"waiting": {"reason": "CrashLoopBackOff", "message": told}}
        self._tell()
        self._kubelet.tell(self.pod, "BackOff", f"Back-off restarting failed container {name} in pod {pod}")
        await asyncio.sleep(self._kubelet.crash_pause * 2 ** min(container.restarts - 2, 6))

    async def _once(self, container: Container) -> int:
        """One start of it. The status it ended with."""
        run = await self._furnished(container)
        program = self._kubelet.programs.find(container.spec["image"], run.command)
        began = now()
        container.run, container.state = run, {"running": {"startedAt": began}}
        container.ready = not _probes(container.spec)
        self._tell()
        probing = asyncio.create_task(self._probe(container, run))
        try:
            status = await program(run) or 0
        except Exception as error:  # noqa: BLE001 - it ends as a program would that has a mistake in it
            run.print(f"{type(error).__name__}: {error}")
            self._kubelet.broken(error)
            status = 1
        finally:
            probing.cancel()
            self._over(container, run)
        ended = {"exitCode": status, "reason": "Error" if status else "Completed"}
        container.state = {"terminated": ended | {"startedAt": began, "finishedAt": now()}}
        self._tell()
        return status

    def _over(self, container: Container, run: Run) -> None:
        run.close()
        run.log.end()
        container.run, container.ready = None, False

    async def _furnished(self, container: Container) -> Run:
        """Waits until its image, its variables and its files are there."""
        while True:
            try:
                self._kubelet.pull(container.spec["image"])
                return self._start(container)
            except furnish.Missing as missing:
                self._lacking(container, missing)
            await self._kubelet.news()

    def _lacking(self, container: Container, missing: furnish.Missing) -> None:
        waiting = {"reason": missing.reason}
        if missing.reason == "ContainerCreating":
            self._kubelet.tell(self.pod, "FailedMount", missing.message)
        else:
            waiting["message"] = missing.message
            self._kubelet.tell(self.pod, "Failed", f"Error: {missing.message}")
        if missing.reason == "ImagePullBackOff":
            container.state = {"waiting": waiting | {"reason": "ErrImagePull"}}
            self._tell()
        container.state = {"waiting": waiting}
        self._tell()

    def _start(self, container: Container) -> Run:
        store, spec = self._kubelet.store, container.spec
        files = furnish.files(store, self.pod, spec)
        env = furnish.variables(store, self.pod, spec)
        log = Log()
        folders = furnish.shared(self.pod, spec, self._volumes)
        reach = self._kubelet.reach(self.pod["metadata"]["namespace"])
        run = Run(self.pod, spec, furnish.words(spec, env), env, files, folders, log, self.address, reach)
        container.logs.append(log)
        return run

    async def _probe(self, container: Container, run: Run) -> None:
        for probe in _probes(container.spec):
            await run.ready.wait()
            while "httpGet" in probe and run.answer and run.answer(probe["httpGet"].get("path", "/"))[0] >= 400:
                await asyncio.sleep(self._kubelet.probe_pause)
        container.ready = True
        self._tell()

    def stopped(self) -> None:
        for container in (*self.before, *self.containers):
            if "running" in container.state:
                container.state = {"terminated": {"exitCode": KILLED, "reason": "Error", "finishedAt": now()}}
        self._tell()

    def _tell(self, phase: str = "") -> None:
        running = any("running" in container.state for container in self.containers) or any(
            container.restarts for container in self.containers
        )
        status = self._kubelet.status(self.pod)
        status = status | {"phase": phase or ("Running" if running else status.get("phase", "Pending"))}
        if status["phase"] == "Running" and phase == "" and not running:
            status["phase"] = "Pending"
        told = {
            "startTime": self._started,
            "conditions": self._conditions(status.get("conditions") or [], status["phase"]),
        }
        if not self._scheduled:
            told |= {"hostIP": "127.0.0.1", "podIP": self.address, "podIPs": [{"ip": self.address}]}
            told["containerStatuses"] = [container.status() for container in self.containers]
        if self.before and not self._scheduled:
            told["initContainerStatuses"] = [container.status() for container in self.before]
        metadata = self.pod["metadata"]
        try:
            self._kubelet.objects.patch(
                POD, lambda obj: obj | {"status": status | told}, metadata["name"], metadata["namespace"], STATUS
            )
        except ApiError:
            return  # it is gone already

    def _conditions(self, known: list[Obj], phase: str) -> list[Obj]:
        ready = all(container.ready for container in self.containers)
        states = {"PodScheduled": not self._scheduled, "Initialized": self._initialized}
        states |= {"ContainersReady": ready, "Ready": ready}
        before = {condition["type"]: condition for condition in known}
        return [self._condition(name, holds, before.get(name), phase) for name, holds in states.items()]

    def _condition(self, name: str, holds: bool, before: Obj | None, phase: str) -> Obj:
        told: Obj = {"type": name, "status": str(holds)}
        if not holds and name == "PodScheduled":
            told |= {"reason": "Unschedulable", "message": self._scheduled}
        elif not holds and phase in {"Succeeded", "Failed"}:
            told["reason"] = "PodCompleted" if phase == "Succeeded" else "PodFailed"
        elif not holds:
            told |= _unready(self.containers) | (
                {"reason": "ContainersNotInitialized"} if name == "Initialized" else {}
            )
        same = before is not None and before["status"] == told["status"]
        return told | {"lastTransitionTime": before["lastTransitionTime"] if before and same else now()}


def _unready(containers: list[Container]) -> Obj:
    names = " ".join(container.spec["name"] for container in containers if not container.ready)
    return {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"}


def _probes(container: Obj) -> list[Obj]:
    return [container[kind] for kind in ("startupProbe", "readinessProbe") if kind in container]
