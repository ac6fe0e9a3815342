"""The API over HTTP: who asks, what for, limits, faults, pages, ETags; both sides held against GitHub's description."""

import asyncio
import json
from collections import Counter
from functools import cache
from typing import Any

from aiohttp import web

from tests.fakes.github import (
    api_apps,
    api_checks,
    api_code,
    api_comments,
    api_deployments,
    api_pulls,
    broken,
    door,
    pages,
)
from tests.fakes.github.faults import Faults
from tests.fakes.github.git_http import GitHttp
from tests.fakes.github.limits import Limits, Quota
from tests.fakes.github.openapi.schema import Description
from tests.fakes.github.problems import ApiError
from tests.fakes.github.repositories import Repository
from tests.fakes.github.routes import Answer, Call, Route, find, route
from tests.fakes.github.state import API, State

MOST = 64 * 2**20
PARTS = (api_apps, api_checks, api_code, api_comments, api_deployments, api_pulls)
"""Imported for their routes."""
FREE = "/rate_limit"
KNOWN = ("'' is not a 'uri'", "head.repo: None is not of type 'object'", "].account: '")
"""Where GitHub is not as it describes itself: an address that nobody gave is empty (its own default), the head
repository of a pull request is null once the fork is deleted (its webhooks are described so), and an installation's
account is a user, not (`allOf`) a user and an enterprise in one."""


@cache
def described() -> Description:
    """One for all: it remembers what it has checked."""
    return Description()


class Server:
    def __init__(self, state: State) -> None:
        self.state, self.faults, self.limits = state, Faults(), Limits(state.clock)
        self.requests: Counter[tuple[str, str]] = Counter()
        """By method and template, those that failed included."""
        self.unchanged = 0
        """How many were answered with 304."""
        self.tokens: Counter[str] = Counter()
        """Requests by token."""
        self.problems: list[str] = []
        self.down = False
        self.under_way = 0
        """Requests that are being answered."""
        self._description = described()
        self._git = GitHttp(state)
        self._open: set[asyncio.BaseTransport] = set()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MOST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    def hang_up(self) -> None:
        for transport in list(self._open):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            self._open = {known for known in self._open if not known.is_closing()} | {transport}
        self.under_way += 1
        try:
            return await self._answer(request)
        finally:
            self.under_way -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._is_down():
            return broken.cut(request)
        path = request.rel_url.raw_path
        faults = self.faults.of(request.method, path)
        await asyncio.sleep(sum(one.seconds for one in faults if not one.after))
        fault = next((one for one in faults if one.kind != "slow"), None)
        if fault is not None and not fault.after:
            return broken.answer(request, fault, b"")
        answer = await (self._api(request, path) if path.startswith(f"{API}/") else self._git.answer(request))
        await asyncio.sleep(sum(one.seconds for one in faults if one.after))
        if self._is_down():
            return broken.cut(request)
        return answer if fault is None else broken.answer(request, fault, answer.body or b"")

    def _is_down(self) -> bool:
        return self.down

    async def _api(self, request: web.Request, path: str) -> web.Response:
        text = await request.read()
        quota: Quota | None = None
        try:
            token, app = door.who(self.state, request.headers.get("Authorization", ""))
            purse = token.purse if token else f"app {app.id}" if app else request.remote or ""
            self.tokens[token.value if token else purse] += 1
            place, found, parts, repo = self._place(request, path.removeprefix(API))
            quota = self.limits.quota(purse)
            if found.template != FREE:
                changes = request.method not in {"GET", "HEAD"}
                creates = request.method == "POST" and found.who != "app"
                self.limits.check(purse, creates=creates, points=5 if changes else 1)
            body = self._body(request, place, text)
            door.require(self.state, found, token, app, repo)
            call = Call(self.state, parts, dict(request.query), body, token, app, repo)
            answer = pages.written(self.state, request, found.handler(call) if found.template != FREE else _free(quota))
        except ApiError as error:
            place, answer = "", Answer(error.status, error.body(), error.headers)
        return self._response(request, place, answer, quota)

    def _place(self, request: web.Request, path: str) -> tuple[str, Route, dict[str, str], Repository | None]:
        """Path, route, parts of the path, repository. Raises ApiError, also where the repository has moved."""
        path = self._by_id(path)
        found, parts = find(request.method, path)
        self.requests[request.method, found.template] += 1
        if "repo" not in parts:
            return path, found, parts, None
        name = f"{parts['owner']}/{parts['repo']}"
        repo = self.state.repository(name)
        if repo is None:
            raise self._elsewhere(request, path, name)
        return path, found, parts, repo

    def _elsewhere(self, request: web.Request, path: str, name: str) -> ApiError:
        moved = self.state.renamed(name)
        if moved is None:
            return ApiError(404, "Not Found")
        rest = "/".join(path.split("/")[4:])
        url = f"{self.state.api}/repositories/{moved.id}" + (f"/{rest}" if rest else "")
        url += f"?{request.query_string}" if request.query_string else ""
        return ApiError(301, "Moved Permanently", headers={"Location": url})

    def _by_id(self, path: str) -> str:
        """`/repositories/ID/...`, as links and redirects have it, by name."""
        pieces = path.split("/", 3)
        if pieces[1] != "repositories" or len(pieces) < 3 or not pieces[2].isdecimal():
            return path
        repo = self.state.repository_by_id(int(pieces[2]))
        return path if repo is None else "/".join(["/repos", repo.full_name, *pieces[3:]])

    def _body(self, request: web.Request, path: str, text: bytes) -> dict[str, Any]:
        """Raises ApiError where the request is none that GitHub describes; that is kept as a problem too."""
        try:
            body = json.loads(text) if text else None
        except ValueError as error:
            raise ApiError(400, "Problems parsing JSON") from error
        query, headers = dict(request.query), dict(request.headers)
        wrong = self._description.check_request(request.method, path, query, body, headers)
        if wrong:
            self.problems += [f"request {problem}" for problem in wrong]
            raise ApiError(422, "Invalid request.\n\n" + "\n".join(wrong))
        return body if isinstance(body, dict) else {}

    def _response(self, request: web.Request, path: str, answer: Answer, quota: Quota | None) -> web.Response:
        body = b"" if answer.body is None else json.dumps(answer.body, separators=(",", ":")).encode()
        headers = answer.headers | {"X-GitHub-Media-Type": "github.v3; format=json"}
        headers |= {"Content-Type": "application/json; charset=utf-8"} if body else {}
        if request.method == "GET" and answer.status == 200:
            headers["ETag"] = pages.tag(request, body, headers)
            if headers["ETag"] in pages.known(request):
                self.unchanged += 1
                del headers["Content-Type"]
                return web.Response(status=304, headers=headers | (quota.headers() if quota else {}))
        if quota is not None:
            quota.used += request.rel_url.raw_path != API + FREE
            headers |= quota.headers()
        if path:  # what is refused is refused everywhere alike, and not described everywhere
            self._check(request.method, path, answer, headers)
        return web.Response(status=answer.status, body=body or None, headers=headers)

    def _check(self, method: str, path: str, answer: Answer, headers: dict[str, str]) -> None:
        """Of a long list, both ends."""
        wrong = self._description.check_response(method, path, answer.status, headers, pages.ends(answer.body))
        self.problems += [f"response to {problem}" for problem in wrong if not any(one in problem for one in KNOWN)]


@route("GET", FREE)
def _rate_limit(call: Call) -> Answer:
    raise AssertionError(call)  # the server knows


def _free(quota: Quota) -> Answer:
    core = quota.rendered()
    return Answer(200, {"resources": {"core": core, "search": core}, "rate": core})
