"""The story of one pull request, from its first push to its end. Each step does something real and proves it.

push                                     what has to be seen
---------------------------------------  --------------------------------------------------------------
a good change                            the push names the URL; the shop answers; all checks; one report
a change that breaks the page            smoke fails, e2e is not run
a change that breaks the checkout        smoke passes, e2e fails
a migration for an empty database        the migration fails on the populated clone, and says why
the fix                                  all checks pass again
the branch is deleted                    no process, database, folder or namespace, not listed
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.cli.chapters import chapter_file
from controller.cli.seen import Card
from controller.cli.stage import Page, Stage, Unmet, until

BRANCH = "few-left"
WELCOME = "Things for long walks"
READY_WITHIN = 120
"""Seconds: a machine with two busy cores, and the first start of PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Step:
    """`play` returns what was seen, in a few words. Raises Unmet, or Failure."""

    title: str
    play: Callable[[], str]


def steps(stage: Stage) -> Iterator[Step]:
    """In order; each relies on those before it."""
    told = Story(stage)
    yield Step("the shop becomes a repository; `mayfly init`; `mayfly serve`", told.opens)
    yield Step("Ada pushes a branch: a pull request opens", told.pull_request)
    yield Step("its preview is ready, and it is the shop", told.preview)
    yield Step("its checks pass, and the report stands on the pull request", told.green)
    yield Step("a push breaks the page: smoke catches it", told.broken_page)
    yield Step("a push breaks the checkout: smoke passes, e2e catches it", told.broken_checkout)
    yield Step("a migration fails on populated data: the migration step catches it", told.broken_migration)
    yield Step("the fix goes green", told.fixed)
    yield Step("the branch is deleted: nothing is left", told.closes)


class Story:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._number = 0
        self._revision = ""

    def opens(self) -> str:
        self._stage.prepare()
        self._stage.start()
        return self._stage.client.url

    def pull_request(self) -> str:
        self._stage.git("switch", "--quiet", "--create", BRANCH)
        said = self._push(1)
        return url_in(said)

    def preview(self) -> str:
        def missing() -> str:
            card = self._stage.card(BRANCH)
            if card is None or not card.url:
                return "no preview yet"
            self._number = card.number
            return "" if card.state == "ready" else _about(card)

        until("the preview is ready", READY_WITHIN, missing)
        url = self._card().url
        expect_page(self._stage, url, WELCOME)
        if absent := [kind for kind, found in self._stage.left().items() if not found]:
            raise Unmet(
                "the preview has processes, a folder and a database, or a namespace", f"no {', no '.join(absent)}"
            )
        return url

    def green(self) -> str:
        card = self._settled({"smoke": "passed", "e2e": "passed"})
        self._reported(card.url, self._revision[:7])
        return f"{sum(len(run.results) for run in card.runs)} checks passed; one comment tells it"

    def broken_page(self) -> str:
        self._push(2)
        card = self._settled({"smoke": "failed"})
        if any(run.suite == "e2e" for run in card.runs):
            raise Unmet("e2e waits for smoke", _about(card))
        return self._why(card)

    def broken_checkout(self) -> str:
        self._push(3)
        card = self._settled({"smoke": "passed", "e2e": "failed"})
        expect_page(self._stage, card.url, WELCOME)
        return self._why(card)

    def broken_migration(self) -> str:
        self._push(4)
        reason = "contains null values"

        def missing() -> str:
            card = self._card()
            failed = card.revision == self._revision and card.state == "failed"
            return "" if failed and "migrate" in card.headline else _about(card)

        until("the migration fails", READY_WITHIN, missing)
        self._reported("migrate", reason, self._revision[:7])
        return self._card().headline

    def fixed(self) -> str:
        self._push(5)
        card = self._settled({"smoke": "passed", "e2e": "passed"})
        expect_page(self._stage, card.url, "few left")
        self._reported(self._revision[:7])
        return card.headline

    def closes(self) -> str:
        card = self._card()
        self._stage.git("push", "preview", "--delete", BRANCH)
        gone(self._stage, [card])
        page = self._stage.page(card.url)
        if page.status != 404:
            raise Unmet("its URL leads nowhere", _seen(page))
        self._reported("removed")
        return f"no {', no '.join(self._stage.left())} left"

    def _push(self, chapter: int) -> str:
        self._revision = self._stage.commit(chapter_file(chapter))
        return self._stage.push(BRANCH)

    def _card(self) -> Card:
        card = self._stage.card(BRANCH)
        if card is None:
            raise Unmet(f"there is a pull request of `{BRANCH}`", "none")
        return card

    def _settled(self, expected: dict[str, str]) -> Card:
        """Once the suites of this revision have these outcomes. Another outcome ends the wait."""

        def missing() -> str:
            card = self._card()
            if card.revision == self._revision and card.state == "failed":
                raise Unmet("the preview starts", _about(card))
            found = {run.suite: run.outcome for run in card.runs if run.revision == self._revision}
            wrong = [suite for suite, outcome in expected.items() if found.get(suite, outcome) != outcome]
            if wrong:
                raise Unmet(f"{_words(expected)}", _about(card))
            return "" if found.keys() >= expected.keys() else _about(card)

        until(_words(expected), READY_WITHIN, missing)
        return self._card()

    def _reported(self, *words: str) -> None:
        def missing() -> str:
            report = self._stage.report(self._number)
            return "" if report and all(word in report for word in words) else report or "no comment"

        until(f"the report on the pull request says {', '.join(words)}", 30, missing)

    def _why(self, card: Card) -> str:
        suite, check = next((run.suite, one) for run in card.runs for one in run.results if one.outcome == "failed")
        self._reported(check.name, self._revision[:7])
        return f"{suite} › {check.name}: {check.message}"


def url_in(said: str) -> str:
    """The URL of the preview, from what a push said. Raises Unmet where it says none."""
    url = next((word for word in said.split() if word.startswith("http://pr-")), "")
    if not url:
        raise Unmet("the push answers with the URL of the preview", said)
    return url


def expect_page(stage: Stage, url: str, text: str) -> None:
    def missing() -> str:
        page = stage.page(url)
        return "" if page.status == 200 and text in page.body else _seen(page)

    until(f"{url} shows “{text}”", 30, missing)


def gone(stage: Stage, cards: list[Card]) -> None:
    """Nothing of these previews is left anywhere, and of no other where these were all."""
    numbers = {card.number for card in cards}

    def missing() -> str:
        listed = [card for card in stage.cards() if card.number in numbers and card.state != "removed"]
        if listed:
            return "\n".join(_about(card) for card in listed)
        return "\n".join(f"{kind}: {', '.join(names)}" for kind, names in stage.left().items() if names)

    until("nothing of it is left", 60, missing)


def _words(expected: dict[str, str]) -> str:
    return " and ".join(f"{suite} {outcome}" for suite, outcome in expected.items())


def _seen(page: Page) -> str:
    return f"{page.status} {page.body[:400]}"


def _about(card: Card) -> str:
    lines = [f"{card.key} at {card.revision[:7]}: {card.headline or card.state}", card.reason, card.logs]
    for run in card.runs:
        lines += [f"{run.suite}: {run.error}"] if run.error else []
        for check in run.results:
            lines.append(f"{check.outcome} {run.suite} › {check.name}: {check.message}")
            lines += [attempt.details for attempt in check.attempts if attempt.outcome != "passed"]
    return "\n".join(line for line in lines if line)
