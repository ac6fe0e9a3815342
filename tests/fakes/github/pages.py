"""Lists in pages with their links, and ETags."""

import hashlib
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.fakes.github.routes import Answer, Listing
from tests.fakes.github.state import API, State

MOST = 100


def written(state: State, request: web.Request, said: Answer | Listing) -> Answer:
    """The page of a list that was asked for."""
    if isinstance(said, Answer):
        return said
    page, size = _number(request, "page", 1), min(MOST, _number(request, "per_page", 30))
    begin = (page - 1) * size
    items = [said.write(item) for item in said.items[begin : begin + size]]
    links = _links(state, request, page, max(1, -(-len(said.items) // size)))
    body = {"total_count": len(said.items), said.of: items} if said.of else items
    return Answer(200, body, {"Link": links} if links else {})


def _links(state: State, request: web.Request, page: int, last: int) -> str:
    """To the repository by its number, as GitHub does."""
    wanted = {"next": page + 1, "last": last} if page < last else {}
    wanted |= {"first": 1, "prev": min(page - 1, last)} if page > 1 else {}
    path = request.rel_url.raw_path.removeprefix(API)
    if path.startswith("/repos/"):
        owner, name, *rest = path.removeprefix("/repos/").split("/")
        repo = state.repository(f"{owner}/{name}")
        path = "/".join(["/repositories", str(repo.id if repo else 0), *rest])
    query = dict(request.query)
    urls = {name: f"{state.api}{path}?{urlencode(query | {'page': at})}" for name, at in wanted.items()}
    return ", ".join(f'<{url}>; rel="{name}"' for name, url in urls.items())


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return max(1, int(text)) if text.isdecimal() else default


def tag(request: web.Request, body: bytes, headers: dict[str, str]) -> str:
    """Weak, and of this token alone, as GitHub's are: an App's next one has every answer sent once more.

    https://github.com/github/docs/issues/34689
    """
    known_by = request.headers.get("Authorization", "") + headers.get("Link", "")
    return f'W/"{hashlib.sha256(body + known_by.encode()).hexdigest()}"'


def known(request: web.Request) -> set[str]:
    """The tags of what the client has already; compared weakly."""
    tags = {one.strip() for one in request.headers.get("If-None-Match", "").split(",")}
    return tags | {f"W/{one}" for one in tags if one.startswith('"')}


def ends(body: Any) -> Any:
    """A long list without its middle: what is there was written by the same hand."""
    if isinstance(body, list) and len(body) > 5:
        return body[:3] + body[-2:]
    if isinstance(body, dict):
        return {name: ends(value) if name in {"check_runs", "repositories"} else value for name, value in body.items()}
    return body
