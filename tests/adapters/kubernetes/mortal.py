"""A controller that can be killed like a process: from then on nothing of it reaches the cluster or PostgreSQL."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.platform import KubernetesPlatform
from controller.errors import Unavailable
from tests.adapters.kubernetes.world import Isolation, KubernetesWorld
from tests.sources import from_folder

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
MAKES = {"begin_template", "finish_template", "drop_template", "clone", "drop"}


class Life:
    """Ends after so many writes; the answer to the last one is never read. `writes` are those there were."""

    def __init__(self, most: int | None = None) -> None:
        self.most, self.writes = most, 0
        self.over = asyncio.Event()
        self.held: Callable[[str], bool] | None = None
        """Which calls wait, as those of a process that is stopped (SIGSTOP) do; told `PATCH Deployment web in …`."""
        self.holds, self._released = asyncio.Event(), asyncio.Event()

    async def begin(self, what: str = "") -> None:
        if self.over.is_set():
            raise asyncio.CancelledError
        if self.held is not None and self.held(what) and not self._released.is_set():
            self.holds.set()
            await self._released.wait()

    def release(self) -> None:
        self._released.set()

    def wrote(self) -> None:
        self.writes += 1
        if self.writes == self.most:
            self.over.set()
        if self.over.is_set():
            raise asyncio.CancelledError


class MortalWire:
    def __init__(self, wire: object, life: Life) -> None:
        self._wire, self._life = wire, life

    def __getattr__(self, name: str) -> object:
        return getattr(self._wire, name)

    async def ask(self, request):
        await self._life.begin(request.what)
        answer = await self._wire.ask(request)
        if request.method in WRITES and "leases" not in request.path:
            self._life.wrote()
        return answer


class MortalDatabases:
    def __init__(self, databases: object, life: Life) -> None:
        self._databases, self._life = databases, life

    def __getattr__(self, name: str):
        method = getattr(self._databases, name)

        async def call(*arguments: object) -> object:
            await self._life.begin(name)
            try:
                answer = await method(*arguments)
            except FileNotFoundError as error:  # another controller had it dropped: PostgreSQL says so in our words
                raise Unavailable(str(error)) from error
            if name in MAKES:
                self._life.wrote()
            return answer

        return call


class MortalWorld(KubernetesWorld):
    """`most`: the first controller dies after so many writes; each that follows after `again` of its own."""

    def __init__(
        self, root: Path, isolation: Isolation = "server", most: int | None = None, again: int | None = None
    ) -> None:
        super().__init__(root, isolation)
        self.life, self.deaths, self._again = Life(most), 0, again

    async def open(self) -> None:
        self.platform, self._api = await self.another(self.life)

    async def another(self, life: Life) -> tuple[KubernetesPlatform, Api]:
        """One more controller that believes to lead."""
        api = await connect(self.policy.kubernetes)
        api.wire = MortalWire(api.wire, life)
        home = self.home if life is self.life else self.root / f"home-{id(life)}"
        databases = MortalDatabases(self.databases, life) if self.isolation == "server" else None
        platform = KubernetesPlatform(
            api, policy=self.policy, source=from_folder(self.checkout), home=home, databases=databases
        )
        await platform.open()
        await platform.lead()
        return platform, api

    async def kill(self) -> None:
        """And another one is started."""
        self.life.over.set()
        await end(self.platform)
        assert self._api is not None
        await self._api.close()
        self.life, self.deaths = Life(self._again), self.deaths + 1
        await self.open()


async def end(platform: KubernetesPlatform) -> None:
    """Every task of it, without a chance to tidy up."""
    readers = [task for cell in platform._keeper.roster for task in cell.readers.values()]
    tasks = [*platform._keeper._tasks, *readers]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await platform._keeper._reach.close()
    await platform._means.registry.close()
