"""The status page, and each probe's page for operators. No script is needed.

who asks                                          sees
------------------------------------------------  ------------------------------------------
anybody, where only the status page is public     what is public of the probes that are
who may read                                      all probes, alarms and suspects
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from controller.access.model import Scope
from controller.api import latency
from controller.api.calls import Call, TheCall
from controller.api.latency import Latency, Span
from controller.api.pages import FormText
from controller.api.parts import Part, look, no_page
from controller.api.probe_views import title
from controller.api.rendering import STATUS_PAGE, Pages, Person, probe_page, see_other
from controller.common.markdown import one_line
from controller.previews.desk import Answer
from controller.probes.desk import ProbeDesk, StatusPage
from controller.settings import Policy
from smoke.documents import format_duration

MOST_PLOTS = 20
"""On one page; each probe has its plot on its own page."""
MAX_REASON = 200
SAMPLES = 30
LASTS = {
    "30m": timedelta(minutes=30),
    "2h": timedelta(hours=2),
    "8h": timedelta(hours=8),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}
Name = Annotated[str, Path(max_length=100)]
Value = TypeVar("Value")


def create_probe_pages(
    desk: ProbeDesk, policy: Policy, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    pages = Pages(conversations=False)
    status, probes = StatusBoard(desk, policy, pages, clock), ProbeBoard(desk, pages, clock)
    router.add_api_route("/status", status.all, methods=["GET"], name=STATUS_PAGE)
    router.add_api_route("/status/{name}", status.one, methods=["GET"])
    router.add_api_route("/probes/{name}", probes.probe, methods=["GET"])
    router.add_api_route("/probes/{name}/silences", probes.silence, methods=["POST"])
    router.add_api_route("/probes/{name}/silences/{silence}/end", probes.unsilence, methods=["POST"])
    return router


class StatusBoard:
    def __init__(self, desk: ProbeDesk, policy: Policy, pages: Pages, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._policy = policy
        self._pages = pages
        self._clock = clock

    async def all(self, request: Request, call: TheCall, span: str = "") -> Response:
        public = self._is_public(call)
        return await self._page(request, await look(self._desk.status(public=public)), span, public=public)

    async def one(self, request: Request, name: Name, call: TheCall, span: str = "") -> Response:
        """The same of one probe, in finer steps."""
        public = self._is_public(call)
        status = await look(self._desk.status(public=public, name=name))
        if status.value is not None and not status.value.probes:
            return no_page(self._pages, request, f"There is no probe `{name}` here.", self._clock())
        return await self._page(request, status, span, public=public, name=name)

    async def _page(
        self, request: Request, status: Part[StatusPage], span: str, *, public: bool, name: str = ""
    ) -> Response:
        now, chosen = self._clock(), latency.span(span)
        shown = [card.probe.name for card, _ in status.value.probes[:MOST_PLOTS]] if status.value else []
        step = chosen.fine if name else chosen.coarse
        values = {
            "status": status,
            "titles": {card.probe.name: title(card) for card, _ in status.value.probes} if status.value else {},
            "plots": await _plots(self._desk, shown, chosen, step, now),
            "spans": latency.SPANS,
            "chosen": chosen,
            "alone": name,
            "public": public,
            "indexed": public and self._policy.probing.public_status,
        }
        return self._pages.show(request, "status.html", values, now=now, status=status.status)

    def _is_public(self, call: Call) -> bool:
        """Whether whoever asks may see only what everybody may."""
        if not self._policy.tokens or self._policy.access.public_reading:
            return False
        return not (call.identity.token and call.identity.scope.covers(Scope.READ))


class ProbeBoard:
    def __init__(self, desk: ProbeDesk, pages: Pages, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._pages = pages
        self._clock = clock

    async def probe(self, request: Request, name: Name, span: str = "") -> Response:
        now, chosen = self._clock(), latency.span(span)
        card, samples, silences, incidents = await asyncio.gather(
            look(self._desk.probe(name)),
            look(self._desk.samples(name, SAMPLES)),
            look(self._desk.silences()),
            look(self._desk.incidents(now - timedelta(days=90))),
        )
        if card.missing:
            return no_page(self._pages, request, card.problem, now)
        values = {
            "probe": name,
            "card": card,
            "samples": samples,
            "silences": [one for one in silences.value or () if one.probe in {"", name}],
            "incidents": Part([one for one in incidents.value or () if one.probe == name], incidents.problem),
            "plots": await _plots(self._desk, [name], chosen, chosen.fine, now),
            "spans": latency.SPANS,
            "chosen": chosen,
            "lasts": {key: format_duration(lasts) for key, lasts in LASTS.items()},
        }
        return self._pages.show(request, "probe.html", values, now=now, status=card.status)

    async def silence(
        self, name: Name, person: Person, call: TheCall, lasts: FormText = "", because: FormText = ""
    ) -> Response:
        reason, wanted = one_line(because, MAX_REASON), LASTS.get(lasts)
        if not reason or wanted is None:
            return see_other(probe_page(name), person, Answer(accepted=False, text="Say for how long, and why."))
        call.detail = f"silence {name} for {format_duration(wanted)}: {reason}"
        part = await look(self._desk.silence(name, wanted, person, reason))
        done = f"Nobody is told of it for {format_duration(wanted)}."
        return see_other(probe_page(name), person, _answer(part, done))

    async def unsilence(self, name: Name, silence: Name, person: Person, call: TheCall) -> Response:
        call.detail = f"end silence {silence}"
        part = await look(self._desk.unsilence(silence, person))
        return see_other(probe_page(name), person, _answer(part, "It is over: what burns is told again."))


def _answer(part: Part[Value], done: str) -> Answer:
    """`part.value` is false where it was over before, which is as good."""
    return Answer(accepted=False, text=f"That did not work: {part.problem}") if part.problem else Answer(True, done)


async def _plots(
    desk: ProbeDesk, names: Sequence[str], span: Span, step: timedelta, now: datetime
) -> dict[str, Part[Latency | None]]:
    since = now - span.lasts
    found = await look(desk.series_of(names, since, now, step))
    points, alone = found.value or {}, len(names) == 1
    plots = {name: latency.latency(points.get(name, ()), since, now, step, titled=alone) for name in names}
    return {name: Part(plot, found.problem) for name, plot in plots.items()}
