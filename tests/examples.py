"""Builders of nouns for tests: everything has a default, so that a test states only what differs."""

from datetime import UTC, datetime, timedelta

from controller.common.nouns import CheckJob, Phase, PreviewKey, Service, ServiceState
from controller.common.spec import Spec, parse
from controller.previews.model import Case, Decision, Preview, PullRequest, Verb
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = PreviewKey("shop", 7)
ABC = "abc1234" + "0" * 33
DEF = "def5678" + "0" * 33
SPEC = parse(
    """
services: {web: {command: "serve --port {port}", port: 8000}}
checks:
  smoke: [{name: home page, http: {path: /}}]
  e2e: [{name: checkout, http: {path: /checkout}}]
""",
    ABC,
)


def a_spec(text: str = "") -> Spec:
    return parse(f"services: {{web: {{command: serve, port: 8000}}}}\n{text}", ABC)


def a_pull(**changes):
    values = {"key": KEY, "head": ABC, "is_open": True, "pushed_at": NOON - timedelta(minutes=1)}
    return PullRequest(**(values | changes))


def a_preview(**changes):
    key = changes.get("key", KEY)
    host = f"pr-{key.number}-{key.repo}"
    values = {
        "key": key,
        "uid": f"uid-{key.number}",
        "revision": ABC,
        "phase": Phase.READY,
        "phase_since": NOON - timedelta(seconds=30),
        "created_at": NOON - timedelta(minutes=1),
        "url": f"http://{host}.localhost:8080",
        "services": (Service("web", ServiceState.HEALTHY, host),),
    }
    return Preview(**(values | changes))


def a_case(pull="default", preview=None, **changes):
    pull = a_pull() if pull == "default" else pull
    key = (pull or preview).key
    return Case(**({"key": key, "pull": pull, "preview": preview, "spec": SPEC} | changes))


def a_decision(verb=Verb.PIN, **changes):
    values = {"key": KEY, "order": 1_772_452_800_000_000, "verb": verb, "actor": "ada", "at": NOON}
    return Decision(**(values | changes))


def an_attempt(outcome=Outcome.PASSED, **changes):
    return Attempt(**({"outcome": outcome, "took": timedelta(milliseconds=23)} | changes))


def a_result(name="home page", *outcomes, **changes):
    attempts = tuple(an_attempt(outcome) for outcome in outcomes or (Outcome.PASSED,))
    return CheckResult(**({"name": name, "kind": "http", "attempts": attempts} | changes))


def a_run(suite="smoke", *results, **changes):
    values = {
        "suite": suite,
        "revision": ABC,
        "started_at": NOON,
        "took": timedelta(seconds=1.2),
        "results": results or (a_result(),),
    }
    return SuiteRun(**(values | changes))


def a_job(suite="smoke", run="passed", **changes):
    """`run` is a SuiteRun, None (still running), or `passed` or `failed`."""
    if isinstance(run, str):
        run = a_run(suite, a_result(f"{suite} check", Outcome(run)))
    return CheckJob(**({"suite": suite, "revision": ABC, "order": 0, "started_at": NOON, "run": run} | changes))


CHECKED = (a_job("smoke"), a_job("e2e"))
