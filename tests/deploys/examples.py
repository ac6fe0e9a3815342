"""Builders of a deploy's nouns for tests: everything has a default, so that a test states only what differs."""

from dataclasses import replace
from datetime import timedelta

from controller.common.nouns import CheckJob, Commit, PreviewKey
from controller.common.spec import DatabaseSpec
from controller.deploys.model import (
    Case,
    Decision,
    Deed,
    Draft,
    Making,
    MakingState,
    Probed,
    Record,
    Release,
    Rollback,
    Rollout,
    RolloutState,
    Rules,
    Seen,
    Stop,
    Verdict,
    Wishes,
)
from controller.deploys.runs import micros
from smoke.model import Outcome
from tests.examples import ABC, DEF, NOON, SPEC, a_result, a_run, an_attempt

TARGET = "production"
LINK = "http://localhost:8080/targets/production"
PULL = PreviewKey("shop", 7)


def a_commit(number=7):
    revision = {6: DEF, 7: ABC}.get(number, f"{number:07x}" + "0" * 33)
    return Commit(revision, NOON - timedelta(minutes=5), "Sell hats", "ada")


def a_release(number=7, verdict=Verdict.PENDING, **changes):
    commit = a_commit(number)
    revision = changes.pop("revision", commit.revision)
    values = {
        "number": number,
        "commit": replace(commit, revision=revision),
        "spec": SPEC,
        "checks": tuple(SPEC.checks.smoke),
        "ordered_at": NOON - timedelta(minutes=2),
        "because": f"{revision[:7]} was pushed",
        "pull": PreviewKey("shop", number),
        "verdict": verdict,
        "live_at": NOON,
        "decided_at": None if verdict is Verdict.PENDING else NOON + timedelta(minutes=1),
        "why": "" if verdict is Verdict.PENDING else "its checks passed",
    }
    return Release(**(values | changes))


def a_good(number, **changes):
    return a_release(number, Verdict.VERIFIED, **changes)


def with_rollback(release, rollback):
    spec = release.spec.model_copy(update={"database": DatabaseSpec(rollback=rollback)})
    return replace(release, spec=spec)


GOOD = a_release(6, Verdict.VERIFIED, live_at=NOON - timedelta(days=1), decided_at=NOON - timedelta(hours=23))
WHY = "its checks failed 2 times: smoke failed: home page"
BAD = a_release(7, Verdict.REJECTED, why=WHY, evidence="smoke › home page: status 500\nKeyError: 'hat'")


def a_rollback(**changes):
    values = {"bad": 7, "to": 6, "because": WHY, "actor": "mayfly", "at": NOON + timedelta(minutes=1)}
    return Rollback(**(values | changes))


def restored(**changes):
    return a_rollback(
        **{"restored": True, "ended_at": NOON + timedelta(minutes=2), "outcome": "#6 works again"} | changes
    )


def a_stop(because="nothing earlier is known to be good", **changes):
    values = {
        "because": because,
        "at": NOON + timedelta(minutes=1),
        "commands": ('mayfly release production --reason "…"',),
    }
    return Stop(**(values | changes))


def a_job(outcome="passed", number=1, **changes):
    """The run of that number since noon; `outcome` None: it goes on."""
    at = NOON + timedelta(microseconds=number)
    revision = changes.pop("revision", ABC)
    run = outcome and a_run("smoke", a_result("home page", Outcome(outcome)), revision=revision, started_at=at)
    return CheckJob(
        **(
            {"suite": "smoke", "revision": revision, "order": micros(NOON) + number, "started_at": at, "run": run}
            | changes
        )
    )


def a_case(*releases, live=7, rollout=RolloutState.COMPLETE, jobs=(), rules=None, head=None, wishes=None, **changes):
    """Of these releases; `changes` are the record's. The latest is live since noon where `live` says nothing else."""
    releases = releases or (GOOD, a_release())
    record = Record(**({"target": TARGET, "releases": releases, "live": live, "live_since": NOON} | changes))
    rolling = Rollout(live, rollout) if live and rollout else None
    seen = Seen(record, "3", rollout=rolling, jobs=jobs, url="https://shop.example.com")
    more = {"wishes": wishes} if wishes else {}
    return Case(TARGET, seen, rules or Rules(), head, **more)


def a_record(*releases, **changes):
    """The latest is live since noon."""
    live = changes.get("live", max((one.number for one in releases), default=0))
    values = {"target": TARGET, "releases": releases, "live": live, "live_since": NOON if live else None}
    return Record(**(values | changes))


def an_answer(outcome):
    return a_result(attempts=(an_attempt(outcome, message="status 500"),))


def ran(record, *outcomes):
    """Runs against what is live, one every ten seconds since it is; None still runs."""
    return tuple(
        CheckJob(
            "smoke",
            record.running.revision,
            micros(record.live_since) + number,
            at := record.live_since + timedelta(seconds=10 * number),
            outcome and a_run("smoke", an_answer(outcome), started_at=at, took=timedelta(seconds=1)),
        )
        for number, outcome in enumerate(outcomes, start=1)
    )


def case_of(
    record,
    *outcomes,
    head=0,
    rollout=RolloutState.COMPLETE,
    message="",
    made=None,
    migrated=(),
    rules=None,
    wishes=None,
    probed=None,
):
    """All releases are made, but where it says which; `head` is the number of the branch's commit, that of the newest
    release where it is not said."""
    newest = record.releases[-1].number if record.releases else 0
    known = {one.number for one in record.releases} if made is None else made
    seen = Seen(
        record,
        "1",
        makings={number: Making(MakingState.DONE) for number in known},
        rollout=Rollout(record.live, rollout, message) if record.live else None,
        jobs=ran(record, *outcomes),
        migrated=frozenset(migrated),
    )
    number = head or newest
    draft = Draft(a_commit(number), SPEC, tuple(SPEC.checks.smoke)) if number else None
    return Case(TARGET, seen, rules or Rules(), draft, wishes or Wishes(), probed or Probed())


def a_decision(verb, *, minutes=1, **changes):
    """Said so long after noon."""
    at = NOON + timedelta(minutes=minutes)
    values = {"target": TARGET, "order": micros(at), "verb": verb, "actor": "ada", "at": at, "because": "it is wrong"}
    return Decision(**(values | changes))


def a_draft(problem=""):
    return Draft(Commit("fee1bad" + "0" * 33, NOON, "Sell shoes", "bob"), None, problem=problem)


def a_deed(number=7, **changes):
    values = {
        "target": TARGET,
        "number": number,
        "revision": ABC,
        "title": "Sell hats",
        "actor": "ada",
        "committed_at": NOON - timedelta(minutes=10),
        "ordered_at": NOON - timedelta(minutes=5),
        "live_at": NOON,
        "verdict": Verdict.VERIFIED,
    }
    return Deed(**(values | changes))
