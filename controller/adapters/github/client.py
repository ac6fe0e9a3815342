"""Asks and tells GitHub: one door, so that what is remembered, paced, repeated and redacted is so for every request.

GET is conditional: an answer is kept with its ETag, and a 304 costs nothing of the quota. Within `fresh` of the last
confirmation it is not asked for again, unless something made us doubt it. Nothing that changes something is repeated
here: whoever asked reads first what there is, and asks again in a later round.

Nothing waits long here either: where GitHub wants us to wait (a quota used up, a secondary limit, content created too
fast) Unavailable says until when, and the next round says whatever is true by then.
"""

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TypeVar, cast
from urllib.parse import unquote
from weakref import WeakValueDictionary

from pydantic import BaseModel, JsonValue

from controller.adapters.github import answers, lists, shelf
from controller.adapters.github.answers import NotThere, NotValid
from controller.adapters.github.credentials import Credentials
from controller.adapters.github.door import Door
from controller.adapters.github.limits import PAGE
from controller.adapters.github.reading import Reader
from controller.adapters.github.shelf import Key, Shelf
from controller.adapters.github.wire import Answer, Request
from controller.adapters.shared.words import redact
from controller.common.words import ForgeHealth
from controller.errors import Refused

__all__ = ["Client", "NotThere", "NotValid", "Nothing", "Query", "Shape"]

Shape = TypeVar("Shape", bound=BaseModel)
Query = str | int

