"""A repository: real git, who may do what there, its pull requests and everything that is said about them."""

import secrets
import subprocess
from typing import TYPE_CHECKING

from tests.fakes.github import checks
from tests.fakes.github.git import ZERO, Files, Git
from tests.fakes.github.people import User, role_at_least
from tests.fakes.github.pulls import Pull
from tests.fakes.github.things import CheckRun, CheckSuite, Comment, Deployment, Environment, Status

if TYPE_CHECKING:
    from tests.fakes.github.state import State


class Repository:
    def __init__(self, state: "State", full_name: str, owner: User, *, private: bool = False) -> None:
        self.state, self.owner, self.private = state, owner, private
        self.id = state.next_id()
        self.full_name = full_name
        self.git = Git(state.folder / f"{self.id}.git")
        self.main = "main"
        self.created_at = self.pushed_at = state.clock.stamp()
        self.roles: dict[str, str] = {owner.login: "admin"}
        self.parent: Repository | None = None
        self.deleted = False
        self.pulls: dict[int, Pull] = {}
        self.comments: dict[int, Comment] = {}
        self.check_suites: dict[int, CheckSuite] = {}
        self.check_runs: dict[int, CheckRun] = {}
        self.statuses: list[Status] = []
        self.deployments: dict[int, Deployment] = {}
        self.environments: dict[str, Environment] = {}

    @property
    def name(self) -> str:
        return self.full_name.split("/")[1]

    @property
    def url(self) -> str:
        """Its page."""
        return f"{self.state.url}/{self.full_name}"

    @property
    def api_url(self) -> str:
        return f"{self.state.url}/api/v3/repos/{self.full_name}"

    @property
    def head(self) -> str:
        """Of its main branch."""
        return self.git.resolve(f"refs/heads/{self.main}") or ZERO

    def role(self, user: User) -> str:
        return self.roles.get(user.login, "none" if self.private else "read")

    def allow(self, user: User, permission: str) -> None:
        """From now on: none, read, triage, write, maintain, admin."""
        if permission == "none":
            self.roles.pop(user.login, None)
        else:
            self.roles[user.login] = permission

    def may(self, user: User, role: str) -> bool:
        return role_at_least(self.role(user), role)

    def resolve(self, ref: str) -> str | None:
        """A branch, a tag or a sha, whole."""
        short = ref.removeprefix("refs/").removeprefix("heads/").removeprefix("tags/")
        names = [f"refs/heads/{short}", f"refs/tags/{short}", f"refs/{short}" if short.startswith("pull/") else ""]
        for name in [ref] if _is_sha(ref) else names:
            if name and (found := self.git.resolve(name)):
                return found
        return None

    def push(self, files: Files, branch: str = "main", by: User | None = None, message: str = "") -> str:
        """A commit on top of a branch (a new one begins at main); its sha."""
        before = self.git.resolve(f"refs/heads/{branch}")
        start = before or self.git.resolve(f"refs/heads/{self.main}")
        sha = self._commit(branch, files, message, by, start)
        self.moved(f"refs/heads/{branch}", before or ZERO, sha, by)
        return sha

    def force_push(self, files: Files, branch: str, by: User | None = None, message: str = "") -> str:
        """The branch begins at main again, with this one commit."""
        before = self.git.resolve(f"refs/heads/{branch}")
        sha = self._commit(branch, files, message, by, self.git.resolve(f"refs/heads/{self.main}"))
        self.moved(f"refs/heads/{branch}", before or ZERO, sha, by)
        return sha

    def delete_branch(self, branch: str, by: User | None = None) -> None:
        before = self.git.resolve(f"refs/heads/{branch}") or ZERO
        self.git.delete(f"refs/heads/{branch}")
        self.moved(f"refs/heads/{branch}", before, ZERO, by)

    def _commit(self, branch: str, files: Files, message: str, by: User | None, start: str | None) -> str:
        said = message or f"Change {', '.join(files)}"
        return self.git.commit(branch, files, said, (by or self.owner).login, [start] if start else [])

    def moved(self, ref: str, before: str, after: str, by: User | None) -> None:
        """A branch has been pushed: checks begin, pull requests follow."""
        sender = by or self.owner
        self.pushed_at = self.state.clock.stamp()
        branch = ref.removeprefix("refs/heads/")
        self.state.tell.push(self, ref, before, after, sender)
        if after != ZERO:
            checks.begin_suites(self, after, branch)
        for pull in self.state.pulls_from(self, branch):
            pull.follow(after, sender)
        for pull in [one for one in self.pulls.values() if one.open and one.base == branch and after != ZERO]:
            pull.look_at_base(after, sender)

    def open(
        self,
        branch: str,
        files: Files | None = None,
        by: User | None = None,
        *,
        title: str = "",
        body: str = "",
        draft: bool = False,
        base: str = "main",
        labels: tuple[str, ...] = (),
    ) -> Pull:
        """Opens one; of a fork, at its parent. Pushes first, unless the branch is there and no `files` are."""
        author, target = by or self.owner, self.parent or self
        if files is not None or not self.git.resolve(f"refs/heads/{branch}"):
            self.push(files or {f"{branch}.txt": f"{branch}\n"}, branch, author)
        pull = Pull(
            target, self, branch, base, author, title=title or f"Add {branch}", body=body, draft=draft, labels=labels
        )
        pull.begin()
        return pull

    def open_many(self, count: int, by: User | None = None) -> list[Pull]:
        """Pull requests `many-N`, each with a commit of its own: quick, and nobody is told."""
        author, main = by or self.owner, self.head
        files: list[Files] = [{f"many-{number}.txt": f"{number}\n"} for number in range(count)]
        refs: dict[str, str] = {}
        for number, head in enumerate(self.git.commit_all("many", files, "Add one of many", author.login, [main])):
            pull = Pull(self, self, f"many-{number}", self.main, author, title=f"Add {number}", shas=(head, main))
            self.pulls[pull.number] = pull
            refs |= {f"refs/heads/many-{number}": head, f"refs/pull/{pull.number}/head": head}
        self.git.update_all(refs)
        return list(self.pulls.values())[-count:]

    def fork(self, by: User) -> "Repository":
        fork = Repository(self.state, f"{by.login}/{self.name}", by, private=self.private)
        fork.parent = self
        fork.git.init()
        subprocess.run(
            ["git", f"--git-dir={fork.git.path}", "fetch", "--quiet", str(self.git.path), "refs/heads/*:refs/heads/*"],
            check=True,
            capture_output=True,
        )
        self.state.add(fork)
        return fork

    def delete(self) -> None:
        """Pull requests from here stay, with no head repository."""
        self.deleted = True
        self.state.drop(self)

    def rename(self, full_name: str) -> None:
        """The old name redirects."""
        self.state.rename(self, full_name)

    def number(self) -> int:
        return len(self.pulls) + 1


def _is_sha(text: str) -> bool:
    return len(text) == 40 and all(letter in "0123456789abcdef" for letter in text)


def new_secret(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(18)}"
