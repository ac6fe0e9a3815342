"""Targets on the fake cluster, with a repository to deploy from: the real client and real git."""

import itertools
import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.main.targets import KubernetesTargets
from controller.common.nouns import Commit
from controller.common.spec import Spec
from controller.deploys.model import Release
from controller.deploys.secret import secret_digest
from controller.settings import Images, Kubernetes, KubernetesDatabases, Policy, Target
from smoke.handover import encode
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from tests.adapters.kubernetes import programs
from tests.adapters.kubernetes.world import Isolation
from tests.adapters.local.world import A_CHECK, git
from tests.asking import ask
from tests.fakes.cluster import FakeCluster
from tests.fakes.cluster.programs import Run
from tests.fakes.databases import FakeDatabases
from tests.sources import from_folder

NAMESPACE = "mayfly-production"
PORT = 8000


class TargetWorld:
    """`async with TargetWorld(tmp_path) as world`: the targets are open, and led. `target` may be changed before."""

    targets: KubernetesTargets

    def __init__(self, root: Path, isolation: Isolation = "server", **target: object) -> None:
        self.root, self.home, self.isolation = root, root / "home", isolation
        self.cluster = FakeCluster()
        self.databases = FakeDatabases(root / "databases")
        self.checkout = root / "checkout"
        self.checkout.mkdir(parents=True)
        self.environment: dict[str, str] = {}
        self.told: list[tuple[str, bytes]] = []
        git(self.checkout, "init", "--quiet", "--initial-branch=main")
        programs.add(self.cluster.programs, self.databases.root)
        _add(self.cluster)
        known: dict[str, object] = {"name": "production", "repository": "shop", "secrets": {"API_KEY": "SHOP_API_KEY"}}
        self.target = Target.model_validate(known | target)
        self.policy = Policy()
        self._stack = AsyncExitStack()
        self._api: Api | None = None

    async def __aenter__(self) -> "TargetWorld":
        await self._stack.enter_async_context(self.cluster)
        self.policy = Policy(platform="kubernetes", kubernetes=self.kubernetes(), targets=[self.target])
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mayfly"}})
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.close()
        finally:
            await self._stack.aclose()

    def kubernetes(self) -> Kubernetes:
        return Kubernetes(
            kubeconfig=str(self.cluster.kubeconfig(self.root / "kubeconfig")),
            databases=KubernetesDatabases(isolation=self.isolation),
            images=Images(mayfly=programs.MAYFLY, postgres=programs.POSTGRES),
            wait_for_image=timedelta(0),
            reach="port-forward",
            requests_per_second=10_000,
        )

    async def open(self) -> None:
        self._api = await connect(self.policy.kubernetes)
        self.targets = KubernetesTargets(
            self._api,
            policy=self.policy,
            source=from_folder(self.checkout),
            home=self.home,
            databases=self.databases if self.isolation == "server" else None,
            secrets=self.environment,
            tell=self._tell,
        )
        await self.targets.open()
        await self.targets.lead()

    async def _tell(self, url: str, body: bytes) -> None:
        self.told.append((url, body))

    async def close(self) -> None:
        if self._api is not None:
            api, self._api = self._api, None
            await self.targets.close()
            await api.close()

    async def reopen(self) -> None:
        await self.close()
        await self.open()

    def commit(self, files: Mapping[str, str]) -> str:
        for name, text in files.items():
            path = self.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--allow-empty", "--message", "a change")
        return git(self.checkout, "rev-parse", "HEAD")

    def release(
        self, number: int, story: str = "good", *, version: str = "one", greeting: str = "", secret: str = ""
    ) -> Release:
        revision = self.commit({"seed.txt": "rows", "version.txt": version})
        spec = a_spec(story, version)
        return self.release_of(number, revision, spec, greeting=greeting, secret=secret)

    def release_of(self, number: int, revision: str, spec: object, *, greeting: str = "", secret: str = "") -> Release:
        now, known = datetime.now(UTC), Spec.model_validate(spec)
        if secret:
            self.environment["SHOP_API_KEY"] = secret
        return Release(
            number,
            Commit(revision, now, "a change", "Ada"),
            known,
            tuple(known.checks.smoke),
            now,
            "somebody pushed",
            env={"GREETING": greeting} if greeting else {},
            secrets={"API_KEY": secret_digest(secret)} if secret else {},
        )

    async def ask(self, path: str = "/", host: str = "production") -> str:
        return await ask(self.targets, host, path)

    async def variable(self, name: str) -> str | None:
        said = dict(line.partition("=")[::2] for line in (await self.ask("/environment")).splitlines())
        return said.get(name)

    def running(self) -> set[tuple[int, str]]:
        found = set()
        for pod in self.cluster.all("Pod", NAMESPACE):
            labels, phase = pod["metadata"].get("labels", {}), pod["status"].get("phase")
            alive = "deletionTimestamp" not in pod["metadata"] and phase in {"Pending", "Running"}
            if alive and "mayfly.dev/release" in labels:
                found.add((int(labels["mayfly.dev/release"]), labels["mayfly.dev/service"]))
        return found

    def objects(self, kind: str) -> set[str]:
        found = self.cluster.all(kind, NAMESPACE)
        return {obj["metadata"]["name"] for obj in found if "deletionTimestamp" not in obj["metadata"]}

    def leftovers(self, number: int) -> list[str]:
        """Objects that say that they are of it, by label or by name."""
        mine = {"mayfly.dev/release": str(number), "mayfly.dev/deploy": str(number)}
        return [
            f"{resource.kind} {obj['metadata']['name']}"
            for resource, obj in self.cluster.contents(NAMESPACE)
            if mine.items() & (obj["metadata"].get("labels") or {}).items()
            or obj["metadata"]["name"].startswith(f"mayfly-release-{number}")
        ]


