"""An App's credentials: which repositories its installations have, and a token for each installation.

Which repositories there are is asked for at most once in `fresh`; where any of it cannot be read, nothing is concluded,
and what was known still finds the token of a repository.

https://docs.github.com/en/rest/apps/apps
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from pydantic import AwareDatetime, BaseModel

from controller.adapters.github import lists
from controller.adapters.github.answers import NotAccepted, NotThere
from controller.adapters.github.credentials import ask_fine
from controller.adapters.github.door import Door
from controller.adapters.github.key import AppKey
from controller.adapters.github.limits import PAGE
from controller.adapters.github.lists import Shape
from controller.adapters.github.once import Once
from controller.adapters.github.tokens import APP, Tokens
from controller.adapters.github.wire import Request
from controller.errors import Refused

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MOST_PAGES = 200


class _App(BaseModel):
    slug: str


class _Owner(BaseModel):
    login: str


class _Installation(BaseModel):
    id: int
    account: _Owner | None = None
    suspended_at: AwareDatetime | None = None


class _Repository(BaseModel):
    full_name: str


@dataclass(frozen=True, slots=True)
class _Place:
    """`name` as GitHub writes it."""

    name: str
    installation: int


@dataclass(slots=True)
class _Listing:
    """`turn` counts how often everything was forgotten before."""

    turn: int = 0
    asked_at: datetime | None = None
    once: Once[None] = field(default_factory=Once)


class AppCredentials:
    """`only` are the repositories of the policy: every one that the App is installed on where empty."""

    is_app = True

    def __init__(self, door: Door, key: AppKey, only: Collection[str], fresh: timedelta) -> None:
        self._door = door
        self._key = key
        self._tokens = Tokens(door, key)
        self._only = {repo.lower(): repo for repo in only}
        self._fresh = fresh
        self._listing = _Listing()
        self._listed = 0
        """Turn of the listing that `_places` is from."""
        self._places: Mapping[str, _Place] = {}
        """By name in lower case, as they were listed last, however long ago."""
        self._missing: frozenset[str] = frozenset()
        self._login = ""
        self._asking_login: Once[str] = Once()

    async def repositories(self) -> tuple[str, ...]:
        await self._look()
        if self._only and not self._places:
            raise Refused(f"the App is installed on none of `github.repositories`: {', '.join(self._only.values())}")
        return tuple(sorted(place.name for place in self._places.values()))

    async def token(self, repo: str) -> str:
        place = self._places.get(repo.lower()) or await self._found(repo)
        try:
            return await self._tokens.of(place.installation)
        except NotThere:  # it was installed anew, under another number
            self.forget(repo)
            return await self._tokens.of((await self._found(repo)).installation)

    async def login(self) -> str:
        if not self._login:
            self._login = await self._asking_login.run(self._ask_login)
        return self._login

    def secrets(self) -> tuple[str, ...]:
        return (*self._key.secrets(), *self._tokens.secrets())

    def forget(self, repo: str) -> None:
        """Where nobody knows which installation it is about, all tokens are."""
        self._listing = _Listing(self._listing.turn + 1)
        if (place := self._places.get(repo.lower())) is not None:
            self._tokens.forget(place.installation)
        else:
            self._tokens.forget_all()

    def __repr__(self) -> str:
        return f"AppCredentials({self._key!r})"

    async def _ask_login(self) -> str:
        request = Request("GET", "app", token=self._word())
        app = lists.one(await ask_fine(self._door, APP, request), _App, "GET app")
        return f"{app.slug}[bot]"

    async def _found(self, repo: str) -> _Place:
        await self._look()
        if (place := self._places.get(repo.lower())) is not None:
            return place
        if self._only and repo.lower() not in self._only:
            raise Refused(f"{repo} is not among `github.repositories`")
        raise Refused(f"the App is not installed on {repo}, or its installation is suspended")

    async def _look(self) -> None:
        listing = self._listing
        if listing.asked_at is None or self._door.clock() - listing.asked_at >= self._fresh:
            await listing.once.run(lambda: self._list(listing))

    async def _list(self, listing: _Listing) -> None:
        asked_at = self._door.clock()
        found: dict[str, _Place] = {}
        for installation in await self._pages(APP, "app/installations", self._word, _Installation, ""):
            if installation.suspended_at is None:
                found |= await self._repositories(installation)
        listing.asked_at = asked_at
        if listing.turn >= self._listed:  # what was forgotten meanwhile is listed anew, maybe already
            self._listed = listing.turn
            self._places = {name: place for name, place in found.items() if not self._only or name in self._only}
            self._tell_missing(frozenset(self._only) - frozenset(found))

    async def _repositories(self, installation: _Installation) -> dict[str, _Place]:
        try:
            return await self._repositories_of(installation)
        except NotAccepted:  # its token was revoked
            self._tokens.forget(installation.id)
            return await self._repositories_of(installation)

    async def _repositories_of(self, installation: _Installation) -> dict[str, _Place]:
        token = await self._tokens.of(installation.id)
        account = installation.account.login.lower() if installation.account else APP
        listed = await self._pages(account, "installation/repositories", lambda: token, _Repository, "repositories")
        return {repo.full_name.lower(): _Place(repo.full_name, installation.id) for repo in listed}

    async def _pages(
        self, account: str, path: str, token: Callable[[], str], shape: type[Shape], of: str
    ) -> list[Shape]:
        """All of them, or raises."""
        found: list[Shape] = []
        query: lists.Query = (("per_page", str(PAGE)),)
        for _ in range(MOST_PAGES):
            answer = await ask_fine(self._door, account, Request("GET", path, query, token()))
            found += lists.items(answer, shape, of, f"GET {path}")
            following = lists.next_page(answer, self._door.api, path)
            if following is None:
                return found
            query = following
        raise Refused(f"GitHub's {path} has more than {MOST_PAGES} pages")

    def _word(self) -> str:
        return self._key.word(self._door.clock())

    def _tell_missing(self, missing: frozenset[str]) -> None:
        if missing - self._missing:
            names = sorted(self._only[name] for name in missing)
            log.warning("the App is not installed on some of `github.repositories`", repositories=names)
        self._missing = missing
