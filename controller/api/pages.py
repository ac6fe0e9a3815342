"""The dashboard: previews, one preview, and one pull request as a forge would show it.

Every part of a page is looked up on its own and at the same time as the others; one that does not answer says why in
its place, and the rest stands. Forms work without the script; with it, their answer is put into the page as it is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from controller.api import views
from controller.api.rendering import Pages, clean_name, preview_page, pull_page, see_other
from controller.api.streams import closing
from controller.common.markdown import cut, plain
from controller.common.nouns import PreviewKey
from controller.errors import Refused, Unavailable
from controller.ports import Conversations
from controller.previews.desk import Answer, Card, Desk
from controller.settings import Policy
from smoke.model import SuiteRun

PATIENCE = 5.0
"""Seconds until a part of a page is shown as not answering."""
TAIL = 200
"""Log lines that are shown at first."""
MAX_LINE = 2_000
MAX_COMMAND = 500
MAX_COMMENT = 20_000
"""Characters a person writes at once; the forge would keep more, the guard lets no more than 64 KiB in."""
SUITES = ("smoke", "e2e")
Value = TypeVar("Value")
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
FormText = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Part(Generic[Value]):
    """Of a page: a value, or why there is none. `missing` where there is no such thing, and waiting will not help."""

    value: Value | None
    problem: str = ""
    missing: bool = False


async def look(looking: Awaitable[Value]) -> Part[Value]:
    """What it comes to; never raises what a page can continue without."""
    try:
        async with asyncio.timeout(PATIENCE):
            return Part(await looking)
    except Refused as error:
        return Part(None, error.reason, missing=True)
    except Unavailable as error:
        return Part(None, error.reason)
    except TimeoutError:
        return Part(None, f"it did not answer within {PATIENCE:g} seconds")


async def attempt(asking: Awaitable[Answer]) -> Answer:
    """A person's wish, and what to tell them about it, whatever happens."""
    part = await look(asking)
    return part.value or Answer(accepted=False, text=f"That did not work: {part.problem}")