def a_spec(story: str, version: str) -> dict[str, object]:
    service = {"image": programs.SHOP, "command": ["shop", story, version], "port": PORT, "health": "/"}
    service |= {"env": {"GREETING": "hello"}}
    spec: dict[str, object] = {"services": {"web": service}}
    if story == "two services":
        spec["services"] = {"web": service, "extra": service | {"command": ["shop", "good", "extra"]}}
    if story == "unmakeable":
        spec["services"] = {"web": {"command": ["shop", "good", version], "port": PORT}}
    migrate = {"bad migration": ["fail"], "good": ["migrate"], "two services": ["migrate"]}.get(story)
    database: dict[str, object] = {"seed": {"command": ["seed"], "inputs": ["seed.txt"]}}
    spec["database"] = {"postgres": database | ({"migrate": migrate} if migrate else {})}
    if migrate is None and story not in {"plain", "undoing", "bad undo"}:
        spec["database"] = {"postgres": database | {"migrate": ["migrate"]}}
    if story in {"undoing", "bad undo"}:
        command = ["undo", version, "{to}"] if story == "undoing" else ["cannot"]
        spec["database"] = {"postgres": database | {"migrate": ["migrate"]}, "rollback": {"command": command}}
    name = {"failing checks": "it fails", "broken checks": "it breaks"}.get(story)
    spec["checks"] = {"smoke": [{**A_CHECK, "name": name} if name else A_CHECK]}
    return spec


def _add(cluster: FakeCluster) -> None:
    cluster.programs.add(shop, command="shop *")
    cluster.programs.add(undo, command="undo *")
    cluster.programs.add(cannot, command="cannot*")
    cluster.programs.add(smoke, image=programs.MAYFLY)


async def shop(run: Run) -> int:
    """`shop STORY VERSION`: as `serve`, and it tells its environment."""
    _, story, version = run.command
    if story == "crashing":
        run.print(f"the key is {run.env.get('API_KEY', '')}")
    run.command = ("serve", story, version)
    if story not in {"crashing", "slow"}:
        return await _serve(run, version)
    return await programs.serve(run)


async def _serve(run: Run, version: str) -> int:
    def answer(path: str) -> tuple[int, str]:
        if path == "/environment":
            return 200, "\n".join(f"{name}={value}" for name, value in run.env.items())
        return programs._answer(run, version, path)

    run.print("listening")
    run.published[run.port] = answer
    await run.serve(answer)
    return 0


async def undo(run: Run) -> int:
    _, version, to = run.command
    programs.Database(run, run.env["DATABASE_URL"]).rows += f",undone-{version}-{to[:7]}"
    return 0


async def cannot(run: Run) -> int:
    run.print("cannot undo")
    return 1


async def smoke(run: Run) -> int:
    """As the real one: it fails or breaks where the check is called so."""
    text = shlex.join(run.command) + run.files["/mayfly/config/checks.yaml"].decode()
    if "it breaks" in text:
        run.print("Traceback: there is no browser here")
        return 2
    if "it fails" not in text:
        return await programs.smoke(run)
    told = dict(itertools.pairwise(run.command))
    result = CheckResult("it fails", "http", (Attempt(Outcome.FAILED, timedelta(milliseconds=2), "it is 500"),))
    for line in encode(SuiteRun(told["--suite"], told["--revision"], datetime.now(UTC), timedelta(), (result,)), {}):
        run.print(line)
    return 1
