"""Where a target stands: a word for machines, a line for people."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.deploys.fate import fate, runs_of
from controller.deploys.model import Decision, Rollout, RolloutState, Rules, Verb, Verdict, Wishes
from controller.deploys.state import state
from tests.deploys.examples import (
    BAD,
    GOOD,
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
from tests.examples import NOON

HELD = Wishes(held=Decision(TARGET, 1, Verb.HOLD, "ada", NOON, "sale today"))
LET_GO = replace(HELD, released=Decision(TARGET, 2, Verb.RELEASE, "ada", NOON, "sale is over"))
VERIFIED = a_release(7, Verdict.VERIFIED)
NOT_MADE = a_release(7, Verdict.REJECTED, live_at=None, why="it could not be made: build web")


def rolled_out_elsewhere():
    case = a_case()
    return replace(case, seen=replace(case.seen, rollout=Rollout(6, RolloutState.COMPLETE)))


@pytest.mark.parametrize(
    ("case", "told"),
    [
        pytest.param(a_case(VERIFIED, live=0, releases=()), "empty | nothing was deployed yet", id="nothing yet"),
        pytest.param(
            a_case(VERIFIED, live=0, releases=(), head=a_draft("line 3")),
            "empty | nothing is deployed · fee1bad cannot be deployed: line 3",
            id="nothing, and why",
        ),
        pytest.param(
            a_case(NOT_MADE, live=0),
            "empty | nothing is deployed · #7 (abc1234) was rejected: it could not be made: build web",
            id="nothing could be made",
        ),
        pytest.param(a_case(GOOD, a_release(7, live_at=None), live=6), "deploying | #7 (abc1234) is made", id="made"),
        pytest.param(
            a_case(rollout=RolloutState.PROGRESSING), "deploying | #7 (abc1234) is rolled out", id="rolled out"
        ),
        pytest.param(a_case(rollout=None), "deploying | #7 (abc1234) is rolled out", id="not yet seen"),
        pytest.param(
            a_case(rollout=RolloutState.FAILED), "deploying | #7 (abc1234) is rolled out", id="about to be rolled back"
        ),
        pytest.param(a_case(), "checking | #7 (abc1234) is checked", id="checked"),
        pytest.param(
            a_case(jobs=(a_job("failed"),)),
            "checking | #7 (abc1234) is checked, and failed once: smoke failed: home page",
            id="failed once",
        ),
        pytest.param(
            a_case(jobs=(a_job("failed"), a_job("failed", 2)), rules=Rules(failures=3)),
            "checking | #7 (abc1234) is checked, and failed 2 times: smoke failed: home page",
            id="failed twice",
        ),
        pytest.param(
            a_case(jobs=(a_job("broken"), a_job("broken", 2))), "checking | #7 (abc1234) is checked", id="broken twice"
        ),
        pytest.param(
            a_case(jobs=(a_job("broken"), a_job("broken", 2), a_job("broken", 3))),
            "checking | #7 (abc1234) is not known to work: its checks cannot be run: smoke could not be run: home page",
            id="broken as often as the threshold",
        ),
        pytest.param(
            a_case(jobs=(a_job(),), rules=Rules(soak=timedelta(minutes=10))),
            "soaking | #7 (abc1234) soaks for 10 min",
            id="soaking",
        ),
        pytest.param(a_case(jobs=(a_job(),)), "soaking | #7 (abc1234) works", id="about to be verified"),
        pytest.param(a_case(a_release(checks=())), "soaking | #7 (abc1234) works", id="nothing to check"),
        pytest.param(a_case(GOOD, VERIFIED), "verified | #7 (abc1234) is verified", id="verified"),
        pytest.param(
            a_case(GOOD, NOT_MADE, live=6),
            "verified | #6 (def5678) is verified · #7 (abc1234) was rejected: it could not be made: build web",
            id="verified, the next one was not made",
        ),
        pytest.param(
            a_case(GOOD, VERIFIED, head=a_draft("line 3")),
            "verified | #7 (abc1234) is verified · fee1bad cannot be deployed: line 3",
            id="verified, the next one cannot be",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=a_rollback()),
            f"rolling-back | rolling back from #7 (abc1234) to #6 (def5678): {WHY}",
            id="rolling back",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored()),
            "restored | #6 (def5678) was restored: #7 (abc1234) was rolled back",
            id="restored",
        ),
        pytest.param(
            a_case(GOOD, live=6, rollback=restored()),
            "restored | #6 (def5678) was restored: #7 was rolled back",
            id="the bad one is forgotten",
        ),
        pytest.param(
            a_case(GOOD, BAD, a_release(8), live=8, rollback=restored()),
            "checking | #8 (0000008) is checked",
            id="the next one after a rollback",
        ),
        pytest.param(
            a_case(GOOD, BAD, a_release(8, Verdict.VERIFIED), live=8, rollback=restored()),
            "verified | #8 (0000008) is verified",
            id="a rollback that is over",
        ),
        pytest.param(rolled_out_elsewhere(), "deploying | #7 (abc1234) is rolled out", id="another one is rolled out"),
        pytest.param(
            a_case(GOOD, BAD, stop=a_stop("a migration is in the way")),
            "stopped | stopped: a migration is in the way",
            id="stopped",
        ),
        pytest.param(
            a_case(GOOD, BAD, stop=a_stop("do not"), wishes=HELD, rollback=a_rollback()),
            "stopped | stopped: do not",
            id="stopped comes first",
        ),
        pytest.param(
            a_case(GOOD, BAD), f"stopped | #7 (abc1234) is bad, and still there: {WHY}", id="resumed with a bad one"
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored(restored=False, outcome="#6 fails too")),
            "stopped | #6 (def5678) is back, and does not work: #6 fails too",
            id="resumed with one that was not restored",
        ),
        pytest.param(
            a_case(GOOD, VERIFIED, wishes=HELD),
            "held | #7 (abc1234) is verified · held by ada: sale today",
            id="held",
        ),
        pytest.param(a_case(GOOD, VERIFIED, wishes=LET_GO), "verified | #7 (abc1234) is verified", id="let go"),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=a_rollback(), wishes=HELD),
            f"rolling-back | rolling back from #7 (abc1234) to #6 (def5678): {WHY}",
            id="a rollback goes on though it is held",
        ),
    ],
)
def test_the_state_in_one_line(case, told):
    stands = state(case)
    assert f"{stands.word} | {stands.line}" == told


@pytest.mark.parametrize(
    ("case", "number", "told"),
    [
        pytest.param(a_case(GOOD, VERIFIED), 6, "retired | was verified, and gave way", id="an older one"),
        pytest.param(
            a_case(a_release(7, Verdict.SUPERSEDED, why="by #8 before it was judged"), a_release(8), live=8),
            7,
            "superseded | was superseded by #8 before it was judged",
            id="superseded",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=a_rollback()),
            6,
            "restoring | is rolled back to, from #7 (abc1234)",
            id="restoring",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored()),
            6,
            "verified | is verified: its checks passed",
            id="restored",
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored()),
            7,
            f"rolled-back | was rolled back to #6 (def5678): {WHY}",
            id="rolled back",
        ),
        pytest.param(
            a_case(GOOD, BAD, a_release(8), live=6, rollback=restored(bad=8)),
            7,
            f"rolled-back | was rolled back: {WHY}",
            id="rolled back long ago",
        ),
    ],
)
def test_what_became_of_a_release(case, number, told):
    became = fate(case, case.seen.record.release(number))
    assert f"{became.stage} | {became.line}" == told


def test_a_release_is_judged_by_its_own_runs_though_another_one_has_its_revision():
    earlier = replace(BAD, number=5, live_at=NOON - timedelta(hours=2), decided_at=NOON - timedelta(hours=1))
    before = a_job("failed", number=-5_400_000_000)
    own = a_job("failed")
    after = a_job("passed", number=61_000_000)
    again = replace(GOOD, commit=BAD.commit)
    case = a_case(earlier, again, BAD, live=6, jobs=(before, own, after), live_since=NOON + timedelta(minutes=1))
    assert [runs_of(case, release) for release in (earlier, again, BAD)] == [(before,), (after,), (own,)]


def test_what_was_never_live_has_no_runs():
    assert runs_of(a_case(GOOD, NOT_MADE, live=6, jobs=(a_job(),)), NOT_MADE) == ()
