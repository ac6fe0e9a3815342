"""The Kubernetes platform on the fake cluster, with a repository to deploy from: the real client and real git."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Literal

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.platform import KubernetesPlatform
from controller.adapters.shared.orders import slug
from controller.common.nouns import PreviewKey
from controller.common.spec import Spec
from controller.previews.model import DeployOrder
from controller.settings import Images, Kubernetes, KubernetesDatabases, Policy
from tests.adapters.kubernetes import programs
from tests.adapters.local.world import A_CHECK, git
from tests.asking import ask
from tests.fakes.cluster import FakeCluster
from tests.fakes.databases import FakeDatabases
from tests.sources import from_folder

Isolation = Literal["server", "namespace"]


class KubernetesWorld:
    """`async with KubernetesWorld(tmp_path) as world`: the platform is open, and leads. `policy` may be changed before.

    world.cluster.faults.down = True   # what goes wrong
    world.cluster.programs.add(...)    # what runs
    """

    platform: KubernetesPlatform

    def __init__(self, root: Path, isolation: Isolation = "server") -> None:
        self.root, self.home, self.isolation = root, root / "home", isolation
        self.cluster = FakeCluster()
        self.databases = FakeDatabases(root / "databases")
        self.policy = Policy()
        self.checkout = root / "checkout"
        self.checkout.mkdir(parents=True)
        git(self.checkout, "init", "--quiet", "--initial-branch=main")
        programs.add(self.cluster.programs, self.databases.root)
        self._stack = AsyncExitStack()
        self._api: Api | None = None

    async def __aenter__(self) -> "KubernetesWorld":
        await self._stack.enter_async_context(self.cluster)
        if "kubernetes" not in self.policy.model_fields_set:
            self.policy = Policy(kubernetes=self.kubernetes())
        self.cluster.create(_namespace(self.policy.kubernetes.namespace))
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.close()
        finally:
            await self._stack.aclose()

    def kubernetes(self, **more: object) -> Kubernetes:
        """The policy of this world, with other values for some. Once the cluster is there: its port is in it."""
        known: dict[str, object] = {
            "kubeconfig": str(self.cluster.kubeconfig(self.root / "kubeconfig")),
            "databases": KubernetesDatabases(isolation=self.isolation),
            "images": Images(mayfly=programs.MAYFLY, postgres=programs.POSTGRES),
            "wait_for_image": timedelta(0),
            "reach": "port-forward",
            "requests_per_second": 10_000,
        }
        return Kubernetes.model_validate(known | more)

    async def open(self) -> None:
        self._api = await connect(self.policy.kubernetes)
        self.platform = KubernetesPlatform(
            self._api,
            policy=self.policy,
            source=from_folder(self.checkout),
            home=self.home,
            databases=self.databases if self.isolation == "server" else None,
        )
        await self.platform.open()
        await self.platform.lead()

    async def close(self) -> None:
        """The controller ends; everything else goes on."""
        if self._api is not None:
            api, self._api = self._api, None
            await self.platform.close()
            await api.close()

    async def reopen(self) -> None:
        await self.close()
        await self.open()

    def commit(self, files: Mapping[str, str]) -> str:
        """The revision with these files, and those of the commits before."""
        for name, text in files.items():
            path = self.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--allow-empty", "--message", "a change")
        return git(self.checkout, "rev-parse", "HEAD")

    def push(self, story: str = "good", *, version: str = "one", number: int = 7, order: int = 0) -> DeployOrder:
        revision = self.commit({"seed.txt": "rows"})
        postgres: dict[str, object] = {
            "seed": {"command": ["seed"], "inputs": ["seed.txt"]},
            "migrate": ["fail"] if story == "bad migration" else ["migrate"],
            "on_push": "keep" if story == "keeping" else "fresh",
        }
        service = {"image": programs.SHOP, "command": ["serve", story, version], "port": 8000, "health": "/"}
        spec = {"services": {"web": service}, "database": {"postgres": postgres}, "checks": {"smoke": [A_CHECK]}}
        return self.order(revision, spec, number=number, order=order)

    def order(self, revision: str, spec: object, *, number: int = 7, order: int = 0) -> DeployOrder:
        key = PreviewKey("shop", number)
        return DeployOrder(key, revision, Spec.model_validate(spec), f"pr-{number}-shop", order)

    async def ask(self, host: str, path: str = "/") -> str:
        return await ask(self.platform, host, path)

    async def enter_data(self, host: str, text: str) -> None:
        await self.ask(host, f"/add/{text}")

    def namespace(self, number: int = 7) -> str:
        return names.namespace(self.policy.kubernetes.prefix, PreviewKey("shop", number))

    def leftovers(self, number: int) -> list[str]:
        name = slug(PreviewKey("shop", number))
        found = [
            f"{resource.kind} {obj['metadata']['name']}"
            for resource, obj in self.cluster.contents(self.namespace(number))
        ]
        found += [f"namespace {space}" for space in self.cluster.namespaces() if space == self.namespace(number)]
        found += [str(path) for path in (self.databases.folder(name),) if path.exists()]
        return found + [line for line in self._refs() if name in line]

    def _refs(self) -> list[str]:
        mirrors = (self.home / "sources").glob("*.git")
        return [line for mirror in mirrors for line in git(mirror, "for-each-ref").splitlines()]


def _namespace(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
