"""Git over HTTP: `git http-backend`, for those who may, and what follows from a push."""

import asyncio
import os

from aiohttp import web

from tests.fakes.github import door
from tests.fakes.github.git import ZERO
from tests.fakes.github.people import Token
from tests.fakes.github.problems import ApiError
from tests.fakes.github.repositories import Repository
from tests.fakes.github.state import State, reachable

SERVICES = {"git-upload-pack", "git-receive-pack"}
AT_ONCE = 8
SECONDS = 60.0


class GitHttp:
    def __init__(self, state: State) -> None:
        self._state = state
        self._room = asyncio.Semaphore(AT_ONCE)
        self._pushing = asyncio.Lock()

    async def answer(self, request: web.Request) -> web.Response:
        name, _, rest = request.path.lstrip("/").partition(".git/")
        service = request.query.get("service", "") if rest == "info/refs" else rest
        if service not in SERVICES:
            return web.Response(status=404, text="Not Found")
        repo = self._state.repository(name)
        if repo is None and (moved := self._state.renamed(name)) is not None:
            return web.Response(status=301, headers={"Location": f"{moved.url}.git/{rest}?{request.query_string}"})
        try:
            header = request.headers.get("Authorization", "")
            token = door.from_basic(self._state, header.partition(" ")[2]) if header else None
        except ApiError as error:
            return _who(error.message)
        if repo is None or not self._state.reaches(token, repo):
            return _who("Repository not found.") if token is None else web.Response(status=404, text="Not Found")
        pushes = service == "git-receive-pack"
        if not self._may(token, repo, pushes=pushes):
            return _who("Write access denied.") if token is None else web.Response(status=403, text="Denied")
        if not pushes or rest == "info/refs":
            return await self._backend(request, repo, rest)
        return await self._push(request, repo, rest, token)

    def _may(self, token: Token | None, repo: Repository, *, pushes: bool) -> bool:
        if token is None:
            return not pushes
        if token.is_app:
            public = not pushes and not repo.private
            return public or (repo in reachable(token) and token.grants("contents", "write" if pushes else "read"))
        return repo.may(token.user, "write" if pushes else "read")

    async def _push(self, request: web.Request, repo: Repository, rest: str, token: Token | None) -> web.Response:
        async with self._pushing:
            before = repo.git.refs()
            response = await self._backend(request, repo, rest)
            after = repo.git.refs()
        by = token.user if token else None
        for ref in sorted(before.keys() | after.keys()):
            if before.get(ref) != after.get(ref):
                repo.moved(ref, before.get(ref, ZERO), after.get(ref, ZERO), by)
        return response

    async def _backend(self, request: web.Request, repo: Repository, rest: str) -> web.Response:
        given = await request.read()
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROJECT_ROOT": str(repo.git.path.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{repo.git.path.name}/{rest}",
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(given)),
            "REMOTE_USER": "somebody",
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        async with self._room:
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                "git", "http-backend", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env=environment
            )
            try:
                said, _ = await asyncio.wait_for(process.communicate(given), SECONDS)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        return _response(said)


def _who(text: str) -> web.Response:
    return web.Response(status=401, text=text, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})


def _response(said: bytes) -> web.Response:
    """What a CGI program says."""
    head, _, body = said.partition(b"\r\n\r\n")
    lines = [line.decode().partition(":")[::2] for line in head.split(b"\r\n") if line]
    headers = {name: value.strip() for name, value in lines}
    status = int(headers.pop("Status", "200").split()[0])
    return web.Response(status=status, body=body, headers=headers)
