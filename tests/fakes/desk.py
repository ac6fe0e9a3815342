"""A Desk in memory: a small world of example cards that commands change. Read its state; it counts no calls.

`desk.down = "the forge is down"` makes everything Unavailable; `desk.put(card)` changes the world and rings.
It keeps the same promises as the real one: `tests/contracts/desk.py` runs on it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from controller.common.nouns import CheckJob, Phase, PreviewKey, Service, ServiceState, Step, StepState
from controller.common.words import ForgeHealth
from controller.errors import Refused, Unavailable
from controller.previews.commands import Misunderstood, understand
from controller.previews.desk import Answer, Card
from controller.previews.model import Database, Ending, Event, Preview, PullRequest, Verb, Wishes
from controller.previews.people import ONLY_ASKED
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from tests.fakes.examples import NOON, PIXEL, a_head

READY = PreviewKey("shop", 7)
FAILED = PreviewKey("shop", 8)
STARTING = PreviewKey("shop", 9)
SLEEPING = PreviewKey("team/api", 3)
WAITING = PreviewKey("shop", 10)
REMOVED = PreviewKey("shop", 5)


class FakeDesk:
    """Commands are the words after `/preview`; what each does is told in `_obey`."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.down = ""
        self.world: dict[PreviewKey, Card] = {card.key: card for card in example_cards(now)}
        self.events: dict[PreviewKey, list[Event]] = {key: _timeline(key, now) for key in self.world}
        self.kept_runs: dict[tuple[PreviewKey, str], list[SuiteRun]] = {
            (READY, "smoke"): example_runs(now),
            (FAILED, "smoke"): [],
        }
        self.lines: dict[tuple[PreviewKey, str], list[str]] = {
            (READY, "web"): [f"GET /products/{number} 200" for number in range(300)],
            (READY, "worker"): ["waiting for work"],
            (FAILED, "web"): ["Traceback (most recent call last):", "ModuleNotFoundError: No module named 'shop'"],
        }
        self.artifacts: dict[tuple[PreviewKey, str, str], bytes] = {(READY, "smoke", "home page.png"): PIXEL}
        self.removals_waiting = 0
        self.why_alarmed = ""
        self.health = ForgeHealth("git")
        self.approved_by = ""
        self.decided_by: list[tuple[PreviewKey, str, str, str]] = []
        """(key, words, actor, origin) of every accepted command; an origin stands here once."""
        self._listeners: set[asyncio.Queue[PreviewKey | None]] = set()
        self._new_line = asyncio.Condition()

    @property
    def listeners(self) -> int:
        """How many wait for changes."""
        return len(self._listeners)

    def put(self, card: Card) -> None:
        self.world[card.key] = card
        self.ring(card.key)

    def ring(self, key: PreviewKey | None = None) -> None:
        for listener in self._listeners:
            listener.put_nowait(key)

    async def log(self, key: PreviewKey, service: str, line: str) -> None:
        """A service writes a line; those who follow it read it."""
        async with self._new_line:
            self.lines.setdefault((key, service), []).append(line)
            self._new_line.notify_all()

    async def cards(self) -> tuple[Card, ...]:
        self._answer()
        return tuple(self.world.values())

    async def card(self, key: PreviewKey) -> Card:
        self._answer()
        if key not in self.world:
            raise Refused(f"there is no preview {key}")
        return self.world[key]

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        await self.card(key)
        return tuple(self.events.get(key, [])[-limit:])

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        await self.card(key)
        return tuple(self.kept_runs.get((key, suite), [])[-limit:])

    async def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        if (await self.card(key)).preview is None:
            raise Refused(f"there is no preview of {key}")
        known = sorted(name for where, name in self.lines if where == key)
        if service is not None and service not in known:
            raise Refused(f"{key} has no service `{service}`; there are {', '.join(known) or 'none'}")
        names = [service] if service else known
        for name in names:
            for line in self.lines[key, name][-lines:]:
                yield line if service else f"{name} | {line}"
        if follow and service:
            async for line in self._follow(key, service):
                yield line

    async def _follow(self, key: PreviewKey, service: str) -> AsyncIterator[str]:
        written = self.lines[key, service]
        seen = len(written)
        while True:
            async with self._new_line:
                while len(written) == seen:
                    await self._new_line.wait()
                new, seen = written[seen:], len(written)
            for line in new:
                yield line

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        await self.card(key)
        return self.artifacts.get((key, suite, name))

    async def command(self, key: PreviewKey, text: str, actor: str, origin: str = "") -> Answer:
        card = await self.card(key)
        request = understand(text.strip())
        if isinstance(request, Misunderstood):
            return Answer(accepted=False, text=f"`{text}` is not a command; try `/preview help`")
        verb = request.verb
        if verb in ONLY_ASKED:
            return Answer(accepted=True, text=f"`{verb}`: this is what there is")
        if origin and any(origin == known for *_, known in self.decided_by):
            return Answer(accepted=True, text="this was decided before")
        words = " ".join(part for part in (verb, request.argument, request.because) if part)
        self.decided_by.append((key, words, actor, origin))
        self.events.setdefault(key, []).append(Event(key, self.now, "decision", f"asked for `{verb}`", actor))
        self.put(_obey(card, verb, actor, self.now))
        return Answer(accepted=True, text=f"`{verb}`: done as you asked, @{actor}")

    async def forge(self) -> ForgeHealth:
        """From memory: it answers while everything is down."""
        return self.health

    async def alarm(self) -> str:
        self._answer()
        return self.why_alarmed

    async def approve_removals(self, actor: str) -> int:
        self._answer()
        waiting, self.removals_waiting, self.why_alarmed = self.removals_waiting, 0, ""
        self.approved_by = actor
        self.ring()
        return waiting

    async def changes(self) -> AsyncIterator[PreviewKey | None]:
        listener: asyncio.Queue[PreviewKey | None] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            while True:
                yield await listener.get()
        finally:
            with suppress(KeyError):
                self._listeners.remove(listener)

    def _answer(self) -> None:
        if self.down:
            raise Unavailable(self.down, timedelta(seconds=7))


