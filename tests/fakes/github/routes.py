"""Which request is which operation, and what a token needs for it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.fakes.github.people import App, Token, User
from tests.fakes.github.problems import ApiError, not_found

if TYPE_CHECKING:
    from tests.fakes.github.pulls import Pull
    from tests.fakes.github.repositories import Repository
    from tests.fakes.github.state import State


@dataclass
class Call:
    """A request, understood."""

    state: "State"
    parts: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]
    token: Token | None
    app: App | None
    """Where an App came with its own JWT."""
    repository: "Repository | None" = None

    @property
    def repo(self) -> "Repository":
        if self.repository is None:
            raise not_found()
        return self.repository

    @property
    def user(self) -> User:
        if self.token is None:
            raise ApiError(401, "Requires authentication")
        return self.token.user

    @property
    def by_app(self) -> App | None:
        return self.token.installation.app if self.token and self.token.installation else None

    def number(self, name: str) -> int:
        """Of the path."""
        if not self.parts[name].isdecimal():
            raise not_found()
        return int(self.parts[name])

    def pull(self, name: str = "pull_number") -> "Pull":
        found = self.repo.pulls.get(self.number(name))
        if found is None:
            raise not_found()
        return found


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Listing:
    """A list, of which a page is answered: only that is written out. `of` names it within an object with its count."""

    items: Sequence[Any]
    write: Callable[[Any], Any]
    of: str = ""


Handler = Callable[[Call], Answer | Listing]


@dataclass(frozen=True)
class Route:
    """`needs` are an App's permissions, any of which is enough (`checks:write`); `role` is a person's.

    Who: `anyone` with or without a token, a `token`, or an `app` with its own JWT.
    """

    method: str
    template: str
    handler: Handler
    needs: tuple[str, ...]
    role: str
    who: str
    pattern: re.Pattern[str]


ALL: list[Route] = []


def route(
    method: str, template: str, *needs: str, role: str = "read", who: str = "anyone"
) -> Callable[[Handler], Handler]:
    pattern = re.compile(re.sub(r"\{\w+\}", lambda name: f"(?P<{name[0][1:-1]}>[^/]+)", template))

    def keep(handler: Handler) -> Handler:
        ALL.append(Route(method, template, handler, needs, role, who, pattern))
        return handler

    return keep


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """`path` as it was sent, percent-encoded. Raises ApiError."""
    for known in ALL:
        if known.method == method and (match := known.pattern.fullmatch(path)):
            return known, {name: unquote(text) for name, text in match.groupdict().items()}
    raise not_found()
