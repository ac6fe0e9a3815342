"""The parts put together, on one port of loopback."""

import socket
from collections import Counter
from pathlib import Path
from types import TracebackType

from aiohttp import web

from tests.fakes.github.clock import Clock
from tests.fakes.github.faults import Faults
from tests.fakes.github.git import Files
from tests.fakes.github.limits import Limits
from tests.fakes.github.people import EVENTS, PERMISSIONS, App, Installation, User, personal
from tests.fakes.github.repositories import Repository
from tests.fakes.github.server import Server
from tests.fakes.github.state import State
from tests.fakes.github.webhooks import Webhooks


class FakeGitHub:
    """`folder` is where its repositories are made; `front` is the root of the API where something stands before it."""

    def __init__(self, folder: Path, *, port: int = 0, front: str = "") -> None:
        self.state = State(folder)
        self.state.front = front
        self.server = Server(self.state)
        self.webhooks = Webhooks(self.state)
        self._port = port
        self._tokens: dict[str, str] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "FakeGitHub":
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.state.url = f"http://127.0.0.1:{self._port}"
        application = self.server.application()
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        self.webhooks.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.webhooks.end()
        self.server.hang_up()
        if self._runner is not None:
            await self._runner.cleanup()
        if self.problems and error is None:
            raise AssertionError("not as GitHub describes itself:\n" + "\n".join(self.problems))

    @property
    def url(self) -> str:
        """Of the web pages and of git."""
        return self.state.url

    @property
    def api(self) -> str:
        """Root of the API."""
        return self.state.api

    @property
    def clock(self) -> Clock:
        return self.state.clock

    @property
    def faults(self) -> Faults:
        return self.server.faults

    @property
    def limits(self) -> Limits:
        return self.server.limits

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """What was asked how often, by method and template (`/repos/{owner}/{repo}/pulls`)."""
        return self.server.requests

    @property
    def problems(self) -> list[str]:
        """Where a request or a response was not as described. Clear it where a test makes some on purpose."""
        return self.server.problems

    def repository(self, full_name: str, files: Files | None = None, *, private: bool = False) -> Repository:
        """A new one, with one commit on main."""
        owner = self.state.person(full_name.partition("/")[0], "Organization")
        repo = Repository(self.state, full_name, owner, private=private)
        repo.git.init()
        repo.git.commit("main", files or {"README.md": f"{full_name}\n"}, "Begin", owner.login, [])
        self.state.add(repo)
        return repo

    def user(self, login: str, *repositories: Repository, permission: str = "write") -> User:
        person = self.state.person(login)
        for repo in repositories:
            repo.allow(person, permission)
        return person

    def token(self, user: User) -> str:
        """A person's; the same every time."""
        if user.login not in self._tokens:
            self._tokens[user.login] = self.state.keep(personal(user)).value
        return self._tokens[user.login]

    def app(
        self,
        number: int,
        public_key: str,
        slug: str = "mayfly",
        *,
        permissions: dict[str, str] | None = None,
        events: frozenset[str] = EVENTS,
    ) -> App:
        bot, owner = self.state.person(f"{slug}[bot]", "Bot"), self.state.person(f"{slug}-makers", "Organization")
        granted = {"metadata": "read"} | (PERMISSIONS if permissions is None else permissions)
        made = App(number, slug, public_key, bot, owner, granted, events, self.clock.stamp())
        self.state.apps[number] = made
        return made

    def install(self, app: App, *repositories: Repository, permissions: dict[str, str] | None = None) -> Installation:
        """At the repositories' owner, which has to be one. `permissions`: where not those of the App were granted."""
        granted = dict(app.permissions if permissions is None else permissions)
        about = (app, repositories[0].owner, list(repositories), granted, self.clock.stamp())
        made = Installation(self.state.next_id(), *about)
        self.state.installations[made.id] = made
        self.state.tell.installation(made, "created")
        return made

    def add(self, installation: Installation, *repositories: Repository) -> None:
        installation.repositories.extend(repositories)
        self.state.tell.installed_at(installation, list(repositories), [])

    def remove(self, installation: Installation, *repositories: Repository) -> None:
        for repo in repositories:
            installation.repositories.remove(repo)
        self.state.tell.installed_at(installation, [], list(repositories))

    def suspend(self, installation: Installation) -> None:
        installation.suspended_at = self.clock.stamp()
        self.state.tell.installation(installation, "suspend")

    def unsuspend(self, installation: Installation) -> None:
        installation.suspended_at = None
        self.state.tell.installation(installation, "unsuspend")

    def uninstall(self, installation: Installation) -> None:
        """Its tokens end."""
        del self.state.installations[installation.id]
        self.state.tell.installation(installation, "deleted")

    def down(self) -> None:
        """Every connection is closed at once, also those that there are."""
        self.server.down = True
        self.server.hang_up()

    def up(self) -> None:
        self.server.down = False
