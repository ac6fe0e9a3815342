"""The dashboard: previews, one preview, and one pull request as a forge would show it.

Every part of a page is looked up on its own and at the same time as the others; one that does not answer says why in
its place, and the rest stands. Forms work without the script; with it, their answer is put into the page as it is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from controller.api import views
from controller.api.parts import TAIL, Part, choose, look, no_page, tail
from controller.api.rendering import Pages, Person, preview_page, pull_page, see_other
from controller.common.markdown import cut
from controller.common.nouns import PreviewKey
from controller.deploys.desk import TargetCard, TargetDesk
from controller.ports import Conversations
from controller.previews.desk import Answer, Desk
from controller.probes.desk import ProbeCard, ProbeDesk
from controller.settings import Policy
from smoke.model import SuiteRun

MAX_COMMAND = 500
MAX_COMMENT = 20_000
"""Characters a person writes at once; the forge would keep more, the guard lets no more than 64 KiB in."""
SUITES = ("smoke", "e2e")
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
FormText = Annotated[str, Form()]


async def attempt(asking: Awaitable[Answer]) -> Answer:
    """A person's wish, and what to tell them about it, whatever happens."""
    part = await look(asking)
    return part.value or Answer(accepted=False, text=f"That did not work: {part.problem}")


def create_pages(
    desk: Desk,
    conversations: Conversations | None,
    policy: Policy,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    *,
    targets: TargetDesk | None = None,
    probes: ProbeDesk | None = None,
) -> APIRouter:
    """The routes. Without `conversations` there are no pull request pages: the forge has its own. `targets` and
    `probes` are told of on the front page; their own are `create_target_pages` and `create_probe_pages`."""
    router = APIRouter(include_in_schema=False)
    pages = Pages(conversations=conversations is not None)
    board = Board(desk, Others(targets, probes), policy, pages, clock)
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


class Others:
    """What the front page tells of besides previews; nothing where there is no such desk."""

    def __init__(self, targets: TargetDesk | None, probes: ProbeDesk | None) -> None:
        self._targets = targets
        self._probes = probes

    async def targets(self) -> tuple[TargetCard, ...]:
        return await self._targets.targets() if self._targets else ()

    async def probes(self) -> tuple[ProbeCard, ...]:
        return await self._probes.probes() if self._probes else ()


class Board:
    """The pages about previews."""

    def __init__(self, desk: Desk, others: Others, policy: Policy, pages: Pages, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._others = others
        self._policy = policy
        self._pages = pages
        self._clock = clock

    async def previews(self, request: Request, q: str = "") -> Response:
        cards, alarm, forge, targets, probes = await asyncio.gather(
            look(self._desk.cards()),
            look(self._desk.alarm()),
            look(self._desk.forge()),
            look(self._others.targets()),
            look(self._others.probes()),
        )
        values = {
            "cards": cards,
            "alarm": alarm,
            "forge": forge,
            "targets": targets,
            "probes": probes,
            "query": q[:200].strip(),
            "places": self._policy.previews.max_alive,
        }
        return self._pages.show(request, "previews.html", values, now=self._clock(), status=cards.status)

    async def preview(self, request: Request, repo: str, number: Number, service: str = "") -> Response:
        key, now = PreviewKey(repo, number), self._clock()
        card, timeline, runs = await asyncio.gather(
            look(self._desk.card(key)),
            look(self._desk.timeline(key, 100)),
            asyncio.gather(*(look(self._desk.runs(key, suite)) for suite in SUITES)),
        )
        if card.missing:
            return no_page(self._pages, request, card.problem, now)
        preview = card.value.preview if card.value else None
        chosen = choose(preview.services if preview else (), service)
        log = await look(tail(self._desk.logs(key, chosen, TAIL, follow=False))) if chosen else Part([])
        values = {
            "key": key,
            "card": card,
            "timeline": timeline,
            "history": _history(runs, now),
            "chosen": chosen,
            "log": log,
        }
        return self._pages.show(request, "preview.html", values, now=now, status=card.status)

    async def command(
        self,
        repo: str,
        number: Number,
        name: Person,
        command: FormText = "",
        argument: FormText = "",
        because: FormText = "",
    ) -> Response:
        key = PreviewKey(repo, number)
        words = [command, argument if command == "extend" else "", because]
        text = cut(" ".join(" ".join(words).split()), MAX_COMMAND)
        return see_other(preview_page(key), name, await attempt(self._desk.command(key, text, name)))

    async def approve(self, name: Person) -> Response:
        return see_other("/", name, await attempt(self._approve(name)))

    async def static(self, request: Request, name: str) -> Response:
        found = self._pages.asset(name)
        return found or no_page(self._pages, request, "There is no such file.", self._clock())

    async def _approve(self, name: str) -> Answer:
        count = await self._desk.approve_removals(name)
        return Answer(accepted=True, text=f"{count} removal{'' if count == 1 else 's'} may go on.")


class Threads:
    """A pull request's page, where the forge is ours to show."""

    def __init__(self, desk: Desk, conversations: Conversations, pages: Pages, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._conversations = conversations
        self._pages = pages
        self._clock = clock

    async def pull(self, request: Request, repo: str, number: Number) -> Response:
        return await self._page(request, PreviewKey(repo, number))

    async def comment(self, request: Request, repo: str, number: Number, name: Person, body: FormText = "") -> Response:
        key = PreviewKey(repo, number)
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
        return self._pages.show(request, "pull.html", values, now=now, status=max(status, thread.status))


def _history(parts: list[Part[tuple[SuiteRun, ...]]], now: datetime) -> Part[tuple[views.Plot, ...]]:
    """A plot for each suite that was ever run."""
    problem = next((part.problem for part in parts if part.problem), "")
    runs = [(suite, part.value) for suite, part in zip(SUITES, parts, strict=True) if part.value]
    return Part(tuple(views.plot(suite, kept, now) for suite, kept in runs), problem)
