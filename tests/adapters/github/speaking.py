"""What the tests of our words at GitHub stand on: a repository there, us as its App, and as somebody's token.

`until_it_is_said` has us die between any two requests: whoever comes next, with an empty memory, says it again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from controller.adapters.github.client import Client
from controller.adapters.github.door import Door
from controller.adapters.github.shelf import Shelf
from controller.adapters.github.wire import Wire
from controller.common.nouns import PreviewKey
from controller.errors import Unavailable
from tests.fakes.github import FakeGitHub
from tests.fakes.github.pulls import Pull
from tests.fakes.github.repositories import Repository

REPO = "acme/shop"
OUR_KEY = "the fake looks at it only where an App asks for tokens"


def a_page(key: PreviewKey) -> str:
    return f"http://mayfly.example/previews/{key.repo}/{key.number}"


@dataclass
class Ours:
    """Credentials that a test simply has."""

    value: str
    name: str
    is_app: bool = True

    async def repositories(self):
        return (REPO,)

    async def token(self, repo):
        return self.value

    async def login(self):
        return self.name

    def secrets(self):
        return (self.value,)

    def forget(self, repo):
        pass


class Killed(Exception):
    pass


class Mortal(Client):
    """Dies at the request after the `life`-th."""

    def __init__(self, client, life):
        self._client, self.life = client, life

    async def get(self, *args, **query):
        self._live()
        return await self._client.get(*args, **query)

    async def pages(self, *args, **query):
        self._live()
        return await self._client.pages(*args, **query)

    async def send(self, *args, **how):
        self._live()
        return await self._client.send(*args, **how)

    def mind(self, repo):
        self._client.mind(repo)

    def _live(self):
        self.life -= 1
        if self.life < 0:
            raise Killed


@dataclass
class World:
    github: FakeGitHub
    shop: Repository
    app: Ours
    person: Ours
    clients: list[Client] = field(default_factory=list)

    def client(self, who: Ours | None = None) -> Client:
        """Of a process that has just begun: it remembers nothing, and has its whole quota of words."""
        client = Client(Door(Wire(self.github.api)), who or self.app, timedelta(minutes=1), memory=Shelf())
        self.clients.append(client)
        return client

    def pull(self, branch: str = "feature") -> Pull:
        return self.shop.open(branch, {f"{branch}.txt": branch})

    async def until_it_is_said(
        self,
        say: Callable[[Client, Pull], Awaitable[None]],
        before: Callable[[Client, Pull], Awaitable[None]] | None = None,
    ) -> list[Pull]:
        """Pull requests where it was said, after `before`: at each we died one request later than at the one before it,
        and at the last not at all."""
        pulls: list[Pull] = []
        while True:
            pulls.append(pull := self.pull(f"life-{len(pulls)}"))
            if before is not None:
                await before(self.client(), pull)
            mortal = Mortal(self.client(), len(pulls) - 1)
            with suppress(Killed):
                await say(mortal, pull)
            if mortal.life >= 0:
                return pulls
            await say(self.client(), pull)

    async def although_lost(self, say: Callable[[Client], Awaitable[None]], *, method: str, path: str) -> None:
        """Says it, and again after GitHub did it and answered 502."""
        self.github.faults.fail(502, times=1, method=method, path=path, after=True)
        client, lost = self.client(), False
        try:
            await say(client)
        except Unavailable:
            lost = True
        assert lost, "nothing was lost: the test shows nothing"
        await say(client)


@asynccontextmanager
async def a_world(folder) -> AsyncIterator[World]:
    async with FakeGitHub(folder) as github:
        shop = github.repository(REPO)
        app = github.app(17, OUR_KEY, slug="mayfly")
        installation = github.install(app, shop)
        bot = github.state.new_token(installation, installation.permissions, [shop])
        robin = github.user("robin", shop, permission="write")
        world = World(github, shop, Ours(bot.value, "mayfly[bot]"), Ours(github.token(robin), "robin", is_app=False))
        try:
            yield world
        finally:
            for client in world.clients:
                await client.close()


def key_of(pull: Pull) -> PreviewKey:
    return PreviewKey(pull.repo.full_name, pull.number)
