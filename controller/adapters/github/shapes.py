"""What GitHub answers, as far as we read it. Fields that are not named here are not looked at."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, RootModel


class Seen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class User(Seen):
    login: str


class Repository(Seen):
    id: int
    full_name: str


class Head(Seen):
    """`repo` is None where a fork was deleted."""

    ref: str
    sha: str
    repo: Repository | None = None


class Base(Seen):
    ref: str
    repo: Repository


class Label(Seen):
    name: str


class Pull(Seen):
    """In a list and by number alike. A list does not say `merged`, both say when."""

    number: int
    state: str
    title: str
    html_url: str
    updated_at: datetime
    head: Head
    base: Base
    user: User | None = None
    labels: tuple[Label, ...] = ()
    draft: bool = False
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    """Of one that is merged, what its base was moved to; of an open one, a commit of no branch."""


class Signature(Seen):
    """Of a commit: as git has it."""

    date: datetime
    name: str = ""


class Written(Seen):
    message: str
    author: Signature
    committer: Signature


class Account(Seen):
    """Empty where GitHub knows the person, and tells nothing of them."""

    login: str = ""


class Commit(Seen):
    sha: str
    commit: Written
    author: Account | None = None


class Branch(Seen):
    commit: Commit


class ChangedFile(Seen):
    filename: str
    previous_filename: str | None = None


class Entry(Seen):
    """Of a tree. `size` (bytes) is said of blobs only."""

    path: str
    mode: str
    sha: str
    size: int = 0


class Tree(Seen):
    tree: tuple[Entry, ...]
    truncated: bool = False


class Blob(Seen):
    content: str
    encoding: str


class IssueComment(Seen):
    """`issue_url` ends with the number it was written on. `user` is None where the account was deleted."""

    id: int
    issue_url: str
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    user: User | None = None

    @property
    def number(self) -> int:
        return int(self.issue_url.rpartition("/")[2])

    @property
    def author(self) -> str:
        return login(self.user)


class IssueComments(RootModel[tuple[IssueComment, ...]]):
    """One page, where the others are not wanted."""


class Collaborator(Seen):
    permission: str


GHOST = "ghost"
"""Who stands for people whose account was deleted, as on GitHub's pages."""


def login(user: User | None) -> str:
    return user.login if user is not None else GHOST
