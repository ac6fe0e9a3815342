"""A day of one target: its branch, its place, people, and a controller that may die at any call it makes."""

import inspect
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from controller.common.notices import Notice, Severity
from controller.deploys.desk import Answer, Ask
from controller.deploys.frontdesk import TargetFrontDesk
from controller.deploys.look import World
from controller.deploys.model import Probed, Record, Verb
from controller.deploys.reconcile import Deployer, Setting
from controller.settings import Allowed, Target
from controller.specs import Specs
from tests.examples import NOON
from tests.fakes.forge import FakeForge
from tests.fakes.journal import FakeJournal
from tests.fakes.outbox import FakeOutbox
from tests.fakes.targets import FakeTargets

SPEC = """
services: {web: {command: serve, port: 8000}}
checks: {smoke: [{name: it is up, http: {path: /}}]}
"""
NAME = "production"


class Died(BaseException):
    """The controller, at a call of its own."""


READS = {"seen", "head", "commit", "merged_by", "target_decisions", "target_said"}


class Life:
    """Counts calls that change something; right after the one numbered `ends_at` it ends."""

    def __init__(self, ends_at: int | None = None) -> None:
        self.calls = 0
        self.ends_at = ends_at

    def spend(self) -> None:
        self.calls += 1
        if self.calls == self.ends_at:
            raise Died


class Mortal:
    """Whatever changes `thing` costs life. To die before a call is to die after the one before it."""

    def __init__(self, thing: object, life: Life) -> None:
        self._thing, self._life = thing, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        return self._mortal(found) if inspect.iscoroutinefunction(found) and name not in READS else found

    def _mortal(self, call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def called(*given: object, **named: object) -> object:
            answer = await call(*given, **named)
            self._life.spend()
            return answer

        return called


class NoMeter:
    def target_stepped(self, target: str, step: str) -> None: ...
    def target_judged(self, target: str, verdict: str, took: float) -> None: ...
    def set_target(self, target: str, state: str) -> None: ...


class Day:
    def __init__(self, **target: object) -> None:
        self.now = NOON
        self.forge = FakeForge(lambda: self.now)
        self.targets = FakeTargets(lambda: self.now)
        self.journal = FakeJournal()
        self.outbox = FakeOutbox()
        self.policy = Target.model_validate({"name": NAME, "repository": "shop", **target})
        self.probed = Probed()
        self.lives = 0
        self.begin()

    def begin(self, life: Life | None = None) -> None:
        """A controller that knows nothing yet."""
        self.lives += 1
        life = life or Life()
        forge, targets, journal, outbox = (
            Mortal(thing, life) for thing in (self.forge, self.targets, self.journal, self.outbox)
        )
        environ = {"SHOP_KEY": "s3cret"}
        world = World(forge, targets, journal, Specs(self.forge, Allowed()), environ, self._soaked)
        setting = Setting({NAME: self.policy}, "http://localhost:8080", timedelta(seconds=10))

        async def post(notices: Collection[Notice]) -> None:
            await outbox.post([one for one in notices if one.severity is Severity.PAGE], ["oncall"])

        self.deployer = Deployer(world, post, setting, NoMeter(), lambda: self.now)
        self.desk = TargetFrontDesk(self.deployer, self.targets, self.journal, setting.targets, lambda: self.now)

    async def _soaked(self, target: str, since: datetime) -> Probed:
        return self.probed

    def push(self, **files: str) -> str:
        return self.forge.push_main("shop", {".preview.yaml": SPEC, **files})

    async def settle(self, rounds: int = 30, every: timedelta = timedelta(seconds=10)) -> Record:
        for _ in range(rounds):
            await self.deployer.round()
            self.now += every
        return self.record

    @property
    def record(self) -> Record:
        site = self.targets.ground.sites.get(NAME)
        return site.record if site else Record(NAME)

    async def ask(self, verb: Verb, **known: Any) -> Answer:
        return await self.desk.ask(Ask(NAME, verb, "ada", known.pop("because", "it is wrong"), **known))

    def pages(self) -> list[str]:
        return [one.notice.title for one in self.outbox.waits.values()]
