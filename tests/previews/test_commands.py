from datetime import timedelta

import pytest

from controller.previews.commands import (
    HELP,
    Misunderstood,
    Request,
    confirm,
    fold,
    help_text,
    order_at,
    read,
    understand,
)
from controller.previews.model import Verb, Wishes
from tests.examples import NOON, a_decision


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("/preview pin", [Request(Verb.PIN)], id="a command"),
        pytest.param("  /preview PIN  ", [Request(Verb.PIN)], id="whatever its case"),
        pytest.param("/preview down we are done", [Request(Verb.DOWN, because="we are done")], id="with a reason"),
        pytest.param("/preview extend 2d", [Request(Verb.EXTEND, "2d")], id="a duration"),
        pytest.param(
            "/preview extend 2 days for the demo", [Request(Verb.EXTEND, "2 days", "for the demo")], id="in words"
        ),
        pytest.param("/preview logs web", [Request(Verb.LOGS, "web")], id="a service"),
        pytest.param("/preview", [Request(Verb.HELP)], id="alone it asks for help"),
        pytest.param(
            "Nice!\n/preview pin\n/preview checks\n", [Request(Verb.PIN), Request(Verb.CHECKS)], id="two in a text"
        ),
        pytest.param("> /preview down", [], id="a quote is not a command"),
        pytest.param("```\n/preview down\n```", [], id="nor is what stands in a fence"),
        pytest.param("try `/preview down`", [], id="nor in a sentence"),
        pytest.param("/previews down", [], id="nor another word"),
        pytest.param("", [], id="nothing"),
        pytest.param("/preview pin\n" * 50, [Request(Verb.PIN)] * 5, id="at most five"),
    ],
)
def test_what_is_read_in_a_comment(body, expected):
    assert list(read(body)) == expected


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/preview rediploy", "`/preview rediploy` is not a command. Did you mean `/preview redeploy`?"),
        ("/preview xyzzy", "`/preview xyzzy` is not a command. `/preview help` lists what there is."),
        ("/preview extend", "`/preview extend` needs to know for how long: `/preview extend 2d`."),
        ("/preview extend soon", "`/preview extend` needs to know for how long: `/preview extend 2d`."),
        ("/preview a`b<c>\x00", "``/preview a`b<c>`` is not a command. `/preview help` lists what there is."),
        ("/preview approve-removal", "`/preview approve-removal` is not a command. Did you mean"),
    ],
)
def test_what_is_not_understood_is_answered_with_the_nearest(line, answer):
    request = understand(line)
    assert isinstance(request, Misunderstood)
    assert request.text.startswith(answer.split(" Did you mean")[0])
    assert answer in request.text or "approve" in line


def test_help_lists_every_command_with_what_it_does():
    assert all(f"| `/preview {verb}` | {words} |" in help_text() for verb, words in HELP.items())
    assert set(HELP) == set(Verb) - {Verb.APPROVE_REMOVAL}


def test_every_command_has_an_answer():
    assert all(confirm(Request(verb, "2d")) for verb in set(HELP) - {Verb.LOGS})


ORDER = order_at(NOON)


@pytest.mark.parametrize(
    ("verbs", "expected"),
    [
        pytest.param([], Wishes(), id="nobody said anything"),
        pytest.param([Verb.PIN], Wishes(pinned_by="ada", last_at=NOON), id="pin"),
        pytest.param([Verb.PIN, Verb.UNPIN], Wishes(last_at=NOON), id="unpin"),
        pytest.param([Verb.DOWN], Wishes(down=True, down_by="ada", last_at=NOON), id="down"),
        pytest.param([Verb.DOWN, Verb.UP], Wishes(down_by="ada", up_order=2, last_at=NOON), id="up again"),
        pytest.param([Verb.CHECKS], Wishes(check_order=1, last_at=NOON), id="checks"),
        pytest.param([Verb.REDEPLOY], Wishes(deploy_order=1, check_order=1, up_order=1, last_at=NOON), id="redeploy"),
        pytest.param(
            [Verb.RESEED],
            Wishes(deploy_order=1, reseed_order=1, check_order=1, up_order=1, last_at=NOON),
            id="reseed",
        ),
        pytest.param([Verb.SLEEP], Wishes(rest_order=1, resting=True, last_at=NOON), id="sleep"),
        pytest.param([Verb.SLEEP, Verb.WAKE], Wishes(rest_order=2, up_order=2, last_at=NOON), id="wake"),
        pytest.param([Verb.HELP, Verb.LOGS], Wishes(), id="a question wishes nothing"),
        pytest.param([Verb.APPROVE_REMOVAL], Wishes(removal_approved=1), id="a removal approved is no activity"),
    ],
)
def test_decisions_fold_to_what_people_want_now(verbs, expected):
    assert fold(a_decision(verb, order=order) for order, verb in enumerate(verbs, 1)) == expected


def test_the_longest_extension_holds():
    two_days = a_decision(Verb.EXTEND, argument="2 days")
    one_hour = a_decision(Verb.EXTEND, argument="1h", order=ORDER + 1)
    assert fold([two_days, one_hour]).extended_until == NOON + timedelta(days=2)


def test_an_extension_that_cannot_be_read_any_more_adds_nothing():
    assert fold([a_decision(Verb.EXTEND, argument="moons")]).extended_until == NOON


def test_an_order_is_the_microsecond():
    assert order_at(NOON + timedelta(microseconds=1)) - order_at(NOON) == 1
    assert order_at(NOON) == int(NOON.timestamp()) * 1_000_000