def create_pages(
    desk: Desk,
    conversations: Conversations | None,
    policy: Policy,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> APIRouter:
    """The routes. Without `conversations` there are no pull request pages: the forge has its own."""
    router = APIRouter(include_in_schema=False)
    pages = Pages(conversations=conversations is not None)
    board = Board(desk, policy, pages, clock)
    router.add_api_route("/", board.previews, methods=["GET"])
    router.add_api_route("/static/{name}", board.static, methods=["GET"])
    router.add_api_route("/removals/approve", board.approve, methods=["POST"])
    router.add_api_route("/previews/{repo:path}/{number}", board.preview, methods=["GET"])
    router.add_api_route("/previews/{repo:path}/{number}/commands", board.command, methods=["POST"])
    if conversations is not None:
        threads = Threads(desk, conversations, pages, clock)
        router.add_api_route("/pulls/{repo:path}/{number}", threads.pull, methods=["GET"])
        router.add_api_route("/pulls/{repo:path}/{number}/comments", threads.comment, methods=["POST"])
    return router


class Board:
    """The pages about previews."""

    def __init__(self, desk: Desk, policy: Policy, pages: Pages, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._policy = policy
        self._pages = pages
        self._clock = clock

    async def previews(self, request: Request, q: str = "") -> Response:
        cards, alarm, forge = await asyncio.gather(
            look(self._desk.cards()), look(self._desk.alarm()), look(self._desk.forge())
        )
        values = {
            "cards": cards,
            "alarm": alarm,
            "forge": forge,
            "query": q[:200].strip(),
            "places": self._policy.previews.max_alive,
        }
        return self._pages.show(request, "previews.html", values, now=self._clock(), status=_status(cards))

    async def preview(self, request: Request, repo: str, number: Number, service: str = "") -> Response:
        key, now = PreviewKey(repo, number), self._clock()
        card, timeline, runs = await asyncio.gather(
            look(self._desk.card(key)),
            look(self._desk.timeline(key, 100)),
            asyncio.gather(*(look(self._desk.runs(key, suite)) for suite in SUITES)),
        )
        if card.missing:
            return no_page(self._pages, request, card.problem, now)
        chosen = _choose_service(card.value, service)
        log = await look(self._tail(key, chosen)) if chosen else Part([])
        values = {
            "key": key,
            "card": card,
            "timeline": timeline,
            "history": _history(runs, now),
            "chosen": chosen,
            "log": log,
        }
        return self._pages.show(request, "preview.html", values, now=now, status=_status(card))

    async def command(
        self,
        repo: str,
        number: Number,
        command: FormText = "",
        argument: FormText = "",
        because: FormText = "",
        actor: FormText = "",
    ) -> Response:
        key, name = PreviewKey(repo, number), clean_name(actor)
        words = [command, argument if command == "extend" else "", because]
        text = cut(" ".join(" ".join(words).split()), MAX_COMMAND)
        return see_other(preview_page(key), name, await attempt(self._desk.command(key, text, name)))

    async def approve(self, actor: FormText = "") -> Response:
        name = clean_name(actor)
        return see_other("/", name, await attempt(self._approve(name)))

    async def static(self, request: Request, name: str) -> Response:
        found = self._pages.asset(name)
        return found or no_page(self._pages, request, "There is no such file.", self._clock())

    async def _approve(self, name: str) -> Answer:
        count = await self._desk.approve_removals(name)
        return Answer(accepted=True, text=f"{count} removal{'' if count == 1 else 's'} may go on.")

    async def _tail(self, key: PreviewKey, service: str) -> list[str]:
        async with closing(self._desk.logs(key, service, TAIL, follow=False)) as lines:
            return [cut(plain(line), MAX_LINE) async for line in lines][-TAIL:]


class Threads:
    """A pull request's page, where the forge is ours to show."""

    def __init__(self, desk: Desk, conversations: Conversations, pages: Pages, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._conversations = conversations
        self._pages = pages
        self._clock = clock

    async def pull(self, request: Request, repo: str, number: Number) -> Response:
        return await self._page(request, PreviewKey(repo, number))

    async def comment(
        self, request: Request, repo: str, number: Number, body: FormText = "", author: FormText = ""
    ) -> Response:
        key, name = PreviewKey(repo, number), clean_name(author)
        text = body.replace("\r\n", "\n").strip()
        if not text or len(text) > MAX_COMMENT:
            problem = "Write something first." if not text else f"A comment has at most {MAX_COMMENT:,} characters."
            return await self._page(request, key, draft=text, problem=problem, status=422)
        written = await look(self._conversations.comment(key, name, text))
        if written.value is None:
            problem = f"The comment was not kept: {written.problem}"
            return await self._page(request, key, draft=text, problem=problem, status=503)
        return see_other(f"{pull_page(key)}#comment-{written.value}", name)

    async def _page(
        self, request: Request, key: PreviewKey, *, draft: str = "", problem: str = "", status: int = 200
    ) -> Response:
        now = self._clock()
        card, thread = await asyncio.gather(look(self._desk.card(key)), look(self._conversations.conversation(key)))
        if thread.missing:
            return no_page(self._pages, request, thread.problem, now)
        values = {"key": key, "card": card, "thread": thread, "draft": draft, "problem_text": problem}
        return self._pages.show(request, "pull.html", values, now=now, status=max(status, _status(thread)))


def no_page(pages: Pages, request: Request, reason: str, now: datetime) -> Response:
    return pages.show(request, "problem.html", {"reason": reason}, now=now, status=404)


def _status(part: Part[Value]) -> int:
    return 503 if part.problem else 200


def _choose_service(card: Card | None, wanted: str) -> str:
    """The one whose log is shown: the one asked for, or the first; empty where nothing runs."""
    names = [service.name for service in card.preview.services] if card and card.preview else []
    return wanted if wanted in names else next(iter(names), "")


def _history(parts: list[Part[tuple[SuiteRun, ...]]], now: datetime) -> Part[tuple[views.Plot, ...]]:
    """A plot for each suite that was ever run."""
    problem = next((part.problem for part in parts if part.problem), "")
    runs = [(suite, part.value) for suite, part in zip(SUITES, parts, strict=True) if part.value]
    return Part(tuple(views.plot(suite, kept, now) for suite, kept in runs), problem)
