"""On a real cluster, from the verdict (the record says so) until the last good release is rolled out and answers at the
gateway with its configuration, against `kubectl rollout undo` and `kubectl rollout status` of the same workload.

The peer's Deployment stands in a namespace of its own, with the pods of ours. Its configuration comes back because it
stands in the pods' template: what lies in a ConfigMap is left as the bad release had it, as kubectl's undo knows
nothing of it; ours brings both back. In turns, so that both find the node as warm. Needs a cluster in KUBECONFIG and an
image of Mayfly in MAYFLY_TEST_IMAGE.
"""

import asyncio
import copy
import json
import os
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from benchmarks._ground import commit, policy, real_cluster
from benchmarks._room import ANSWERS, APP, BAD, GOOD, TARGET, Room, a_release, room, until
from benchmarks.model import Row, Skipped
from controller.adapters.kubernetes.api import DEPLOYMENT, Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.kinds import NAMESPACE
from controller.adapters.kubernetes.main.targets import KubernetesTargets
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.shared.run import run
from controller.common.nouns import Source
from controller.deploys.model import Release
from controller.settings import Target

ROUNDS = 5
LIMIT = timedelta(minutes=2)
AGAINST = "kubectl rollout undo, and rollout status (no ConfigMap comes back)"


async def measure() -> list[Row]:
    image, kubectl = real_cluster(), shutil.which("kubectl")
    if kubectl is None:
        raise Skipped("it needs kubectl")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
            async with _main(Path(folder), image) as ground, room(ground.targets) as here:
                return await _Race(here, ground, kubectl, Path(folder), image).rows()
    finally:
        structlog.reset_defaults()


class _Ground:
    def __init__(self, api: Api, targets: KubernetesTargets, namespace: str) -> None:
        self.api, self.targets, self.namespace = api, targets, namespace
        self.peer = f"kubectl-{namespace}"


class _Race:
    def __init__(self, here: Room, ground: _Ground, kubectl: str, folder: Path, image: str) -> None:
        self._here, self._ground, self._folder, self._image = here, ground, folder, image
        self._kubectl_path = kubectl
        self._theirs: dict[int, Path] = {}

    async def rows(self) -> list[Row]:
        await self._here.make(self._release(GOOD))
        await self._note(GOOD)
        await self._here.make(self._release(BAD))
        laps = [await self._lap() for _ in range(ROUNDS)]
        cold, warm, peer = (statistics.median(one) for one in zip(*laps, strict=True))
        goal, name = 1.1 * peer + 0.5, "verdict → the last good release answers, on a cluster"
        return [
            Row.at_most(f"{name}, cold", cold, goal, "s", peer=peer, against=AGAINST),
            Row.at_most(f"{name}, warm", warm, goal, "s", peer=peer, against=AGAINST),
        ]

    async def _lap(self) -> tuple[float, float, float]:
        """Seconds: cold, warm, and kubectl's."""
        cold = await self._ours(warm=False)
        warm = await self._ours(warm=True)
        return cold, warm, await self._peers()

    async def _ours(self, *, warm: bool) -> float:
        await self._here.apply(BAD, warm=warm)
        if not warm:
            await until(self._good_is_gone, every=0.1)
        else:
            await self._note(BAD)
        began = time.perf_counter()
        await self._here.roll_back()
        took = time.perf_counter() - began
        await self._here.settle()
        return took

    async def _good_is_gone(self) -> bool:
        return await self._deployment(GOOD) is None

    async def _deployment(self, number: int) -> Obj | None:
        return await self._ground.api.get(DEPLOYMENT, f"web-r{number}", self._ground.namespace)

    async def _peers(self) -> float:
        """Both are made by `kubectl apply`, the bad one over the good one, and the bad one is undone."""
        for number in (GOOD, BAD):
            await self._kubectl("apply", "--filename", str(self._theirs[number]))
            await self._kubectl("rollout", "status", "deployment/web")
        began = time.perf_counter()
        await self._kubectl("rollout", "undo", "deployment/web")
        await self._kubectl("rollout", "status", "deployment/web")
        return time.perf_counter() - began

    async def _note(self, number: int) -> None:
        """Our Deployment, as somebody with kubectl alone would have it: one name for all releases."""
        found = await self._deployment(number)
        if found is None:
            raise RuntimeError(f"#{number} does not run")
        pods, mine = copy.deepcopy(found["spec"]["template"]), {"app": "web"}
        pods["metadata"] = {"labels": mine}
        pods["spec"] |= {"serviceAccountName": "default", "serviceAccount": "default"}
        kept = {"replicas": 1, "selector": {"matchLabels": mine}, "strategy": found["spec"]["strategy"]}
        known = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
        self._theirs[number] = self._folder / f"{number}.json"
        self._theirs[number].write_text(json.dumps(known | {"spec": kept | {"template": pods}}))

    async def _kubectl(self, *words: str) -> None:
        await run(self._kubectl_path, "--namespace", self._ground.peer, *words, env=os.environ, limit=LIMIT)

    def _release(self, number: int) -> Release:
        version = ANSWERS[number].partition(" ")[0]
        command = ["python", "-c", APP, version]
        web: dict[str, object] = {"image": self._image, "command": command, "port": 8000, "health": "/"}
        return a_release(number, commit(self._folder, {"version": version}), web)


@asynccontextmanager
async def _main(folder: Path, image: str) -> AsyncIterator[_Ground]:
    """Nothing of it is left in the cluster in a moment."""
    namespace = f"bench-{secrets.token_hex(4)}"
    chosen = policy(images={"mayfly": image}).model_copy(
        update={"targets": [Target(name=TARGET, repository="shop", namespace=namespace)]}
    )
    api = await connect(chosen.kubernetes)

    async def source(_repo: str) -> Source:
        return Source(str(folder / "checkout"))

    targets = KubernetesTargets(api, policy=chosen, source=source, home=folder / "home")
    ground = _Ground(api, targets, namespace)
    try:
        await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ground.peer}})
        await targets.open()
        await targets.lead()
        yield ground
    finally:
        await targets.close()
        for name in (ground.namespace, ground.peer):
            await api.delete(NAMESPACE, name)
        await api.close()


if __name__ == "__main__":
    print(asyncio.run(measure()))
