"""What every desk promises of keys and commands, known and not. A subclass gives `world`, a fixture of its own."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

import pytest

from controller.common.nouns import PreviewKey
from controller.errors import Refused, Unavailable
from controller.previews.desk import Desk

UNKNOWN = PreviewKey("shop", 99)


class World(Protocol):
    """Its previews have a service `web`."""

    desk: Desk
    ready: PreviewKey
    """A pull request with a preview."""
    gone: PreviewKey
    """One whose preview was removed."""

    def break_it(self) -> None:
        """Nothing that the desk asks can be reached."""
        ...

    async def decided(self) -> int:
        """How many decisions people took."""
        ...


async def first_line(desk: Desk, key: PreviewKey, service: str | None = None) -> str:
    async with aclosing(desk.logs(key, service, 10, follow=False)) as lines:  # type: ignore[type-var]
        return await anext(lines)


QUESTIONS = [
    pytest.param(lambda desk, key: desk.card(key), id="card"),
    pytest.param(lambda desk, key: desk.timeline(key), id="timeline"),
    pytest.param(lambda desk, key: desk.runs(key, "smoke"), id="runs"),
    pytest.param(first_line, id="logs"),
    pytest.param(lambda desk, key: desk.artifact(key, "smoke", "page.png"), id="artifact"),
    pytest.param(lambda desk, key: desk.command(key, "pin", "ada"), id="command"),
]


class DeskContract:
    @pytest.mark.parametrize("question", QUESTIONS)
    async def test_one_that_is_not_known_is_refused(
        self, world: World, question: Callable[[Desk, PreviewKey], Awaitable[object]]
    ) -> None:
        with pytest.raises(Refused, match="shop#99"):
            await question(world.desk, UNKNOWN)
        assert await world.decided() == 0

    @pytest.mark.parametrize("question", QUESTIONS)
    async def test_what_cannot_be_reached_is_unavailable(
        self, world: World, question: Callable[[Desk, PreviewKey], Awaitable[object]]
    ) -> None:
        world.break_it()
        with pytest.raises(Unavailable):
            await question(world.desk, world.ready)

    async def test_one_that_is_gone_still_has_a_card_and_no_logs(self, world: World) -> None:
        card = await world.desk.card(world.gone)
        assert (card.state, card.preview) == ("removed", None)
        assert world.gone in [card.key for card in await world.desk.cards()]
        with pytest.raises(Refused):
            await first_line(world.desk, world.gone)

    async def test_a_service_that_is_not_there_is_refused_with_those_that_are(self, world: World) -> None:
        with pytest.raises(Refused, match="`wob`; there are web"):
            await first_line(world.desk, world.ready, "wob")

    @pytest.mark.parametrize(
        "words", ["pin", "/preview pin until the demo", "PIN", "  /preview extend 2d ", "extend 2 days because", "down"]
    )
    async def test_a_command_is_a_decision(self, world: World, words: str) -> None:
        assert (await world.desk.command(world.ready, words, "ada")).accepted
        assert await world.decided() == 1

    @pytest.mark.parametrize("words", ["help", "/preview", "logs", "logs web", "logs wob"])
    async def test_a_question_is_answered_and_decides_nothing(self, world: World, words: str) -> None:
        assert (await world.desk.command(world.ready, words, "ada")).accepted
        assert await world.decided() == 0

    @pytest.mark.parametrize(
        "words", ["fly", "extend", "extend soon", "/previewpin", "approve-removal", "/preview /pin"]
    )
    async def test_what_is_no_command_is_not_taken(self, world: World, words: str) -> None:
        answer = await world.desk.command(world.ready, words, "ada")
        assert not answer.accepted
        assert answer.text
        assert await world.decided() == 0

    async def test_the_same_request_decides_once(self, world: World) -> None:
        for _ in range(2):
            assert (await world.desk.command(world.ready, "pin", "ada", origin="api:1")).accepted
        assert await world.decided() == 1

    async def test_where_no_removal_waits_none_is_approved(self, world: World) -> None:
        assert await world.desk.alarm() == ""
        assert await world.desk.approve_removals("ada") == 0
