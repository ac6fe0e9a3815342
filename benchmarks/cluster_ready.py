"""A preview on a real cluster, from the order to `ready`, against kubectl with the same manifests.

The peer is `kubectl apply` of what we applied, in a namespace of another name, and `kubectl rollout status`. In turns,
so that both find the node as warm. Needs a cluster in KUBECONFIG and an image of Mayfly in MAYFLY_TEST_IMAGE.
"""

import asyncio
import copy
import json
import os
import shutil
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import structlog

from benchmarks._ground import Ground, commit, ground, policy, real_cluster
from benchmarks.model import Row, Skipped
from controller.adapters.kubernetes.names import MANAGED_BY
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.shared.run import run
from controller.common.nouns import Phase, PreviewKey
from controller.common.spec import Spec
from controller.previews.model import DeployOrder

ROUNDS = 5
LIMIT = timedelta(minutes=5)


async def measure() -> list[Row]:
    image, kubectl = real_cluster(), shutil.which("kubectl")
    if kubectl is None:
        raise Skipped("it needs kubectl")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
            revision = commit(Path(folder), {"README": "a shop"})
            async with ground(Path(folder), policy(images={"mayfly": image})) as here:
                race = _Race(here, image, revision, kubectl, Path(folder) / "manifests.json")
                times = [await race.lap(number) for number in range(1, ROUNDS + 1)]
    finally:
        structlog.reset_defaults()
    ours, peer = (statistics.median(one) for one in zip(*times, strict=True))
    against = "kubectl apply of the same manifests, and rollout status"
    return [Row.at_most("order → preview ready, on a cluster", ours, 1.1 * peer + 0.5, "s", peer=peer, against=against)]


class _Race:
    def __init__(self, here: Ground, image: str, revision: str, kubectl: str, file: Path) -> None:
        self._here, self._image, self._revision = here, image, revision
        self._kubectl_path, self._file = kubectl, file
        self._applied: list[Obj] = []
        self._listen()

    async def lap(self, number: int) -> tuple[float, float]:
        """Seconds of ours, and of kubectl."""
        self._applied.clear()
        key = PreviewKey("shop", number)
        ours = await self._ours(key)
        await self._remove(key)
        return ours, await self._theirs()

    def _listen(self) -> None:
        """Every object that the platform makes is written down on its way."""
        api = self._here.api
        create, apply = api.create, api.apply

        async def created(obj: Obj) -> Obj | None:
            self._applied.append(copy.deepcopy(obj))
            return await create(obj)

        async def applied(obj: Obj, *, force: bool = False) -> Obj:
            self._applied.append(copy.deepcopy(obj))
            return await apply(obj, force=force)

        api.create, api.apply = created, applied  # type: ignore[method-assign]

    async def _ours(self, key: PreviewKey) -> float:
        platform, bells = self._here.platform, self._here.platform.bells()
        began = time.perf_counter()
        heard = asyncio.ensure_future(anext(bells))
        await platform.deploy(DeployOrder(key, self._revision, self._spec(), f"pr-{key.number}-shop"))
        async with asyncio.timeout(LIMIT.total_seconds()):
            while (preview := await platform.preview(key)) is None or preview.phase is not Phase.READY:
                if preview is not None and preview.phase is Phase.FAILED:
                    raise RuntimeError(f"it failed: {preview.reason}\n{preview.logs}")
                await heard
                heard = asyncio.ensure_future(anext(bells))
        took = time.perf_counter() - began
        heard.cancel()
        return took

    def _spec(self) -> Spec:
        command = ["python", "-m", "http.server", "{port}", "--bind", "{host}"]
        web = {"image": self._image, "command": command, "port": 8000, "health": "/"}
        return Spec.model_validate({"services": {"web": web}})

    async def _remove(self, key: PreviewKey) -> None:
        platform = self._here.platform
        async with asyncio.timeout(LIMIT.total_seconds()):
            while (preview := await platform.preview(key)) is not None:
                if preview.phase is not Phase.TERMINATING:
                    await platform.remove(key, preview.uid)
                await asyncio.sleep(0.2)

    async def _theirs(self) -> float:
        """Under another name, and without the label by which we find what is ours."""
        name = next(obj["metadata"]["name"] for obj in self._applied if obj["kind"] == "Namespace")
        for obj in self._applied:
            obj["metadata"].get("labels", {}).pop(MANAGED_BY, None)
        known = {"apiVersion": "v1", "kind": "List", "items": self._applied}
        self._file.write_text(json.dumps(known).replace(name, f"kubectl-{name}"))
        try:
            began = time.perf_counter()
            await self._kubectl("apply", "--filename", str(self._file))
            await self._kubectl("rollout", "status", "deployment/web", "--namespace", f"kubectl-{name}")
            return time.perf_counter() - began
        finally:
            await self._kubectl("delete", "namespace", f"kubectl-{name}")

    async def _kubectl(self, *words: str) -> None:
        await run(self._kubectl_path, *words, env=os.environ, limit=LIMIT)


if __name__ == "__main__":
    print(asyncio.run(measure()))
