"""The desk behind the API, the dashboard and the command line: what the loop saw last, the platform as it is now."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

from controller.common.nouns import PreviewKey
from controller.common.words import ForgeHealth
from controller.errors import Refused
from controller.ports import History, Platform
from controller.previews.commands import Misunderstood, Request, understand, why_not
from controller.previews.desk import Answer, Card
from controller.previews.lifetime import expires_at
from controller.previews.model import Case, Ending, Event, Permission, Preview, Rules, Verb
from controller.previews.people import ONLY_ASKED
from controller.previews.reconcile import Reconciler
from controller.previews.report import state
from smoke.model import SuiteRun

ENDED_SHOWN = 30
"""Of previews that are gone, the latest so many are shown."""


class FrontDesk:
    """Implements `Desk`."""

    def __init__(
        self,
        reconciler: Reconciler,
        platform: Platform,
        history: History,
        rules: Rules,
        clock: Callable[[], datetime],
    ) -> None:
        self._reconciler = reconciler
        self._platform = platform
        self._history = history
        self._rules = rules
        self._clock = clock

    async def cards(self) -> tuple[Card, ...]:
        previews = {preview.key: preview for preview in await self._platform.previews()}
        endings = await self._history.endings()
        ended = sorted(endings.values(), key=lambda ending: ending.at, reverse=True)[:ENDED_SHOWN]
        keys = self._reconciler.cases.keys() | previews.keys() | {ending.key for ending in ended}
        cards = [self._card(key, previews.get(key), endings.get(key)) for key in keys]
        return tuple(sorted(cards, key=_latest, reverse=True))

    async def card(self, key: PreviewKey) -> Card:
        preview = await self._platform.preview(key)
        ending = (await self._history.endings()).get(key)
        if preview is None and ending is None and key not in self._reconciler.cases:
            raise Refused(f"there is no pull request {key} here")
        return self._card(key, preview, ending)

    def _card(self, key: PreviewKey, preview: Preview | None, ending: Ending | None) -> Card:
        known = self._reconciler.cases.get(key, Case(key))
        case = replace(known, preview=preview, ending=ending)
        hold = self._reconciler.holds.get(key)
        stands = state(case, hold.because if hold else "")
        if case.pull is None and preview is None and ending is not None:
            stands = replace(stands, word="removed", line=f"removed: {ending.because}")
        ends = expires_at(case, self._rules) if preview else None
        return Card(key, stands.word, stands.line, case.pull, preview, case.wishes, ending, ends)

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        await self.card(key)
        return await self._history.timeline(key, limit)

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        await self.card(key)
        return await self._history.runs(key, suite, limit)

    def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        return self._platform.logs(key, service, lines, follow=follow)

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        await self.card(key)
        return await self._platform.artifact(key, suite, name)

    async def command(self, key: PreviewKey, text: str, actor: str, origin: str = "") -> Answer:
        await self.card(key)
        request = understand(text.strip())
        if isinstance(request, Misunderstood):
            return Answer(accepted=False, text=request.text)
        known = self._reconciler.cases.get(key, Case(key))
        if refused := why_not(request, actor, Permission.ADMIN, known.pull, self._rules):
            return Answer(accepted=False, text=refused)
        people = self._reconciler.people
        await people.decide(key, request, actor, self._clock(), origin)
        if request.verb not in ONLY_ASKED:
            self._reconciler.bell.ring(key)
        return Answer(accepted=True, text=(await people.reply(key, request)).body)

    async def forge(self) -> ForgeHealth:
        return self._reconciler.forge_health()

    async def alarm(self) -> str:
        return self._reconciler.alarm.because if self._reconciler.alarm else ""

    async def approve_removals(self, actor: str) -> int:
        alarm = self._reconciler.alarm
        if alarm is None:
            return 0
        for key in sorted(alarm.keys):
            await self._reconciler.people.decide(key, Request(Verb.APPROVE_REMOVAL), actor, self._clock(), "")
        self._reconciler.bell.ring()
        return len(alarm.keys)

    def changes(self) -> AsyncIterator[PreviewKey | None]:
        return self._reconciler.broadcast.changes()


def _latest(card: Card) -> datetime:
    moments = [
        card.pull.pushed_at if card.pull else None,
        card.preview.phase_since if card.preview else None,
        card.ending.at if card.ending else None,
    ]
    return max((moment for moment in moments if moment), default=datetime.min.replace(tzinfo=UTC))
