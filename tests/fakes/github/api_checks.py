"""Check runs, check suites and commit statuses over the API."""

from typing import Any

from tests.fakes.github import checks, render_checks
from tests.fakes.github.people import App
from tests.fakes.github.problems import ApiError, invalid, not_found, too_long
from tests.fakes.github.routes import Answer, Call, Listing, route
from tests.fakes.github.things import CheckRun, Status

RUNS = "/repos/{owner}/{repo}/check-runs"
RUN = RUNS + "/{check_run_id}"
MOST_STATUSES = 1000
LONGEST, LONGEST_CONTEXT = 140, 255
LONGEST_TITLE, BIGGEST_MESSAGE = 255, 64 * 1024
"""Of an annotation: characters, and bytes."""


@route("POST", RUNS, "checks:write", who="token")
def create_run(call: Call) -> Answer:
    sha = _commit(call, call.body["head_sha"])
    suite = checks.suite_of(call.repo, _app(call), sha)
    suite.rerequested = False
    run = CheckRun(call.state.next_id(), suite, call.body["name"], sha, call.state.clock.stamp())
    _take(call, run)
    call.repo.check_runs[run.id] = run
    call.state.tell.run(call.repo, run, "created", call.user)
    return Answer(201, render_checks.check_run(call.repo, run))


@route("PATCH", RUN, "checks:write", who="token")
def update_run(call: Call) -> Answer:
    run, app = _run(call), _app(call)
    if run.suite.app is not app:
        raise ApiError(
            403, f"Invalid app_id `{app.id}` - check run can only be modified by the GitHub App that made it."
        )
    done = run.status == "completed"
    _take(call, run)
    run.suite.rerequested = False
    if run.status == "completed" and not done:
        call.state.tell.run(call.repo, run, "completed", call.user)
    return Answer(200, render_checks.check_run(call.repo, run))


def _take(call: Call, run: CheckRun) -> None:
    """What the request says. A conclusion completes it; another status than completed takes the conclusion away."""
    body, now = call.body, call.state.clock.stamp()
    for name in ("name", "external_id", "details_url", "started_at", "actions"):
        if name in body:
            setattr(run, name, body[name])
    if "conclusion" in body:
        run.status, run.conclusion = "completed", body["conclusion"]
        run.completed_at = body.get("completed_at") or now
    elif "status" in body:
        if body["status"] == "completed":
            raise invalid("CheckRun", "conclusion", "missing_field")
        run.status, run.conclusion, run.completed_at = body["status"], None, None
    output: dict[str, Any] = body.get("output") or {}
    for one in output.get("annotations", []):
        _short(one)
    for name in ("title", "summary", "text"):
        if name in output:
            setattr(run, name, output[name])
    run.annotations += output.get("annotations", [])
    run.suite.updated_at = now


def _short(annotation: dict[str, Any]) -> None:
    if len(annotation.get("title", "")) > LONGEST_TITLE:
        raise too_long("CheckRun", "annotations.title", LONGEST_TITLE)
    if len(annotation["message"].encode()) > BIGGEST_MESSAGE:
        raise invalid("CheckRun", "annotations.message", "custom", "message exceeds a maximum bytesize of 65536")


@route("GET", RUN, "checks:read")
def get_run(call: Call) -> Answer:
    return Answer(200, render_checks.check_run(call.repo, _run(call)))


@route("GET", RUN + "/annotations", "checks:read")
def list_annotations(call: Call) -> Listing:
    run = _run(call)
    return Listing(run.annotations, lambda one: render_checks.annotation(call.repo, run, one))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", "checks:read")
def list_runs(call: Call) -> Listing:
    sha, query = _commit(call, call.parts["ref"]), call.query
    runs = [run for run in call.repo.check_runs.values() if run.head_sha == sha]
    if query.get("filter", "latest") == "latest":
        runs = checks.latest(runs)
    wanted = {"name": query.get("check_name"), "status": query.get("status")}
    runs = [run for run in runs if all(value in {None, getattr(run, name)} for name, value in wanted.items())]
    runs = [run for run in runs if query.get("app_id") in {None, str(run.suite.app.id)}]
    return Listing(runs[::-1], lambda one: render_checks.check_run(call.repo, one), of="check_runs")


@route("GET", "/repos/{owner}/{repo}/check-suites/{check_suite_id}", "checks:read")
def get_suite(call: Call) -> Answer:
    found = call.repo.check_suites.get(call.number("check_suite_id"))
    if found is None:
        raise not_found()
    return Answer(200, render_checks.suite(call.repo, found))


@route("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses:write", role="write", who="token")
def create_status(call: Call) -> Answer:
    body, sha = call.body, _commit(call, call.parts["sha"])
    context, description = body.get("context") or "default", body.get("description")
    if len(description or "") > LONGEST:
        raise too_long("Status", "description", LONGEST)
    if len(context) > LONGEST_CONTEXT:
        raise too_long("Status", "context", LONGEST_CONTEXT)
    if sum(one.sha == sha and one.context == context for one in call.repo.statuses) >= MOST_STATUSES:
        raise invalid("Status", "base", "custom", "This SHA and context has reached the maximum number of statuses.")
    about = (sha, body["state"], context, description, body.get("target_url"))
    made = Status(call.state.next_id(), *about, call.user, call.state.clock.stamp())
    checks.set_status(call.repo, made)
    return Answer(201, render_checks.status(call.repo, made))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", "statuses:read")
def list_statuses(call: Call) -> Listing:
    """Newest first."""
    sha = _commit(call, call.parts["ref"])
    found = [one for one in call.repo.statuses if one.sha == sha]
    return Listing(found[::-1], lambda one: render_checks.status(call.repo, one))


def _commit(call: Call, ref: str) -> str:
    sha = call.repo.resolve(ref)
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {ref}")
    return sha


def _run(call: Call) -> CheckRun:
    found = call.repo.check_runs.get(call.number("check_run_id"))
    if found is None:
        raise not_found()
    return found


def _app(call: Call) -> App:
    if call.by_app is None:
        raise ApiError(403, "You must authenticate via a GitHub App.")
    return call.by_app
