"""Deployments, their statuses and environments over the API.

https://docs.github.com/en/rest/deployments/deployments
"""

from tests.fakes.github import render, render_checks
from tests.fakes.github.problems import ApiError, not_found, too_long
from tests.fakes.github.routes import Answer, Call, Listing, route
from tests.fakes.github.things import Deployment, DeploymentStatus, Environment

DEPLOYMENTS = "/repos/{owner}/{repo}/deployments"
DEPLOYMENT = DEPLOYMENTS + "/{deployment_id}"
STATUSES = DEPLOYMENT + "/statuses"
ENVIRONMENT = "/repos/{owner}/{repo}/environments/{environment_name}"
LONGEST, LONGEST_NAME = 140, 255


@route("GET", DEPLOYMENTS, "deployments:read")
def list_deployments(call: Call) -> Listing:
    """Newest first."""
    found = list(call.repo.deployments.values())[::-1]
    for name in ("sha", "ref", "task", "environment"):
        wanted = call.query.get(name, "none")
        found = [one for one in found if wanted in {"none", getattr(one, name)}]
    return Listing(found, lambda one: render_checks.deployment(call.repo, one))


@route("POST", DEPLOYMENTS, "deployments:write", role="write", who="token")
def create_deployment(call: Call) -> Answer:
    body, repo, now = call.body, call.repo, call.state.clock.stamp()
    sha = repo.resolve(body["ref"])
    if sha is None:
        raise ApiError(422, f"No ref found for: {body['ref']}")
    environment = body.get("environment", "production")
    _short(body.get("description"), environment)
    if body.get("auto_merge", True) and (merged := _merge(call, body["ref"], sha)):
        return merged
    _green(call, sha, body.get("required_contexts"))
    made = Deployment(
        id=call.state.next_id(),
        sha=sha,
        ref=body["ref"],
        task=body.get("task", "deploy"),
        environment=environment,
        description=body.get("description"),
        payload=body.get("payload", {}),
        transient=body.get("transient_environment", False),
        production=body.get("production_environment", environment == "production"),
        creator=call.user,
        created_at=now,
        updated_at=now,
        app=call.by_app,
    )
    repo.deployments[made.id] = made
    repo.environments.setdefault(environment, Environment(call.state.next_id(), environment, now))
    call.state.tell.deployment(repo, made, call.user)
    return Answer(201, render_checks.deployment(repo, made))


def _short(description: str | None, environment: str) -> None:
    if len(description or "") > LONGEST:
        raise too_long("Deployment", "description", LONGEST)
    if len(environment) > LONGEST_NAME:
        raise too_long("Deployment", "environment", LONGEST_NAME)


def _merge(call: Call, ref: str, sha: str) -> Answer | None:
    """A branch that is behind the main one is brought up to date, instead of being deployed."""
    repo, main = call.repo, call.repo.head
    branch = repo.git.resolve(f"refs/heads/{ref}")
    if branch is None or ref == repo.main or repo.git.merge_base(main, sha) == main:
        return None
    tree = repo.git.merged_tree(branch, main)
    if tree is None:
        raise ApiError(409, f"Conflict merging {repo.main} into {ref}.")
    merged = repo.git.commit_tree(tree, [branch, main], f"Merge {repo.main} into {ref}", call.user.login)
    repo.git.update(f"refs/heads/{ref}", merged)
    repo.moved(f"refs/heads/{ref}", branch, merged, call.user)
    return Answer(202, {"message": f"Auto-merged {repo.main} into {ref} on deployment."})


def _green(call: Call, sha: str, required: list[str] | None) -> None:
    """Every status there is has to be a success, or those that are named; none where the list is empty."""
    found = {one.context: one.state for one in call.repo.statuses if one.sha == sha}
    for run in call.repo.check_runs.values():
        if run.head_sha == sha:
            found[run.name] = "success" if run.conclusion in {"success", "neutral", "skipped"} else "pending"
    wanted = found if required is None else required
    if any(found.get(context) != "success" for context in wanted):
        raise ApiError(409, f"Conflict: Commit status checks failed for {sha}.")


@route("DELETE", DEPLOYMENT, "deployments:write", role="write", who="token")
def delete_deployment(call: Call) -> Answer:
    found = _deployment(call)
    if found.state != "inactive" and len(call.repo.deployments) > 1:
        raise ApiError(422, "We cannot delete an active deployment unless it is the only deployment in a repository.")
    del call.repo.deployments[found.id]
    return Answer(204)


@route("GET", STATUSES, "deployments:read")
def list_statuses(call: Call) -> Listing:
    """Newest first."""
    of = _deployment(call)
    return Listing(of.statuses[::-1], lambda one: render_checks.deployment_status(call.repo, of, one))


@route("POST", STATUSES, "deployments:write", role="write", who="token")
def create_status(call: Call) -> Answer:
    of, body = _deployment(call), call.body
    if len(body.get("description", "")) > LONGEST:
        raise too_long("DeploymentStatus", "description", LONGEST)
    made = _status(call, of, body["state"])
    if made.state == "success" and body.get("auto_inactive", True):
        _retire_others(call, of)
    call.state.tell.deployment_status(call.repo, of, made, call.user)
    return Answer(201, render_checks.deployment_status(call.repo, of, made))


def _status(call: Call, of: Deployment, state: str) -> DeploymentStatus:
    body, now = call.body, call.state.clock.stamp()
    of.environment = body.get("environment") or of.environment
    made = DeploymentStatus(
        id=call.state.next_id(),
        state=state,
        description=body.get("description", ""),
        environment=of.environment,
        environment_url=body.get("environment_url", ""),
        log_url=body.get("log_url") or body.get("target_url", ""),
        creator=call.user,
        created_at=now,
        app=call.by_app,
    )
    of.statuses.append(made)
    of.updated_at = now
    return made


def _retire_others(call: Call, of: Deployment) -> None:
    """Earlier ones of the same environment, but for transient and production ones: those stay as they are."""
    for other in call.repo.deployments.values():
        same = other.environment == of.environment and other.id < of.id
        if same and other.statuses and other.state != "inactive" and not other.transient and not other.production:
            last, now = other.statuses[-1], call.state.clock.stamp()
            about = (last.description, last.environment, "", last.log_url, call.user, now, call.by_app)
            other.statuses.append(DeploymentStatus(call.state.next_id(), "inactive", *about))


def _deployment(call: Call) -> Deployment:
    found = call.repo.deployments.get(call.number("deployment_id"))
    if found is None:
        raise not_found()
    return found


@route("GET", ENVIRONMENT, "actions:read")
def get_environment(call: Call) -> Answer:
    return Answer(200, render.environment(call.repo, _environment(call)))


@route("DELETE", ENVIRONMENT, "administration:write", role="admin", who="token")
def delete_environment(call: Call) -> Answer:
    del call.repo.environments[_environment(call).name]
    return Answer(204)


def _environment(call: Call) -> Environment:
    found = call.repo.environments.get(call.parts["environment_name"])
    if found is None:
        raise not_found()
    return found
