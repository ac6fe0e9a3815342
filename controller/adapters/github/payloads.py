"""The little that is read of a webhook; everything else in it is passed over.

A value that could not be a name or a number of GitHub's is malformed: it goes into paths and queries.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints


def _no_way_up(name: str) -> str:
    if name.endswith(("/.", "/..")):
        raise ValueError("no repository has such a name")
    return name


Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}$"),
    AfterValidator(_no_way_up),
]
Number = Annotated[int, Field(ge=1, lt=2**31)]
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}(\[bot\])?$")]


class Id(BaseModel):
    id: int


class Repository(Id):
    full_name: Name


class Person(BaseModel):
    login: Login


class Numbered(BaseModel):
    number: Number


class PullRequest(BaseModel):
    repository: Repository
    pull_request: Numbered


class Issue(Numbered):
    pull_request: dict[str, object] | None = None


class Account(BaseModel):
    login: str


class Comment(BaseModel):
    user: Account | None = None
    performed_via_github_app: Id | None = None


class IssueComment(BaseModel):
    repository: Repository
    issue: Issue
    comment: Comment


class Push(BaseModel):
    repository: Repository
    ref: str


class Base(BaseModel):
    repo: Id


class Related(Numbered):
    base: Base


class Suite(BaseModel):
    app: Id | None = None
    head_sha: str = ""
    pull_requests: list[Related] = []


class Run(Suite):
    name: str = ""
    external_id: str | None = None


class CheckSuite(BaseModel):
    action: str
    repository: Repository
    sender: Person
    check_suite: Suite


class CheckRun(BaseModel):
    action: str
    repository: Repository
    sender: Person
    check_run: Run


class Status(BaseModel):
    repository: Repository
    sha: str
    context: str
    state: str


class Installation(BaseModel):
    action: str