def _obey(card: Card, verb: Verb, actor: str, now: datetime) -> Card:
    preview = card.preview
    match verb:
        case Verb.PIN:
            return replace(card, wishes=replace(card.wishes, pinned_by=actor), expires_at=None)
        case Verb.UNPIN:
            return replace(card, wishes=replace(card.wishes, pinned_by=""), expires_at=now + timedelta(days=3))
        case Verb.SLEEP if preview:
            asleep = replace(preview, phase=Phase.SLEEPING, phase_since=now)
            return replace(card, state="sleeping", headline="sleeping · the next visit wakes it", preview=asleep)
        case Verb.WAKE | Verb.REDEPLOY | Verb.RESEED if preview:
            starting = replace(preview, phase=Phase.STARTING, phase_since=now, reason="")
            return replace(card, state="starting", headline="starting · start web", preview=starting)
        case Verb.DOWN:
            ending = Ending(card.key, f"@{actor} took it down", now)
            return replace(card, state="removed", headline=f"removed · {ending.because}", preview=None, ending=ending)
        case Verb.UP:
            return replace(card, state="waiting", headline="waiting · for a place", ending=None)
        case _:
            return card


def example_cards(now: datetime) -> list[Card]:
    """One of each state, newest activity first."""
    return [
        _starting(now),
        _ready(now),
        _failed(now),
        _sleeping(now),
        Card(
            WAITING,
            "waiting",
            "waiting · all 5 places are taken",
            pull=_pull(WAITING, now, branch="wishlist", title="A wish list", author="grace"),
        ),
        Card(
            REMOVED,
            "removed",
            "removed · the pull request was merged",
            pull=replace(_pull(REMOVED, now, branch="spring-sale", title="Spring sale"), is_open=False, merged=True),
            ending=Ending(REMOVED, "the pull request was merged", now - timedelta(hours=3)),
        ),
    ]


def _pull(key: PreviewKey, now: datetime, *, branch: str, title: str, author: str = "ada") -> PullRequest:
    return PullRequest(key, a_head(key), True, now - timedelta(minutes=12), branch, title=title, author=author)


def _ready(now: datetime) -> Card:
    began = now - timedelta(minutes=12)
    preview = Preview(
        key=READY,
        uid="5f2b",
        revision=a_head(READY),
        phase=Phase.READY,
        phase_since=now - timedelta(minutes=11),
        created_at=now - timedelta(hours=5),
        url="http://pr-7-shop.localhost:8080",
        steps=(
            Step("checkout", StepState.DONE, began, timedelta(milliseconds=40)),
            Step("seed", StepState.REUSED, began, timedelta()),
            Step("clone", StepState.DONE, began, timedelta(milliseconds=210)),
            Step("migrate", StepState.DONE, began, timedelta(milliseconds=650), "2 migrations"),
            Step("start web", StepState.DONE, began, timedelta(milliseconds=480)),
        ),
        services=(
            Service("web", ServiceState.HEALTHY, "pr-7-shop"),
            Service("worker", ServiceState.HEALTHY, restarts=1),
        ),
        database=Database("9c1e52", 104 * 2**20, timedelta(milliseconds=210), None, timedelta(milliseconds=650)),
        jobs=(
            CheckJob("smoke", a_head(READY), 0, began, example_runs(now)[-1]),
            CheckJob("e2e", a_head(READY), 0, now),
        ),
        last_visit=now - timedelta(minutes=3),
    )
    pull = _pull(READY, now, branch="new-checkout", title="A checkout on one page")
    headline = "ready · 3 of 3 smoke checks passed, 1 on the second attempt"
    return Card(READY, "ready", headline, pull, preview, Wishes(), expires_at=now + timedelta(days=3))


