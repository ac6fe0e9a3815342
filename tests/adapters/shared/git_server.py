"""A git server over real HTTP that wants a header: `git http-backend` behind aiohttp."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer


class GitServer:
    """Serves the repositories in `folder`. `seen` is the Authorization of each request; `leads_to`, where it is set,
    is where every request is sent on to."""

    def __init__(self, folder: Path, wants: str) -> None:
        self.folder, self.wants = folder, wants
        self.seen: list[str] = []
        self.leads_to = ""
        self.awake = asyncio.Event()
        """Nothing is answered while it is not set."""
        self.awake.set()
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization", ""))
        await self.awake.wait()
        if self.leads_to:
            raise web.HTTPFound(self.leads_to + request.path_qs)
        if self.wants and self.seen[-1] != self.wants:
            raise web.HTTPUnauthorized(text="who are you?")
        return await self._backend(request)

    async def _backend(self, request: web.Request) -> web.Response:
        """RFC 3875; https://git-scm.com/docs/git-http-backend."""
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec("git", "http-backend", env=env, stdin=pipe, stdout=pipe)
        head, _, body = (await process.communicate(await request.read()))[0].partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=body)


@asynccontextmanager
async def a_git_server(folder: Path, wants: str = "") -> AsyncIterator[GitServer]:
    made = GitServer(folder, wants)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/")).rstrip("/")
        yield made
