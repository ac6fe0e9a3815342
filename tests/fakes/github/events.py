"""What Apps are told when something happens: who is asked to hear it, and what it says."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.fakes.github import render, render_checks
from tests.fakes.github.git import ZERO
from tests.fakes.github.people import ALWAYS, App, Installation, User
from tests.fakes.github.things import CheckRun, CheckSuite, Comment, Deployment, DeploymentStatus, Status

if TYPE_CHECKING:
    from tests.fakes.github.pulls import Pull
    from tests.fakes.github.repositories import Repository
    from tests.fakes.github.state import State

Payload = dict[str, Any]
Post = Callable[[str, Payload, App | None, "Repository | None"], None]


def _nobody(event: str, payload: Payload, app: App | None, repo: "Repository | None") -> None:
    del event, payload, app, repo


class Events:
    """`post` takes the event, its payload, and the App it is for (None: whoever listens to the repository)."""

    def __init__(self, state: "State") -> None:
        self._state = state
        self.listening = False
        self.post: Post = _nobody

    def push(self, repo: "Repository", ref: str, before: str, after: str, by: User) -> None:
        def payload() -> Payload:
            commit = render.push_commit(repo, after) if after != ZERO else None
            said: Payload = {"ref": ref, "before": before, "after": after, "base_ref": None}
            said |= {
                "commits": [commit] if commit else [],
                "created": before == ZERO,
                "deleted": after == ZERO,
                "forced": False,
            }
            said |= {"head_commit": commit}
            said["pusher"] = {"name": by.login, "email": f"{by.login}@users.noreply.localhost"}
            seconds = {name: _seconds(getattr(repo, name)) for name in ("created_at", "pushed_at")}
            said["repository"] = render.repository(repo) | seconds | {"master_branch": repo.main}
            return said | {"compare": f"{repo.url}/compare/{before[:12]}...{after[:12]}"}

        self._spread("push", repo, by, payload)

    def pull(self, pull: "Pull", action: str, by: User, **more: object) -> None:
        def payload() -> Payload:
            return {"action": action, "number": pull.number, "pull_request": render.pull(pull)} | more

        self._spread("pull_request", pull.repo, by, payload)

    def comment(self, pull: "Pull", comment: Comment, action: str, by: User) -> None:
        def payload() -> Payload:
            return {"action": action, "issue": render.issue(pull), "comment": render.comment(pull.repo, comment)}

        self._spread("issue_comment", pull.repo, by, payload)

    def suite(self, repo: "Repository", suite: CheckSuite, action: str, by: User) -> None:
        """Only its own App is told."""
        payload = {"action": action, "check_suite": render_checks.suite(repo, suite)} if self.listening else {}
        self._to("check_suite", repo, by, suite.app, payload)

    def run(self, repo: "Repository", run: CheckRun, action: str, by: User, **more: object) -> None:
        """That one is made or done every App hears; that it is wanted again only its own."""
        if not self.listening:
            return
        written = render_checks.check_run(repo, run) | {"check_suite": render_checks.suite_brief(repo, run.suite)}
        payload = {"action": action, "check_run": written} | more
        if action in {"rerequested", "requested_action"}:
            self._to("check_run", repo, by, run.suite.app, payload)
        else:
            self._spread("check_run", repo, by, lambda: payload)

    def status(self, repo: "Repository", status: Status) -> None:
        self._spread("status", repo, status.creator, lambda: render_checks.status_event(repo, status))

    def deployment(self, repo: "Repository", deployment: Deployment, by: User) -> None:
        def payload() -> Payload:
            said = {"action": "created", "deployment": render_checks.deployment(repo, deployment)}
            return said | {"workflow": None, "workflow_run": None}

        self._spread("deployment", repo, by, payload)

    def deployment_status(self, repo: "Repository", of: Deployment, status: DeploymentStatus, by: User) -> None:
        def payload() -> Payload:
            said = {"action": "created", "deployment_status": render_checks.deployment_status(repo, of, status)}
            return said | {"deployment": render_checks.deployment(repo, of), "workflow": None, "workflow_run": None}

        self._spread("deployment_status", repo, by, payload)

    def installation(self, installation: Installation, action: str) -> None:
        payload = {"action": action, "repositories": [render.repo_brief(one) for one in installation.repositories]}
        self._about(installation, "installation", payload)

    def installed_at(self, installation: Installation, added: "list[Repository]", removed: "list[Repository]") -> None:
        payload: Payload = {"action": "added" if added else "removed", "requester": None}
        payload["repository_selection"] = "selected"
        payload["repositories_added"] = [render.repo_brief(repo) for repo in added]
        payload["repositories_removed"] = [render.repo_brief(repo) for repo in removed]
        self._about(installation, "installation_repositories", payload)

    def _about(self, installation: Installation, event: str, payload: Payload) -> None:
        if self.listening:
            times = dict.fromkeys(("created_at", "updated_at"), _seconds(installation.created_at))
            told = {"installation": render.installation(self._state, installation) | times}
            sender = {"sender": render.user(self._state.url, installation.account)}
            self.post(event, payload | told | sender, installation.app, None)

    def _spread(self, event: str, repo: "Repository", by: User, payload: Callable[[], Payload]) -> None:
        """To every App that is installed there and wants it, and to the repository's own webhook."""
        if not self.listening:
            return
        said = self._context(repo, by) | payload()
        self.post(event, said, None, repo)
        for installation in self._state.installations_of(repo):
            if event in installation.app.events | ALWAYS:
                self.post(event, said | _from(installation), installation.app, repo)

    def _to(self, event: str, repo: "Repository", by: User, app: App, payload: Payload) -> None:
        if not self.listening:
            return
        for installation in self._state.installations_of(repo):
            if installation.app is app and event in app.events:
                self.post(event, payload | self._context(repo, by) | _from(installation), app, repo)

    def _context(self, repo: "Repository", by: User) -> Payload:
        return {"repository": render.repository(repo), "sender": render.user(self._state.url, by)}


def _seconds(stamp: str) -> int:
    """Webhooks have some times as seconds since 1970, where the API has them in words."""
    return int(datetime.fromisoformat(stamp).timestamp())


def _from(installation: Installation) -> Payload:
    return {"installation": {"id": installation.id, "node_id": render.node("Integration", installation.id)}}
