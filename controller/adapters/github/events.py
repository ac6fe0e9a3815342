"""What a webhook is about: which pull request to look at, what somebody pressed a button for, and nothing more.

event                                     says
----------------------------------------  ---------------------------------------------------------
pull_request, any action                  its pull request
issue_comment on a pull request           its pull request; of our own comments nothing
push to a branch, made or deleted too     any of the repository
check_run `rerequested`, of our App       its pull request, `checks SUITE`, by whom
check_suite `rerequested`, of our App     each of its pull requests, `checks`, by whom
check_run, check_suite `completed`, of
  another App, and a status that is over  each pull request that waits for it
installation, installation_repositories   any
everything else                           nothing

Who pressed is a name to ask GitHub about, not a right. https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from controller.adapters.github import payloads
from controller.common.nouns import PreviewKey
from controller.previews.commands import SUITES

HEARD = (
    "check_run",
    "check_suite",
    "installation",
    "installation_repositories",
    "issue_comment",
    "pull_request",
    "push",
    "status",
)
"""Events that are read."""
IsOurs = Callable[[str, int | None], bool]
"""Whether a login, or the App with an id, is what we are."""
Waiting = Callable[[str, str, str], tuple[PreviewKey, ...]]
"""Who waits for a check, by repository, revision and name (any, where that is empty)."""
_EXTERNAL_ID = re.compile(r"(?P<repo>[^\s:#]{1,200})#(?P<number>[0-9]{1,10}):")
"""Begins what `check_report` gives a run; only its App can write it."""


class Malformed(ValueError):
    """It is not what GitHub sends for this event."""


@dataclass(frozen=True, slots=True)
class Hint:
    """See `Delivery`. `repo` is empty where it may be any."""

    repo: str = ""
    key: PreviewKey | None = None
    asks: str = ""
    actor: str = ""


def nobody(repo: str, revision: str, name: str) -> tuple[PreviewKey, ...]:
    """Waits for anything."""
    del repo, revision, name
    return ()


def read(event: str, body: bytes, is_ours: IsOurs, waiting: Waiting = nobody) -> tuple[Hint, ...]:
    """Empty where there is nothing to do. Raises Malformed."""
    try:
        return _read(event, body, is_ours, waiting)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"{where}: {first['msg']}" if where else str(first["msg"])) from error


def _read(event: str, body: bytes, is_ours: IsOurs, waiting: Waiting) -> tuple[Hint, ...]:
    match event:
        case "pull_request":
            pull = payloads.PullRequest.model_validate_json(body)
            return (_one(pull.repository, pull.pull_request.number),)
        case "issue_comment":
            return _of_comment(payloads.IssueComment.model_validate_json(body), is_ours)
        case "push":
            push = payloads.Push.model_validate_json(body)
            return (Hint(push.repository.full_name),) if push.ref.startswith("refs/heads/") else ()
        case "check_run":
            return _of_run(payloads.CheckRun.model_validate_json(body), is_ours, waiting)
        case "check_suite":
            return _of_suite(payloads.CheckSuite.model_validate_json(body), is_ours, waiting)
        case "status":
            return _of_status(payloads.Status.model_validate_json(body), waiting)
        case "installation" | "installation_repositories":
            payloads.Installation.model_validate_json(body)
            return (Hint(),)
        case _:
            return ()


def _of_comment(said: payloads.IssueComment, is_ours: IsOurs) -> tuple[Hint, ...]:
    login = said.comment.user.login if said.comment.user else ""
    app = said.comment.performed_via_github_app
    if said.issue.pull_request is None or is_ours(login, app.id if app else None):
        return ()
    return (_one(said.repository, said.issue.number),)


def _of_run(pressed: payloads.CheckRun, is_ours: IsOurs, waiting: Waiting) -> tuple[Hint, ...]:
    run = pressed.check_run
    if pressed.action == "completed" and not _is_by_us(run, is_ours):
        return _awaited(pressed.repository, run.head_sha, run.name, waiting)
    if pressed.action != "rerequested" or not _is_by_us(run, is_ours):
        return ()
    suite = run.name.removeprefix("mayfly/")
    asks = f"checks {suite}" if suite in SUITES else ""
    related = _related(run, pressed.repository)
    named = _named(run.external_id or "", pressed.repository)
    numbers = (named,) if named and (named in related or not related) else related
    return _asked(numbers, pressed.repository, asks, pressed.sender)


def _of_suite(pressed: payloads.CheckSuite, is_ours: IsOurs, waiting: Waiting) -> tuple[Hint, ...]:
    suite = pressed.check_suite
    if pressed.action == "completed" and not _is_by_us(suite, is_ours):
        return _awaited(pressed.repository, suite.head_sha, "", waiting)
    if pressed.action != "rerequested" or not _is_by_us(suite, is_ours):
        return ()
    return _asked(_related(suite, pressed.repository), pressed.repository, "checks", pressed.sender)


def _of_status(status: payloads.Status, waiting: Waiting) -> tuple[Hint, ...]:
    if status.state == "pending":
        return ()
    return _awaited(status.repository, status.sha, status.context, waiting)


def _awaited(repository: payloads.Repository, revision: str, name: str, waiting: Waiting) -> tuple[Hint, ...]:
    return tuple(Hint(key.repo, key) for key in waiting(repository.full_name, revision, name))


def _is_by_us(suite: payloads.Suite, is_ours: IsOurs) -> bool:
    return suite.app is not None and is_ours("", suite.app.id)


def _related(suite: payloads.Suite, repository: payloads.Repository) -> tuple[int, ...]:
    """Pull requests of this very repository: the same head may be one's of another (a fork's own)."""
    return tuple(pull.number for pull in suite.pull_requests if pull.base.repo.id == repository.id)


def _named(external_id: str, repository: payloads.Repository) -> int:
    """0 where it names none of this repository. Runs of forks are related to no pull request, but are named."""
    found = _EXTERNAL_ID.match(external_id)
    if found is None or found["repo"].lower() != repository.full_name.lower():
        return 0
    number = int(found["number"])
    return number if 1 <= number < 2**31 else 0


def _asked(
    numbers: tuple[int, ...], repository: payloads.Repository, asks: str, by: payloads.Person
) -> tuple[Hint, ...]:
    return tuple(replace(_one(repository, number), asks=asks, actor=by.login if asks else "") for number in numbers)


def _one(repository: payloads.Repository, number: int) -> Hint:
    return Hint(repository.full_name, PreviewKey(repository.full_name, number))
