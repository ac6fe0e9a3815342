"""Everything there is at this GitHub, and how it is found."""

import itertools
from pathlib import Path

from tests.fakes.github.clock import Clock
from tests.fakes.github.events import Events
from tests.fakes.github.people import TOKEN_LIFE, App, Installation, Token, User
from tests.fakes.github.pulls import Pull
from tests.fakes.github.repositories import Repository, new_secret

API = "/api/v3"


class State:
    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.url = ""
        """Of the web pages; the API is below `/api/v3`."""
        self.front = ""
        """Root of the API as its clients see it, where something stands in front of it."""
        self.biggest_tree = 100_000
        """Entries; a longer one is cut and says so."""
        self.slow_to_associate = False
        """Whether it does not know yet which pull requests a commit is of."""
        self.users: dict[str, User] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.tell = Events(self)
        self._repositories: dict[str, Repository] = {}
        self._moved: dict[str, Repository] = {}
        self._ids = itertools.count(1001)

    @property
    def api(self) -> str:
        """Root of the API."""
        return self.front or self.url + API

    def next_id(self) -> int:
        return next(self._ids)

    def person(self, login: str, kind: str = "User") -> User:
        if login not in self.users:
            self.users[login] = User(self.next_id(), login, kind, self.clock.stamp())
        return self.users[login]

    # Repositories.

    def add(self, repo: Repository) -> None:
        self._repositories[repo.full_name.lower()] = repo

    def drop(self, repo: Repository) -> None:
        self._repositories.pop(repo.full_name.lower())
        for installation in self.installations.values():
            if repo in installation.repositories:
                installation.repositories.remove(repo)

    def rename(self, repo: Repository, full_name: str) -> None:
        self._moved[repo.full_name.lower()] = self._repositories.pop(repo.full_name.lower())
        repo.full_name = full_name
        self.add(repo)

    def repository(self, full_name: str) -> Repository | None:
        return self._repositories.get(full_name.lower())

    def renamed(self, full_name: str) -> Repository | None:
        """The one that had this name."""
        found = self._moved.get(full_name.lower())
        return None if found is None or found.deleted else found

    def repository_by_id(self, number: int) -> Repository | None:
        return next((repo for repo in self._repositories.values() if repo.id == number), None)

    def pulls_from(self, repo: Repository, branch: str) -> list[Pull]:
        """Open ones, in whatever repository."""
        targets = [target for target in (repo, repo.parent) if target is not None]
        pulls = [pull for target in targets for pull in target.pulls.values()]
        return [pull for pull in pulls if pull.open and pull.head_repo is repo and pull.branch == branch]

    # Apps.

    def installations_of(self, repo: Repository) -> list[Installation]:
        return [one for one in self.installations.values() if repo in one.repositories and not one.suspended_at]

    def new_token(
        self, installation: Installation, permissions: dict[str, str], repositories: list[Repository]
    ) -> Token:
        expires = self.clock.now() + TOKEN_LIFE
        token = Token(new_secret("ghs"), installation.app.bot, installation, permissions, repositories, expires)
        return self.keep(token)

    def keep(self, token: Token) -> Token:
        self.tokens[token.value] = token
        return token

    def token(self, value: str) -> Token | None:
        """None: it is none, it has expired, or its App is no longer installed."""
        found = self.tokens.get(value)
        if found is None or (found.expires is not None and found.expires <= self.clock.now()):
            return None
        gone = found.installation is not None and found.installation.id not in self.installations
        return None if gone else found

    def reaches(self, token: Token | None, repo: Repository) -> bool:
        """Whether a token may know that there is such a repository."""
        if not repo.private:
            return True
        if token is None:
            return False
        return repo in reachable(token) if token.is_app else repo.may(token.user, "read")


def reachable(token: Token) -> list[Repository]:
    """Those of an installation's token: what was asked for, as far as it is still installed there."""
    if token.installation is None:
        return []
    installed = token.installation.repositories
    return [repo for repo in token.repositories if repo in installed] if token.repositories else list(installed)
