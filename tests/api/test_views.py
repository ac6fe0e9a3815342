"""What the pages say of a card."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.api import views
from controller.common.nouns import CheckJob, Phase, PreviewKey
from controller.previews.desk import Card
from controller.previews.model import Database, Verb
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from tests.fakes.desk import FAILED, READY, REMOVED, SLEEPING, STARTING, WAITING, FakeDesk
from tests.fakes.examples import NOON, a_head


def a_card(key: PreviewKey = READY) -> Card:
    return FakeDesk().world[key]


def a_run(*outcomes: Outcome, seconds: float = 1.0, revision: str = "a" * 40) -> SuiteRun:
    result = CheckResult("home", "http", tuple(Attempt(outcome, timedelta(seconds=seconds)) for outcome in outcomes))
    return SuiteRun("smoke", revision, NOON - timedelta(hours=1), timedelta(seconds=seconds), (result,))


def with_run(run: SuiteRun | None, revision: str | None = None) -> Card:
    card = a_card()
    assert card.preview is not None
    job = CheckJob("smoke", revision or a_head(READY), 0, NOON, run)
    return replace(card, preview=replace(card.preview, jobs=(job,)))


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        pytest.param(timedelta(seconds=2), "just now", id="now"),
        pytest.param(timedelta(seconds=42), "42 s ago", id="seconds"),
        pytest.param(timedelta(seconds=90), "2 min ago", id="minutes"),
        pytest.param(timedelta(minutes=59, seconds=40), "1 h ago", id="almost an hour is one"),
        pytest.param(timedelta(hours=47), "47 h ago", id="hours"),
        pytest.param(timedelta(days=3), "3 days ago", id="days"),
        pytest.param(-timedelta(days=3), "in 3 days", id="days ahead"),
        pytest.param(-timedelta(days=2, hours=23), "in 3 days", id="nearly three days ahead"),
    ],
)
def test_age_for_people(ago: timedelta, words: str) -> None:
    assert views.age(NOON - ago, NOON) == words


@pytest.mark.parametrize(
    ("card", "tone"),
    [
        pytest.param(with_run(a_run(Outcome.PASSED)), "good", id="ready and checked"),
        pytest.param(with_run(a_run(Outcome.FAILED)), "bad", id="ready, its checks failed"),
        pytest.param(with_run(a_run(Outcome.BROKEN)), "warn", id="ready, nothing is known"),
        pytest.param(with_run(a_run(Outcome.FAILED, Outcome.PASSED)), "warn", id="ready, flaky"),
        pytest.param(with_run(None), "busy", id="ready, checks run"),
        pytest.param(with_run(a_run(Outcome.FAILED), "b" * 40), "good", id="a run of another revision says nothing"),
        pytest.param(a_card(FAILED), "bad", id="failed"),
        pytest.param(a_card(STARTING), "busy", id="starting"),
        pytest.param(a_card(SLEEPING), "rest", id="sleeping"),
        pytest.param(a_card(REMOVED), "rest", id="removed"),
    ],
)
def test_tone_tells_the_worst(card: Card, tone: str) -> None:
    assert views.tone(card) == tone


@pytest.mark.parametrize(
    ("key", "verbs"),
    [
        pytest.param(READY, ["sleep", "redeploy", "reseed", "checks", "pin", "extend", "down"], id="ready"),
        pytest.param(FAILED, ["redeploy", "pin", "extend", "down"], id="failed"),
        pytest.param(SLEEPING, ["wake", "redeploy", "unpin", "extend", "down"], id="asleep and pinned"),
        pytest.param(WAITING, ["up"], id="no preview"),
        pytest.param(REMOVED, [], id="the pull request is closed"),
    ],
)
def test_only_the_commands_that_make_sense(key: PreviewKey, verbs: list[str]) -> None:
    assert list(views.verbs(a_card(key))) == verbs
    assert all(isinstance(verb, Verb) for verb in views.verbs(a_card(key)))


def test_nothing_is_asked_of_what_is_being_removed() -> None:
    card = a_card()
    assert card.preview is not None
    assert views.verbs(replace(card, preview=replace(card.preview, phase=Phase.TERMINATING))) == ()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("", True, id="no filter"),
        pytest.param("CHECKOUT ada", True, id="every word, in any case"),
        pytest.param("shop#7", True, id="the key"),
        pytest.param("checkout grace", False, id="one word is missing"),
    ],
)
def test_filter(query: str, *, found: bool) -> None:
    assert views.matches(a_card(), query) is found


@pytest.mark.parametrize(
    ("database", "words"),
    [
        pytest.param(Database("", 8_000_000, timedelta(milliseconds=40)), "Empty, made in 40 ms", id="empty"),
        pytest.param(
            Database("9c1e52aa", 104_000_000, timedelta(milliseconds=210), timedelta(seconds=4)),
            "104 MB, seeded in 4 s (seed 9c1e52a), cloned in 210 ms",
            id="seeded now",
        ),
        pytest.param(
            Database("9c1e52aa", 2_500_000_000, timedelta(seconds=2), None, timedelta(seconds=1)),
            "2.5 GB, cloned in 2 s from seed 9c1e52a, which was there already, migrated in 1 s",
            id="an earlier seed, migrated",
        ),
    ],
)
def test_database_in_words(database: Database, words: str) -> None:
    assert views.database_words(database) == words


def test_the_plot_scales_to_the_longest_and_marks_what_did_not_pass() -> None:
    runs = [
        a_run(Outcome.PASSED, seconds=4),
        a_run(Outcome.FAILED, seconds=2),
        a_run(Outcome.BROKEN, seconds=0),
        a_run(Outcome.FAILED, Outcome.PASSED),
    ]
    plot = views.plot("smoke", runs, NOON)
    assert plot.summary == "smoke: the last 4 runs: 2 passed, 1 failed, 1 broken"
    assert plot.longest == "4 s"
    assert [(bar.height, bar.tone, bar.mark) for bar in plot.bars] == [
        (48.0, "good", ""),
        (24.0, "bad", "✕"),
        (3.0, "warn", "!"),
        (12.0, "warn", "↻"),
    ]
    assert plot.bars[3].label == "passed, flaky in 1 s, 1 h ago, at aaaaaaa"


def test_a_plot_of_runs_that_took_no_time_has_bars() -> None:
    plot = views.plot("e2e", [a_run(Outcome.BROKEN, seconds=0)], NOON)
    assert plot.summary == "e2e: one run: 1 broken"
    assert [bar.height for bar in plot.bars] == [48.0]


def test_the_state_is_not_said_twice() -> None:
    assert views.headline(a_card(FAILED)) == "web exited with 1 three times in a row"
    assert views.headline(replace(a_card(), headline="asleep, a visit wakes it")) == "asleep, a visit wakes it"


def test_the_worst_cases_stand_first() -> None:
    passed, failed = (CheckResult(str(one), "case", (Attempt(one, timedelta()),)) for one in list(Outcome)[:2])
    assert views.worst_first([passed, failed]) == [failed, passed]
