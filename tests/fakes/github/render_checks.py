"""Checks, statuses and deployments as GitHub's JSON, likewise."""

from typing import TYPE_CHECKING, Any

from tests.fakes.github import checks
from tests.fakes.github.render import Json, app, minimal_repository, node, user
from tests.fakes.github.things import CheckRun, CheckSuite, Deployment, DeploymentStatus, Status

if TYPE_CHECKING:
    from tests.fakes.github.repositories import Repository


def suite(repo: "Repository", found: CheckSuite) -> Json:
    commit = repo.git.read_commit(found.head_sha)
    who = {"name": commit.author, "email": commit.email}
    head: Json = {"id": commit.sha, "tree_id": commit.tree, "message": commit.message, "timestamp": commit.at}
    api = f"{repo.api_url}/check-suites/{found.id}"
    about: Json = {"head_commit": head | {"author": who, "committer": who}, "repository": minimal_repository(repo)}
    about |= {"latest_check_runs_count": len(_latest(repo, found)), "check_runs_url": f"{api}/check-runs"}
    return suite_brief(repo, found) | about


def suite_brief(repo: "Repository", found: CheckSuite) -> Json:
    """As it stands within a check run that a webhook tells of."""
    status, conclusion = checks.suite_state(_latest(repo, found), rerequested=found.rerequested)
    about: Json = {"id": found.id, "node_id": node("CheckSuite", found.id), "head_branch": found.head_branch}
    about |= {"head_sha": found.head_sha, "status": status, "conclusion": conclusion}
    about |= {"url": f"{repo.api_url}/check-suites/{found.id}", "before": None, "after": found.head_sha}
    about |= {"created_at": found.created_at, "updated_at": found.updated_at, "app": app(repo.state, found.app)}
    return about | {"pull_requests": _pulls(repo, found.head_sha)}


def _latest(repo: "Repository", found: CheckSuite) -> list[CheckRun]:
    return checks.latest(run for run in repo.check_runs.values() if run.suite is found)


def check_run(repo: "Repository", found: CheckRun) -> Json:
    api, page = f"{repo.api_url}/check-runs/{found.id}", f"{repo.url}/runs/{found.id}"
    about: Json = {"id": found.id, "node_id": node("CheckRun", found.id), "head_sha": found.head_sha, "url": api}
    about |= {"name": found.name, "external_id": found.external_id or "", "html_url": page}
    about |= {"details_url": found.details_url or page, "status": found.status, "conclusion": found.conclusion}
    about |= {"started_at": found.started_at, "completed_at": found.completed_at, "check_suite": {"id": found.suite.id}}
    output: Json = {"title": found.title, "summary": found.summary, "text": found.text}
    output |= {"annotations_count": len(found.annotations), "annotations_url": f"{api}/annotations"}
    about |= {"output": output, "app": app(repo.state, found.suite.app)}
    return about | {"pull_requests": _pulls(repo, found.head_sha)}


def _pulls(repo: "Repository", sha: str) -> list[Json]:
    """Open ones with that head; those of forks are left out, as GitHub does."""
    found = [pull for pull in repo.pulls.values() if pull.head == sha and pull.open and not pull.from_fork]
    brief = {"id": repo.id, "url": repo.api_url, "name": repo.name}
    return [
        {
            "id": pull.id,
            "number": pull.number,
            "url": f"{repo.api_url}/pulls/{pull.number}",
            "head": {"ref": pull.branch, "sha": pull.head, "repo": brief},
            "base": {"ref": pull.base, "sha": pull.base_sha, "repo": brief},
        }
        for pull in found
    ]


def annotation(repo: "Repository", run: CheckRun, given: dict[str, Any]) -> Json:
    optional = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    return optional | given | {"blob_href": f"{repo.url}/blob/{run.head_sha}/{given['path']}"}


def status(repo: "Repository", found: Status) -> Json:
    creator = user(repo.state.url, found.creator)
    about: Json = {"id": found.id, "node_id": node("StatusContext", found.id), "state": found.state}
    about |= {"url": f"{repo.api_url}/statuses/{found.sha}", "avatar_url": creator["avatar_url"], "creator": creator}
    about |= {"description": found.description, "target_url": found.target_url, "context": found.context}
    return about | {"created_at": found.created_at, "updated_at": found.created_at}


def status_event(repo: "Repository", found: Status) -> Json:
    """As a webhook tells of it. The commit and its branches are left out."""
    about: Json = {"id": found.id, "sha": found.sha, "name": repo.full_name, "target_url": found.target_url}
    about |= {"context": found.context, "description": found.description, "state": found.state}
    about |= {"commit": {"sha": found.sha}, "branches": []}
    return about | {"created_at": found.created_at, "updated_at": found.created_at}


def deployment(repo: "Repository", found: Deployment) -> Json:
    api = f"{repo.api_url}/deployments/{found.id}"
    about: Json = {"id": found.id, "node_id": node("Deployment", found.id), "url": api, "sha": found.sha}
    about |= {"ref": found.ref, "task": found.task, "environment": found.environment, "payload": found.payload}
    about |= {"original_environment": found.environment, "description": found.description}
    about |= {"creator": user(repo.state.url, found.creator), "statuses_url": f"{api}/statuses"}
    about |= {"repository_url": repo.api_url, "created_at": found.created_at, "updated_at": found.updated_at}
    about |= {"transient_environment": found.transient, "production_environment": found.production}
    return about | {"performed_via_github_app": app(repo.state, found.app) if found.app else None}


def deployment_status(repo: "Repository", of: Deployment, found: DeploymentStatus) -> Json:
    api = f"{repo.api_url}/deployments/{of.id}"
    about: Json = {"id": found.id, "node_id": node("DeploymentStatus", found.id), "url": f"{api}/statuses/{found.id}"}
    about |= {"state": found.state, "creator": user(repo.state.url, found.creator), "description": found.description}
    about |= {"environment": found.environment, "target_url": found.log_url, "log_url": found.log_url}
    about |= {"environment_url": found.environment_url, "deployment_url": api, "repository_url": repo.api_url}
    about |= {"created_at": found.created_at, "updated_at": found.created_at}
    return about | {"performed_via_github_app": app(repo.state, found.app) if found.app else None}
