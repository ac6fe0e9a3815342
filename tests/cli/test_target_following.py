"""What became of what was asked of a target."""

import pytest

from controller.cli.target_following import after_redeploy, after_rollback
from controller.deploys.model import Verdict
from tests.cli.targets import a_target, some_releases
from tests.deploys.examples import BAD, GOOD, a_case, a_release, a_rollback, a_stop, restored

BEFORE = a_target(order=3)


@pytest.mark.parametrize(
    ("now", "held", "words"),
    [
        pytest.param(a_target(order=3), None, "", id="nobody took it up yet"),
        pytest.param(a_target(order=3, rollback=restored(order=3)), None, "", id="an earlier one is not this one"),
        pytest.param(a_target(order=4, rollback=a_rollback(order=4)), None, "", id="it goes on"),
        pytest.param(a_target(order=4, rollback=restored(order=4)), True, "#6 works again", id="restored"),
        pytest.param(
            a_target(order=4, rollback=restored(order=4, restored=False, outcome="#6 fails too")),
            False,
            "#6 fails too",
            id="not restored",
        ),
        pytest.param(
            a_target(
                order=4, rollback=restored(order=4, restored=False), stop=a_stop("#6 fails too", commands=("do this",))
            ),
            False,
            "Stopped: #6 fails too\nYou can say:\n  do this",
            id="not restored, and what can be said",
        ),
        pytest.param(
            a_target(order=4, stop=a_stop("a migration", commands=())), False, "Stopped: a migration", id="stopped"
        ),
        pytest.param(
            a_target(order=4, rollback=restored(order=2)),
            False,
            "It was not carried out any more: `mayfly releases production` shows what is there.",
            id="dismissed",
        ),
    ],
)
def test_a_rollback(now, held, words):
    ending = after_rollback(BEFORE, now)
    assert (ending and ending.held, ending.text if ending else "") == (held, words)


def remade(verdict, **changes):
    return a_case(GOOD, BAD, a_release(8, verdict, **changes), live=8)


@pytest.mark.parametrize(
    ("case", "record", "held", "words"),
    [
        pytest.param(a_case(), {"order": 3}, None, "", id="nobody took it up yet"),
        pytest.param(remade(Verdict.PENDING), {"order": 4}, None, "", id="it is proven"),
        pytest.param(
            remade(Verdict.VERIFIED), {"order": 4}, True, "#8 is verified: its checks passed", id="it is verified"
        ),
        pytest.param(
            remade(Verdict.REJECTED, why="it crashed", live_at=None),
            {"order": 4, "live": 6},
            False,
            "#8 is not deployed: it crashed",
            id="it is rejected",
        ),
        pytest.param(
            remade(Verdict.SUPERSEDED, why="#9 came after it"),
            {"order": 4},
            False,
            "#8 was superseded",
            id="another came after it",
        ),
        pytest.param(
            remade(Verdict.PENDING), {"order": 4, "stop": a_stop(commands=())}, False, "Stopped: ", id="it stopped"
        ),
        pytest.param(a_case(), {"order": 4}, False, "It was not carried out any more", id="dismissed"),
    ],
)
def test_a_redeploy(case, record, held, words):
    ending = after_redeploy(BEFORE, a_target(case, **record), some_releases(case))
    assert (ending and ending.held) is held
    assert (ending.text if ending else "").startswith(words)
