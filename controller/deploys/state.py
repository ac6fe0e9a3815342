"""Where a target stands, in a word and in a line. Pure. First match:

what is seen                                          word
----------------------------------------------------  -------------------------------------------------------
it is stopped, or what is live is known to be bad     stopped
a rollback that did not end                           rolling-back
a person holds it                                     held
a newer release is made                               deploying
nothing is live                                       empty
the live release is pending                           deploying, checking, soaking: as far as it has come
it was rolled back to                                 restored
else                                                  verified
"""

from dataclasses import dataclass

from controller.common.nouns import short
from controller.deploys.fate import Stage, fate, named
from controller.deploys.model import Case, Release, Verdict
from controller.deploys.runs import name_of
from controller.deploys.wishes import why_held

PENDING = {Stage.ROLLOUT: "deploying", Stage.CHECKING: "checking", Stage.UNKNOWN: "checking", Stage.SOAKING: "soaking"}


@dataclass(frozen=True, slots=True)
class State:
    """`word` is for filters and machines, `line` for people (plain text, with strangers' words in it), `icon` for the
    eye."""

    word: str
    line: str
    icon: str


def state(case: Case) -> State:
    record = case.seen.record
    if record.stop is not None:
        return State("stopped", f"stopped: {record.stop.because}", "🛑")
    if (back := record.rollback) is not None and back.restored is None:
        ways = f"from {named(record, back.bad)} to {named(record, back.to)}"
        return State("rolling-back", f"rolling back {ways}: {back.because}", "↩️")
    stands = _by_release(case)
    if held := why_held(case.wishes):
        return State("held", f"{stands.line} · {held}", "✋")
    return stands


def _by_release(case: Case) -> State:
    record = case.seen.record
    live, newest = record.running, record.releases[-1] if record.releases else None
    if newest is not None and newest.verdict is Verdict.PENDING and newest is not live:
        return State("deploying", f"{name_of(newest)} is made", "⏳")
    if live is None:
        return State("empty", _why_empty(case, newest), "💤")
    became = fate(case, live)
    if live.verdict is Verdict.PENDING:
        icon = "⚠️" if became.stage is Stage.UNKNOWN else "⏳"
        return State(PENDING[became.stage], f"{name_of(live)} {became.line}", icon)
    if became.stage is Stage.VERIFIED:
        return _good(case, live, newest)
    return State("stopped", f"{name_of(live)} {became.line}", "🛑")


def _why_empty(case: Case, newest: Release | None) -> str:
    if newest is not None and newest.verdict is Verdict.REJECTED:
        return f"nothing is deployed · {_rejected(newest)}"
    return f"nothing is deployed · {problem}" if (problem := _problem(case)) else "nothing was deployed yet"


def _good(case: Case, live: Release, newest: Release | None) -> State:
    record, back = case.seen.record, case.seen.record.rollback
    if back is not None and back.restored and back.to == live.number:
        line = f"{name_of(live)} was restored: {named(record, back.bad)} was rolled back"
        return State("restored", line, "↩️")
    if newest is not None and newest.verdict is Verdict.REJECTED:
        return State("verified", f"{name_of(live)} is verified · {_rejected(newest)}", "✅")
    problem = _problem(case)
    return State("verified", f"{name_of(live)} is verified" + (f" · {problem}" if problem else ""), "✅")


def _problem(case: Case) -> str:
    """Why the head cannot be deployed; empty where it can."""
    head = case.head
    return f"{short(head.commit.revision)} cannot be deployed: {head.problem}" if head and head.problem else ""


def _rejected(release: Release) -> str:
    return f"{name_of(release)} was rejected: {release.why}"
