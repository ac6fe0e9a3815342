"""The story of one pull request, from its first push to its end; `sequel` goes on with main.

Each step does something real and proves it.

push                                     what has to be seen
---------------------------------------  --------------------------------------------------------------
a good change                            she is told the URL; the shop answers; all checks; one report
a change that breaks the page            smoke fails, e2e is not run
a change that breaks the checkout        smoke passes, e2e fails
a migration for an empty database        the migration fails on the populated clone, and says why
the fix                                  all checks pass again
the pull request is merged               no process, database, folder or namespace, not listed

The forge shows it too, at every step: one comment, the checks of the revision, the deployment.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.cli.chapters import chapter_file
from controller.cli.proof import Unmet, until
from controller.cli.seen import Card
from controller.cli.sequel import Sequel
from controller.cli.stage import Stage

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
    yield Step("the shop becomes a repository with a forge; `mayfly serve`", told.opens)
    yield Step("Ada pushes a branch: a pull request opens", told.pull_request)
    yield Step("its preview is ready, and it is the shop", told.preview)
    yield Step("its checks pass, and the report stands on the pull request", told.green)
    yield Step("a push breaks the page: smoke catches it", told.broken_page)
    yield Step("a push breaks the checkout: smoke passes, e2e catches it", told.broken_checkout)
    yield Step("a migration fails on populated data: the migration step catches it", told.broken_migration)
    yield Step("the fix goes green", told.fixed)
    yield Step("the pull request is merged: nothing of its preview is left", told.ends)
    then = Sequel(stage, lambda: told.number)
    yield Step("main is deployed: what was merged is verified in production", then.deployed)
    yield Step("a bad change and a new configuration: smoke rolls both back", then.rolled_back)
    yield Step("a person rolls back: production goes further back", then.by_hand)
    yield Step("production fails for a moment: its probe pages once, and resolves", then.alerted)


class Story:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.number = 0
        self._revision = ""

    def opens(self) -> str:
        self._stage.prepare()
        self._stage.start()
        return self._stage.client.url

    def pull_request(self) -> str:
        self._stage.checkout.git("switch", "--quiet", "--create", BRANCH)
        self._push(1)
        return self._stage.hub.url(BRANCH)

    def preview(self) -> str:
        def missing() -> str:
            card = self._stage.card(BRANCH)
            if card is None or not card.url:
                return "no preview yet"
            return "" if card.state == "ready" else _about(card)

        until("the preview is ready", READY_WITHIN, missing)
        url = self._card().url
        self._stage.shows(url, WELCOME)
        if absent := [kind for kind, found in self._stage.left().items() if not found]:
            raise Unmet(
                "the preview has processes, a folder and a database, or a namespace", f"no {', no '.join(absent)}"
            )
        return url

    def green(self) -> str:
        card = self._settled({"smoke": "passed", "e2e": "passed"})
        self._reported(card.url, self._revision[:7])
        self._shown(smoke="success", e2e="success", deployment="success")
        return f"{sum(len(run.results) for run in card.runs)} checks passed; one comment tells it"

    def broken_page(self) -> str:
        self._push(2)
        card = self._settled({"smoke": "failed"})
        if any(run.suite == "e2e" for run in card.runs):
            raise Unmet("e2e waits for smoke", _about(card))
        why = self._why(card)
        self._shown(smoke="failure", e2e="action_required", deployment="success")
        return why

    def broken_checkout(self) -> str:
        self._push(3)
        card = self._settled({"smoke": "passed", "e2e": "failed"})
        self._stage.shows(card.url, WELCOME)
        why = self._why(card)
        self._shown(smoke="success", e2e="failure", deployment="success")
        return why

    def broken_migration(self) -> str:
        self._push(4)
        reason = "contains null values"

        def missing() -> str:
            card = self._card()
            failed = card.revision == self._revision and card.state == "failed"
            return "" if failed and "migrate" in card.headline else _about(card)

        until("the migration fails", READY_WITHIN, missing)
        self._reported("migrate", reason, self._revision[:7])
        self._shown(smoke="action_required", e2e="action_required", deployment="failure")
        return self._card().headline

    def fixed(self) -> str:
        self._push(5)
        card = self._settled({"smoke": "passed", "e2e": "passed"})
        self._stage.shows(card.url, "few left")
        self._reported(self._revision[:7])
        self._shown(smoke="success", e2e="success", deployment="success")
        return card.headline

    def ends(self) -> str:
        card = self._card()
        self._stage.hub.finish(BRANCH)
        gone(self._stage, [card])
        page = self._stage.page(card.url)
        if page.status != 404:
            raise Unmet("its URL leads nowhere", str(page))
        self._reported("removed")
        self._shown(smoke="success", e2e="success", deployment="inactive")
        return f"no {', no '.join(self._stage.left())} left"

    def _push(self, chapter: int) -> None:
        self._revision = self._stage.checkout.commit(chapter_file(chapter))
        self.number = self._stage.push(BRANCH)

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
            report = self._stage.report(self.number)
            return "" if report and all(word in report for word in words) else report or "no comment"

        until(f"the report on the pull request says {', '.join(words)}", 30, missing, self._stage.hub.pause)

    def _shown(self, *, smoke: str, e2e: str, deployment: str) -> None:
        """On the forge, of the head."""
        hub, expected = self._stage.hub, {"mayfly/smoke": smoke, "mayfly/e2e": e2e, "deployment": deployment}

        def missing() -> str:
            checks = hub.checks(self.number, self._revision)
            shown = checks | {"deployment": hub.deployment(self.number, self._revision)}
            return "" if shown == expected else _pairs(shown)

        until(f"the forge shows {_pairs(expected)}", 30, missing, hub.pause)

    def _why(self, card: Card) -> str:
        suite, check = next((run.suite, one) for run in card.runs for one in run.results if one.outcome == "failed")
        self._reported(check.name, self._revision[:7])
        return f"{suite} › {check.name}: {check.message}"


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


def _pairs(shown: dict[str, str]) -> str:
    return ", ".join(f"{name}: {state or 'none'}" for name, state in shown.items())


def _about(card: Card) -> str:
    lines = [f"{card.key} at {card.revision[:7]}: {card.headline or card.state}", card.reason, card.logs]
    for run in card.runs:
        lines += [f"{run.suite}: {run.error}"] if run.error else []
        for check in run.results:
            lines.append(f"{check.outcome} {run.suite} › {check.name}: {check.message}")
            lines += [attempt.details for attempt in check.attempts if attempt.outcome != "passed"]
    return "\n".join(line for line in lines if line)
