"""Comments and reactions over the API."""

from tests.fakes.github import render, talk
from tests.fakes.github.problems import ApiError, not_found, too_long
from tests.fakes.github.pulls import Pull
from tests.fakes.github.routes import Answer, Call, Listing, route
from tests.fakes.github.things import Comment

OF_ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
OF_REPOSITORY = "/repos/{owner}/{repo}/issues/comments"
COMMENT = OF_REPOSITORY + "/{comment_id}"
REACTIONS = COMMENT + "/reactions"
READ = ("issues:read", "pull_requests:read")
WRITE = ("issues:write", "pull_requests:write")
LONGEST = 65_536


@route("GET", OF_REPOSITORY, *READ)
def list_all_comments(call: Call) -> Listing:
    comments = _since(call, list(call.repo.comments.values()))
    if call.query.get("sort") in {"created", "updated"}:
        field = f"{call.query['sort']}_at"
        comments.sort(key=lambda one: getattr(one, field), reverse=call.query.get("direction") == "desc")
    return Listing(comments, lambda one: render.comment(call.repo, one))


@route("GET", OF_ISSUE, *READ)
def list_comments(call: Call) -> Listing:
    return Listing(_since(call, call.pull("issue_number").comments), lambda one: render.comment(call.repo, one))


@route("POST", OF_ISSUE, *WRITE, who="token")
def create_comment(call: Call) -> Answer:
    pull = call.pull("issue_number")
    _unlocked(call, pull)
    made = talk.comment(pull, _body(call), call.user, call.by_app)
    where = f"{call.repo.api_url}/issues/comments/{made.id}"
    return Answer(201, render.comment(call.repo, made), {"Location": where})


@route("GET", COMMENT, *READ)
def get_comment(call: Call) -> Answer:
    return Answer(200, render.comment(call.repo, _comment(call)))


@route("PATCH", COMMENT, *WRITE, who="token")
def edit_comment(call: Call) -> Answer:
    found = _own(call)
    talk.edit(call.repo.pulls[found.number], found, _body(call), call.user)
    return Answer(200, render.comment(call.repo, found))


@route("DELETE", COMMENT, *WRITE, who="token")
def delete_comment(call: Call) -> Answer:
    found = _own(call)
    talk.delete(call.repo.pulls[found.number], found, call.user)
    return Answer(204)


@route("GET", REACTIONS, *READ)
def list_reactions(call: Call) -> Listing:
    wanted = call.query.get("content")
    found = [one for one in _comment(call).reactions if wanted in {None, one.content}]
    return Listing(found, lambda one: render.reaction(call.repo, one))


@route("POST", REACTIONS, *WRITE, who="token")
def create_reaction(call: Call) -> Answer:
    """One that is there already is answered with 200."""
    found = _comment(call)
    pull = call.repo.pulls[found.number]
    _unlocked(call, pull)
    made, new = talk.react(pull, found, call.body["content"], call.user)
    return Answer(201 if new else 200, render.reaction(call.repo, made))


def _since(call: Call, comments: list[Comment]) -> list[Comment]:
    return [one for one in comments if one.updated_at >= call.query.get("since", "")]


def _comment(call: Call) -> Comment:
    found = call.repo.comments.get(call.number("comment_id"))
    if found is None:
        raise not_found()
    return found


def _own(call: Call) -> Comment:
    """One that they may change: their own, or any with write permission. An App's permission is that."""
    found = _comment(call)
    if call.by_app is None and found.user is not call.user and not call.repo.may(call.user, "write"):
        raise ApiError(403, f"{call.user.login} may not change this comment")
    return found


def _unlocked(call: Call, pull: Pull) -> None:
    """Who may write to the repository goes on talking; an App's permission for pull requests is not that."""
    if pull.locked and (call.by_app is not None or not call.repo.may(call.user, "write")):
        raise ApiError(403, "Unable to create comment because issue is locked.")


def _body(call: Call) -> str:
    body: str = call.body["body"]
    if not body.strip():
        told = {"resource": "IssueComment", "field": "body", "code": "missing_field"}
        raise ApiError(422, "Validation Failed", told)
    if len(body) > LONGEST:
        raise too_long("IssueComment", "body", LONGEST)
    return body
