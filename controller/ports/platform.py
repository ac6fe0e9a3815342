"""Where previews run, and their databases."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Protocol

from controller.common.nouns import PreviewKey, Route
from controller.previews.model import (
    DeployOrder,
    Preview,
)


class Platform(Protocol):
    """Where previews run. What a preview is lives here, and is found again after a restart."""

    async def previews(self) -> tuple[Preview, ...]: ...

    async def preview(self, key: PreviewKey) -> Preview | None: ...

    async def deploy(self, order: DeployOrder) -> None:
        """Makes the preview, or changes it to the order; a deploy or checks still under way are superseded."""
        ...

    async def run_checks(self, key: PreviewKey, uid: str, revision: str, suite: str, order: int) -> None: ...

    async def give_up(self, key: PreviewKey, uid: str, revision: str, because: str) -> None:
        """Stops trying; phase `failed`, with the reason."""
        ...

    async def sleep(self, key: PreviewKey, uid: str, order: int) -> None:
        """Stops the processes and keeps the database. On one that sleeps, only remembers the order."""
        ...

    async def wake(self, key: PreviewKey, uid: str, order: int) -> None: ...

    async def remove(self, key: PreviewKey, uid: str) -> None:
        """Everything of this very environment: processes, database, role, directory, routes.

        Nothing is removed where the environment under `key` has another uid. Gone already is fine.
        """
        ...

    async def visited(self, key: PreviewKey, at: datetime) -> None:
        """A person looked at it."""
        ...

    def route(self, host: str) -> Route | None:
        """Where a host label leads (`pr-7-web`), from memory: asked for every request."""
        ...

    def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        """The last lines, then (`follow`) every new one. All services' where none is named, each line prefixed.

        Raises Refused where there is no such preview or service, naming those there are.
        """
        ...

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        """A file that the latest run of a suite left (a screenshot)."""
        ...

    def bells(self) -> AsyncIterator[PreviewKey | None]: ...


class Databases(Protocol):
    """Makes databases for previews on one PostgreSQL server. Names are ours; every statement quotes them."""

    async def has_template(self, seed: str) -> bool:
        """Whether a finished template for the digest `seed` exists. A half-made one does not count."""
        ...

    async def begin_template(self, seed: str) -> str:
        """An empty database to seed, as a URL. What an earlier, interrupted seeding left is dropped first."""
        ...

    async def finish_template(self, seed: str) -> None:
        """Seals it: IS_TEMPLATE, no connections. From here on it is cloned, never opened."""
        ...

    async def drop_template(self, seed: str) -> None: ...

    async def clone(self, name: str, seed: str | None) -> str:
        """A database `name` of its own role, from the template of `seed` (None: empty), as a URL with its password.

        One that exists already is replaced, its sessions ended.
        """
        ...

    async def size(self, name: str) -> int: ...

    async def fingerprint(self, name: str) -> str:
        """Another one once a migration changed the database: its shape, or what migration tools wrote down in it."""
        ...

    async def address(self) -> str:
        """HOST:PORT of the server as it is reached now. One that can be started by us is; it may have moved since."""
        ...

    async def drop(self, name: str) -> None:
        """The database and its role, sessions ended. Gone already is fine."""
        ...

    async def names(self) -> frozenset[str]:
        """The databases that `clone` made and `drop` has not dropped."""
        ...

    async def templates(self) -> Mapping[str, datetime]:
        """Finished templates by seed, with when each was last cloned."""
        ...
