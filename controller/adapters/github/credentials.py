"""Who we are at GitHub: an App with its installations (see `app`), or somebody's token."""

from typing import Protocol

from pydantic import BaseModel

from controller.adapters.github import answers, lists
from controller.adapters.github.door import Door
from controller.adapters.github.wire import Answer, Request
from controller.errors import Refused


class Credentials(Protocol):
    """Methods raise Unavailable or Refused."""

    is_app: bool

    async def repositories(self) -> tuple[str, ...]:
        """Every one that we look after (`OWNER/NAME`). Raises where any installation could not be read whole."""
        ...

    async def token(self, repo: str) -> str:
        """One that works for some minutes at least. Raises Refused where no installation has the repository."""
        ...

    async def login(self) -> str:
        """The name that what we write stands under: `mayfly[bot]`, or the token's person."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be said: keys, and the tokens that work now."""
        ...

    def forget(self, repo: str) -> None:
        """Its token was not taken (401), or its installation changed: everything is asked for anew."""
        ...


class TokenCredentials:
    """A token and the repositories that the policy names."""

    is_app = False

    def __init__(self, door: Door, token: str, repositories: tuple[str, ...]) -> None:
        self._door = door
        self._token = token
        self._repositories = repositories
        self._named = frozenset(repo.lower() for repo in repositories)
        self._login = ""

    async def repositories(self) -> tuple[str, ...]:
        return self._repositories

    async def token(self, repo: str) -> str:
        if repo.lower() not in self._named:
            raise Refused(f"{repo} is not among `github.repositories`")
        return self._token

    async def login(self) -> str:
        if not self._login:
            answer = await ask_fine(self._door, "", Request("GET", "user", token=self._token))
            self._login = lists.one(answer, _User, "GET user").login
        return self._login

    def secrets(self) -> tuple[str, ...]:
        return (self._token,)

    def forget(self, repo: str) -> None:
        """It is the only one there is."""

    def __repr__(self) -> str:
        return f"TokenCredentials({', '.join(self._repositories)})"


async def ask_fine(door: Door, account: str, request: Request) -> Answer:
    """Raises Refused or Unavailable for every answer but a good one."""
    answer = await door.ask(account, request)
    if not answers.is_fine(answer):
        raise answers.error(answer, f"{request.method} {request.path}", door.clock())
    return answer


class _User(BaseModel):
    login: str