SHORTEST_SECRET = 6
"""Characters: with shorter ones struck out no text would be left."""
REJECTED_FOR = timedelta(minutes=1)
"""Credentials that were not taken are not shown again for so long: GitHub locks out who insists."""
_REPO = re.compile(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")


class Nothing(BaseModel):
    """The shape of an answer of which nothing is wanted; what is no JSON was not GitHub's, and nothing was done."""


class Client:
    """Every `path` is below `/repos/OWNER/NAME/`. Methods raise Refused (NotThere and NotValid among it) or
    Unavailable, and nothing else."""

    def __init__(
        self,
        door: Door,
        credentials: Credentials,
        fresh: timedelta,
        *,
        secrets: Collection[str] = (),
        memory: Shelf | None = None,
    ) -> None:
        """`fresh` is the policy's; `secrets` are struck out of everything sent, as the credentials' own are."""
        self._door = door
        self._credentials = credentials
        self._fresh = fresh
        self._secrets = tuple(secrets)
        self._shelf = memory if memory is not None else Shelf()
        self._reader = Reader(self._page, door.api, door.clock, self._shelf)
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._rejected: dict[str, tuple[datetime, str]] = {}

    async def get(
        self, repo: str, path: str, shape: type[Shape], *, fresh: timedelta | None = None, **query: Query
    ) -> Shape:
        """One object. `fresh` is how long ago it may have been confirmed; the policy's where None."""
        key = Key(_valid(repo), _safe(path), _sorted(query), shape)
        book = await self._reader.read(key, self._fresh if fresh is None else fresh)
        return cast("Shape", book.shapes[0])

    async def pages(
        self, repo: str, path: str, shape: type[Shape], *, of: str = "", fresh: timedelta | None = None, **query: Query
    ) -> tuple[Shape, ...]:
        """A whole list, page by page, or nothing of it. `of` names the list within each page where it is not all of it
        (`check_runs`)."""
        key = Key(_valid(repo), _safe(path), _sorted({"per_page": PAGE, **query}), shape, of)
        book = await self._reader.read(key, self._fresh if fresh is None else fresh)
        return cast("tuple[Shape, ...]", book.shapes)

    async def send(
        self, method: str, repo: str, path: str, body: Mapping[str, JsonValue], shape: type[Shape], *, creates: bool
    ) -> Shape:
        """POST, PATCH, PUT or DELETE. `creates`: it counts as content (a comment, a check run, a deployment).

        Changes of one path wait for each other, and what was known of it is doubted then, whatever came of it.
        """
        place = _valid(repo), _safe(path)
        async with self._locks.setdefault(place, asyncio.Lock()):
            request = Request(method, _path(*place), body=self._written(body))
            try:
                answer = await self._ask(request, repo, creates=creates)
            finally:
                self.doubt(repo, path)
        return lists.one(answer, shape, f"{method} {repo}/{path}")

    def mind(self, repo: str) -> None:
        """Raises Unavailable where something new could not be created now: then nothing need be read for it either."""
        self._door.mind(self._account(repo))

    def doubt(self, repo: str, *paths: str) -> None:
        """What is below these paths may have changed: the next time it is asked for, whatever `fresh` says. The empty
        path is all of the repository."""
        for path in paths:
            self._shelf.doubt(repo, path)

    def health(self) -> ForgeHealth:
        return self._door.health()

    async def close(self) -> None:
        await self._reader.close()
        await self._door.close()

    async def _page(self, key: Key, query: shelf.Query, etag: str) -> Answer:
        return await self._ask(Request("GET", _path(key.repo, key.path), query, etag=etag), key.repo)

    async def _ask(self, request: Request, repo: str, *, creates: bool = False) -> Answer:
        """A token that is not taken is asked for anew, once: what a 401 answers was not done."""
        account = self._account(repo)
        self._mind_rejection(account)
        answer, token = await self._with_token(request, repo, creates=creates)
        if answer.status == 401:
            if await self._credentials.token(repo) == token:  # nobody else noticed before us
                self._credentials.forget(repo)
            answer, _ = await self._with_token(request, repo, creates=creates)
        if answers.is_fine(answer):
            return answer
        what = f"{request.method} {request.path.removeprefix('repos/')}"
        error = answers.error(answer, what, self._door.clock())
        if answer.status == 401:
            self._rejected[account] = self._door.clock() + REJECTED_FOR, error.reason
        raise error

    async def _with_token(self, request: Request, repo: str, *, creates: bool) -> tuple[Answer, str]:
        token = await self._credentials.token(repo)
        answer = await self._door.ask(self._account(repo), request.by(token), creates=creates)
        return answer, token

    def _account(self, repo: str) -> str:
        """Whose limits count: an App is installed once for each owner, and has a token there."""
        return repo.partition("/")[0].lower() if self._credentials.is_app else ""

    def _mind_rejection(self, account: str) -> None:
        until, reason = self._rejected.get(account, (None, ""))
        if until is not None and self._door.clock() < until:
            raise Refused(reason)
        self._rejected.pop(account, None)

    def _written(self, body: Mapping[str, JsonValue]) -> bytes | None:
        """The only way out for words: whatever secret is known by now is struck out of them."""
        known = {secret for secret in (*self._credentials.secrets(), *self._secrets) if len(secret) >= SHORTEST_SECRET}
        longest_first = sorted(known, key=len, reverse=True)
        return json.dumps(_redacted(dict(body), longest_first)).encode() if body else None


def _redacted(value: JsonValue, secrets: list[str]) -> JsonValue:
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, dict):
        return {name: _redacted(item, secrets) for name, item in value.items()}
    return [_redacted(item, secrets) for item in value] if isinstance(value, list) else value


def _valid(repo: str) -> str:
    if not _REPO.fullmatch(repo):
        raise Refused(f"{repo[:200]!r} is no repository: OWNER/NAME")
    return repo


def _safe(path: str) -> str:
    """Raises Refused where it would lead out of the repository: names of files and branches are a stranger's."""
    if {".", ".."} & set(unquote(path).split("/")) or "?" in path or "#" in path:
        raise Refused(f"{path[:200]!r} is no path within a repository")
    return path


def _path(repo: str, path: str) -> str:
    return f"repos/{repo}/{path}".rstrip("/")


def _sorted(query: Mapping[str, Query]) -> shelf.Query:
    return tuple(sorted((name, str(value)) for name, value in query.items()))