def _failed(now: datetime) -> Card:
    reason = "web exited with 1 three times in a row"
    preview = Preview(
        key=FAILED,
        uid="77aa",
        revision=a_head(FAILED),
        phase=Phase.FAILED,
        phase_since=now - timedelta(minutes=30),
        created_at=now - timedelta(minutes=31),
        url="http://pr-8-shop.localhost:8080",
        reason=reason,
        logs="Traceback (most recent call last):\n\x1b[31mModuleNotFoundError\x1b[0m: No module named '<shop>'",
        steps=(
            Step("checkout", StepState.DONE, now - timedelta(minutes=31), timedelta(milliseconds=40)),
            Step("start web", StepState.FAILED, now - timedelta(minutes=31), timedelta(seconds=9), reason),
        ),
        services=(Service("web", ServiceState.CRASHED, "pr-8-shop", restarts=3, reason=reason),),
    )
    pull = _pull(FAILED, now, branch="rename <script>alert(1)</script>", title="Rename & tidy", author="linus")
    return Card(FAILED, "failed", f"failed · {reason}", pull, preview, expires_at=now + timedelta(hours=9))


def _starting(now: datetime) -> Card:
    preview = Preview(
        key=STARTING,
        uid="01cd",
        revision=a_head(STARTING),
        phase=Phase.STARTING,
        phase_since=now - timedelta(seconds=2),
        created_at=now - timedelta(seconds=2),
        url="http://pr-9-shop.localhost:8080",
        steps=(
            Step("checkout", StepState.DONE, now - timedelta(seconds=2), timedelta(milliseconds=35)),
            Step("seed", StepState.RUNNING, now - timedelta(seconds=1)),
        ),
        services=(Service("web", ServiceState.WAITING, "pr-9-shop"),),
    )
    pull = _pull(STARTING, now, branch="search", title="Search by colour", author="grace")
    return Card(STARTING, "starting", "starting · seed", pull, preview, expires_at=now + timedelta(days=3))


def _sleeping(now: datetime) -> Card:
    preview = Preview(
        key=SLEEPING,
        uid="e0e0",
        revision=a_head(SLEEPING),
        phase=Phase.SLEEPING,
        phase_since=now - timedelta(hours=1),
        created_at=now - timedelta(days=1),
        url="http://pr-3-team-api.localhost:8080",
        services=(Service("api", ServiceState.STOPPED, "pr-3-team-api"),),
        last_visit=now - timedelta(hours=3),
    )
    pull = _pull(SLEEPING, now, branch="rate-limits", title="Rate limits")
    wishes = Wishes(pinned_by="ada")
    return Card(SLEEPING, "sleeping", "sleeping · the next visit wakes it", pull, preview, wishes)


def example_runs(now: datetime) -> list[SuiteRun]:
    """Of #7, oldest first: failed, broken, passed on the second attempt."""
    passed = Attempt(Outcome.PASSED, timedelta(milliseconds=120))
    failed = Attempt(Outcome.FAILED, timedelta(milliseconds=90), "answered 500, wanted 200", "<h1>Oops & more</h1>")
    home = CheckResult("home page", "browser", (passed,), screenshot="home page.png")
    runs = [
        (failed,),
        (replace(failed, outcome=Outcome.BROKEN, message="the connection was refused"),),
        (failed, passed),
    ]
    return [
        SuiteRun(
            "smoke",
            a_head(READY) if place == len(runs) else "1" * 40,
            now - timedelta(hours=4 - place),
            timedelta(seconds=place),
            (home, CheckResult("checkout", "http", attempts), CheckResult("tls", "tls", skipped="there is no https")),
        )
        for place, attempts in enumerate(runs, start=1)
    ]


def _timeline(key: PreviewKey, now: datetime) -> list[Event]:
    return [
        Event(key, now - timedelta(minutes=12), "push", "pushed", "ada", a_head(key)),
        Event(key, now - timedelta(minutes=12), "deploy", "the pull request has no preview yet", revision=a_head(key)),
        Event(key, now - timedelta(minutes=11), "ready", "ready in 1.4 s", revision=a_head(key)),
    ]
