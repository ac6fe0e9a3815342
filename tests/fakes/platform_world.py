"""What the contract of platforms needs, in memory: commits are words about what their application does."""

from controller.common.nouns import PreviewKey
from controller.common.spec import Spec, parse
from controller.ports import Platform
from controller.previews.model import DeployOrder
from tests.fakes.machine import Machine
from tests.fakes.platform import FakePlatform

BREAKS = {
    "crashing": "start web: it exited with status 3\nno such table: users",
    "bad migration": 'migrate: column "email" contains null values',
}


class FakeWorld:
    """Implements `tests.contracts.platform.World`."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.versions: dict[str, str] = {}
        """What the application says of itself, by revision."""
        self.platform: Platform
        self._start()

    def _start(self) -> None:
        self.platform = FakePlatform(machine=self.machine)

    def push(self, story: str = "good", *, version: str = "one", number: int = 7, order: int = 0) -> DeployOrder:
        revision = f"{len(self.versions):040x}"
        self.versions[revision] = version
        if story in BREAKS:
            self.machine.breaks[revision] = BREAKS[story]
        if story == "slow":
            self.machine.stuck.add(revision)
        spec = a_spec("keep" if story == "keeping" else "fresh")
        return DeployOrder(PreviewKey("shop", number), revision, spec, f"pr-{number}-shop", order)

    async def ask(self, host: str) -> str:
        key = self._reached(host)
        return f"{self.versions[self.machine.alive[key].revision]} {self.machine.databases[key]}"

    async def enter_data(self, host: str, text: str) -> None:
        self.machine.databases[self._reached(host)] += f",{text}"

    async def reopen(self) -> None:
        self._start()

    def leftovers(self, number: int) -> list[str]:
        key, machine = PreviewKey("shop", number), self.machine
        kept = {"preview": set(machine.alive), "order": set(machine.orders), "database": set(machine.databases)}
        return [f"the {kind} of {key}" for kind, keys in kept.items() if key in keys]

    def _reached(self, host: str) -> PreviewKey:
        route = self.platform.route(host)
        assert route is not None
        assert route.address is not None, route
        return route.key


def a_spec(on_push: str) -> Spec:
    return parse(
        f"""
services: {{web: {{command: serve, port: 8000}}}}
database: {{postgres: {{seed: [seed.sql], migrate: migrate, on_push: {on_push}}}}}
checks: {{smoke: [{{name: it answers, http: {{path: /}}}}]}}
""",
        "0" * 40,
    )
