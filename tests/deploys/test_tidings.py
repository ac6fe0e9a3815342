"""What people are told through their routes: once, and whole."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common.notices import Notice, Severity, Status
from controller.common.nouns import Commit
from controller.deploys.model import Rules, Verdict
from controller.deploys.tidings import TEXT_LIMIT, notices
from tests.deploys.examples import (
    BAD,
    GOOD,
    LINK,
    TARGET,
    WHY,
    a_case,
    a_draft,
    a_job,
    a_release,
    a_rollback,
    a_stop,
    restored,
)
from tests.examples import ABC, DEF, NOON

MINUTE = timedelta(minutes=1)
VERIFIED = a_release(7, Verdict.VERIFIED)
NOT_MADE = replace(BAD, live_at=None, why="it could not be made: build web", evidence="npm ERR!")
BROKEN = tuple(a_job("broken", number) for number in (1, 2, 3))


def told(case):
    """`WHAT | severity | status | title`, each once."""
    return [
        f"{one.id.removeprefix('target:production:')} | {one.severity} | {one.status} | {one.title}"
        for one in notices(case, LINK)
    ]


def test_a_rollback_is_told_whole():
    [notice] = notices(a_case(GOOD, BAD, live=6, rollback=a_rollback()), LINK)
    assert notice == Notice(
        id="target:production:7:rolled-back",
        at=NOON + MINUTE,
        severity=Severity.PAGE,
        status=Status.FIRING,
        about="target:production",
        title="production: #7 (abc1234) was rolled back to #6 (def5678)",
        text=f"Why: {WHY}\nBy: mayfly\nCommit: Sell hats, by ada\nsmoke › home page: status 500\nKeyError: 'hat'",
        link=LINK,
        labels={"target": TARGET, "release": "7", "revision": ABC},
    )


@pytest.mark.parametrize(
    ("case", "lines"),
    [
        pytest.param(a_case(VERIFIED, releases=(), live=0), [], id="nothing was deployed"),
        pytest.param(a_case(jobs=(a_job("failed"),)), [], id="it is checked"),
        pytest.param(a_case(jobs=BROKEN[:2]), [], id="broken less often than the threshold"),
        pytest.param(
            a_case(jobs=BROKEN),
            ["7:broken | page | firing | production: the checks of #7 (abc1234) cannot be run"],
            id="broken as often as the threshold",
        ),
        pytest.param(a_case(jobs=BROKEN, rules=Rules(broken=4)), [], id="another threshold"),
        pytest.param(
            a_case(GOOD, VERIFIED),
            ["7:verified | info | resolved | production: #7 (abc1234) is verified"],
            id="verified",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored()),
            [
                "7:rolled-back | page | firing | production: #7 (abc1234) was rolled back to #6 (def5678)",
                "7:restored | page | resolved | production: #6 (def5678) is restored",
                "6:verified | info | resolved | production: #6 (def5678) is verified",
            ],
            id="rolled back and restored; that it was verified is told already",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored(actor="ada", order=3)),
            [
                "7:rolled-back | info | firing | production: #7 (abc1234) was rolled back to #6 (def5678)",
                "7:restored | info | resolved | production: #6 (def5678) is restored",
                "6:verified | info | resolved | production: #6 (def5678) is verified",
            ],
            id="a person rolled back, and knows",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored(restored=False, outcome="no"), stop=a_stop("no")),
            [
                "7:rolled-back | page | firing | production: #7 (abc1234) was rolled back to #6 (def5678)",
                "7:not-restored | page | firing | production: #6 (def5678) was rolled back to, and does not work",
            ],
            id="not restored: that it stopped for that is the same thing",
        ),
        pytest.param(
            a_case(GOOD, BAD, stop=a_stop()),
            ["7:stopped:1772452860000000 | page | firing | production: stopped: a person has to decide"],
            id="stopped",
        ),
        pytest.param(
            a_case(GOOD, NOT_MADE, live=6),
            [
                "6:verified | info | resolved | production: #6 (def5678) is verified",
                "7:not-made | ticket | firing | production: #7 (abc1234) is not deployed",
            ],
            id="it cannot be made",
        ),
        pytest.param(
            a_case(live=0, head=a_draft("line 3")),
            [f"{a_draft().commit.revision}:problem | ticket | firing | production: fee1bad cannot be deployed"],
            id="the head cannot be deployed",
        ),
    ],
)
def test_what_is_told(case, lines):
    assert told(case) == lines


@pytest.mark.parametrize(
    ("case", "what", "text"),
    [
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored()),
            "restored",
            f"#6 works again\n#7 (abc1234) was rolled back: {WHY}",
            id="restored",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored(restored=False, outcome="no"), stop=a_stop("no")),
            "not-restored",
            'no\nNothing is deployed or rolled back until somebody says so:\n  mayfly release production --reason "…"',
            id="not restored",
        ),
        pytest.param(
            a_case(GOOD, BAD, stop=a_stop(commands=("one", "other"))),
            "stopped",
            "nothing earlier is known to be good\n"
            "Nothing is deployed or rolled back until somebody says so:\n  one\n  other\n"
            "Commit: Sell hats, by ada\nsmoke › home page: status 500\nKeyError: 'hat'",
            id="stopped",
        ),
        pytest.param(
            a_case(GOOD, BAD, stop=a_stop(commands=())),
            "stopped",
            "nothing earlier is known to be good\nNothing is deployed or rolled back until somebody says so.\n"
            "Commit: Sell hats, by ada\nsmoke › home page: status 500\nKeyError: 'hat'",
            id="stopped, and there is nothing to say",
        ),
        pytest.param(
            a_case(jobs=BROKEN),
            "broken",
            "smoke could not be run: home page\nIt is left as it is, and its checks are tried again.\n"
            "Commit: Sell hats, by ada",
            id="broken",
        ),
        pytest.param(
            a_case(GOOD, NOT_MADE, live=6),
            "not-made",
            "it could not be made: build web\nCommit: Sell hats, by ada\nnpm ERR!",
            id="not made",
        ),
        pytest.param(
            a_case(live=0, head=a_draft("line 3")), "problem", "line 3\nCommit: Sell shoes, by bob", id="a problem"
        ),
    ],
)
def test_the_text(case, what, text):
    [notice] = [one for one in notices(case, LINK) if what in one.id.split(":")]
    assert notice.text == text


def test_a_notice_is_the_same_whenever_it_is_asked_for():
    earlier = a_case(jobs=BROKEN)
    later = a_case(jobs=(*BROKEN, a_job("broken", 4)))
    assert [one.id for one in notices(earlier, LINK)] == [one.id for one in notices(later, LINK)]


def test_one_that_stops_later_for_another_reason_is_told_too():
    back = restored(restored=False, outcome="no")
    assert len(told(a_case(GOOD, BAD, live=6, rollback=back, stop=a_stop("another tool deployed #7 again")))) == 3


def test_each_stop_is_told():
    again = a_case(GOOD, BAD, stop=a_stop(at=NOON + 2 * MINUTE))
    first = a_case(GOOD, BAD, stop=a_stop())
    assert notices(first, LINK)[0].id != notices(again, LINK)[0].id


def test_what_is_restored_names_the_release_that_runs():
    restoring = notices(a_case(GOOD, BAD, live=6, rollback=restored()), LINK)[1]
    assert restoring.labels == {"target": TARGET, "release": "6", "revision": DEF}


def test_a_bad_release_that_is_forgotten_is_told_by_its_number():
    assert told(a_case(GOOD, live=6, rollback=a_rollback()))[0].endswith(
        "production: #7 was rolled back to #6 (def5678)"
    )


def test_strangers_words_stay_on_their_line_and_secrets_are_taken_out():
    commit = Commit(ABC, NOON, "hats\x1b[31m\nWhy: \u202enothing", "eve\nBy: ada")
    bad = replace(BAD, commit=commit, evidence="postgres://shop:hunter2secret@db/shop\n" + "x" * 9000)
    [notice] = notices(a_case(GOOD, bad, live=6, rollback=a_rollback()), LINK)
    assert "Commit: hats Why: nothing, by eve By: ada" in notice.text.splitlines()
    assert "hunter2secret" not in notice.text
    assert len(notice.text) <= TEXT_LIMIT
