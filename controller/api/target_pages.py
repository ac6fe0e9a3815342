"""The dashboard's page of one target: how it stands, its releases, and what can be asked of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import Response

from controller.api import views
from controller.api.calls import TheCall
from controller.api.parts import TAIL, Part, choose, look, no_page, tail
from controller.api.rendering import Pages, Person, see_other, target_page
from controller.common.markdown import cut
from controller.deploys.desk import Ask, Taken, TargetDesk
from controller.deploys.model import Verb
from controller.previews.desk import Answer

MAX_REASON = 500
Name = Annotated[str, Path(max_length=100)]


def create_target_pages(desk: TargetDesk, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    board = TargetBoard(desk, Pages(conversations=False), clock)
    router.add_api_route("/targets/{name}", board.target, methods=["GET"])
    router.add_api_route("/targets/{name}/asks", board.ask, methods=["POST"])
    return router


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form carries. The reason is needed; `to` is 0 where no release is named."""

    verb: Annotated[Verb, Form()]
    because: Annotated[str, Form()] = ""
    to: Annotated[int, Form(ge=0, le=2**31)] = 0
    force: Annotated[bool, Form()] = False


TheAsked = Annotated[Asked, Depends()]


class TargetBoard:
    def __init__(self, desk: TargetDesk, pages: Pages, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._pages = pages
        self._clock = clock

    async def target(self, request: Request, name: Name, service: str = "") -> Response:
        now = self._clock()
        card, timeline, runs = await asyncio.gather(
            look(self._desk.target(name)), look(self._desk.timeline(name, 100)), look(self._desk.runs(name))
        )
        if card.missing:
            return no_page(self._pages, request, card.problem, now)
        services = card.value.seen.services if card.value else ()
        chosen = choose(services, service)
        log = await look(tail(self._desk.logs(name, chosen, TAIL, follow=False))) if chosen else Part([])
        kept = [run for _, run in runs.value or ()]
        values = {
            "target": name,
            "card": card,
            "timeline": timeline,
            "history": Part([views.plot("checks", kept, now)] if kept else [], runs.problem),
            "chosen": chosen,
            "log": log,
        }
        return self._pages.show(request, "target.html", values, now=now, status=card.status)

    async def ask(self, name: Name, person: Person, call: TheCall, asked: TheAsked) -> Response:
        ask = Ask(name, asked.verb, person, cut(asked.because.strip(), MAX_REASON), asked.to, asked.force)
        call.detail = f"{ask.verb} {name}" + (f" to #{ask.to}" if ask.to else "") + (", forced" if ask.force else "")
        part = await look(self._desk.ask(ask))
        if part.value is None:
            return see_other(target_page(name), person, Answer(False, f"That did not work: {part.problem}"))
        answer = Answer(part.value.taken is Taken.ACCEPTED, part.value.text)
        return see_other(target_page(name), person, answer)
