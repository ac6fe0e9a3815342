"""Check suites and check runs: what belongs together, and which is the latest."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tests.fakes.github.people import App, User
from tests.fakes.github.things import CheckRun, CheckSuite, Status

if TYPE_CHECKING:
    from tests.fakes.github.repositories import Repository


def begin_suites(repo: "Repository", sha: str, branch: str | None) -> None:
    """One for every App that may check, on every push."""
    for installation in repo.state.installations_of(repo):
        if installation.permissions.get("checks") == "write" and not find_suite(repo, installation.app, sha):
            suite = _new_suite(repo, installation.app, sha, branch)
            repo.state.tell.suite(repo, suite, "requested", repo.owner)


def find_suite(repo: "Repository", app: App, sha: str) -> CheckSuite | None:
    return next((one for one in repo.check_suites.values() if one.app is app and one.head_sha == sha), None)


def suite_of(repo: "Repository", app: App, sha: str) -> CheckSuite:
    return find_suite(repo, app, sha) or _new_suite(repo, app, sha, None)


def _new_suite(repo: "Repository", app: App, sha: str, branch: str | None) -> CheckSuite:
    now = repo.state.clock.stamp()
    suite = CheckSuite(repo.state.next_id(), app, sha, branch, now, now)
    repo.check_suites[suite.id] = suite
    return suite


def report(repo: "Repository", app: App, sha: str, name: str, conclusion: str | None) -> CheckRun:
    """Another App's word about a commit: a new run, over at once where there is a conclusion."""
    now = repo.state.clock.stamp()
    run = CheckRun(repo.state.next_id(), suite_of(repo, app, sha), name, sha, now, status="in_progress")
    repo.check_runs[run.id] = run
    repo.state.tell.run(repo, run, "created", app.bot)
    if conclusion is not None:
        run.status, run.conclusion, run.completed_at = "completed", conclusion, now
        repo.state.tell.run(repo, run, "completed", app.bot)
    return run


def set_status(repo: "Repository", status: Status) -> None:
    repo.statuses.append(status)
    repo.state.tell.status(repo, status)


def latest(runs: Iterable[CheckRun]) -> list[CheckRun]:
    """The newest of each App and name."""
    return list({(run.suite.app.id, run.name): run for run in sorted(runs, key=lambda run: run.id)}.values())


def rerequest_run(repo: "Repository", run: CheckRun, by: User) -> None:
    """The run itself stays as it is: its App is asked to make a new one. Only that App is told."""
    run.suite.rerequested = True
    repo.state.tell.run(repo, run, "rerequested", by)


def rerequest_suite(repo: "Repository", suite: CheckSuite, by: User) -> None:
    suite.rerequested = True
    repo.state.tell.suite(repo, suite, "rerequested", by)


def suite_state(runs: list[CheckRun], *, rerequested: bool) -> tuple[str, str | None]:
    """Status and conclusion of a suite, from the latest runs of it."""
    if rerequested or not runs:
        return "queued", None
    if any(run.status != "completed" for run in runs):
        return "in_progress", None
    found = {run.conclusion for run in runs}
    worst = ("failure", "timed_out", "action_required", "cancelled", "success", "neutral", "skipped")
    return "completed", next((one for one in worst if one in found), "neutral")
