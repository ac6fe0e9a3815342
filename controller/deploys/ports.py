"""What deploys need of the world, besides the forge. One contract suite for each holds all adapters."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Protocol

from controller.common.nouns import Route
from controller.deploys.model import Decision, Deed, Event, Record, Seen
from smoke.model import SuiteRun


class Targets(Protocol):
    """Where main runs. What a target is lives there as its record, and is found again after a restart.

    Whoever decides writes the record; the platform brings about what it says, and is looked at again:

    | the record | the platform |
    | --- | --- |
    | a release that is pending | makes it: checkout, builds, images, manifests, kept under its number, never changed |
    | `live` | applies that release whole once it is made, and removes what it does not have |
    | `warm` | leaves that one running beside it |
    | `rollback.undo`, `restored` None | runs those releases' commands first, newest first, each once |
    | a release that is not there any more | forgets all of it |

    Every method may raise Unavailable (try later) or Refused (a person has to change something).
    """

    async def seen(self, target: str) -> Seen:
        """An empty record with version "" where there never was one."""
        ...

    async def save(self, record: Record, version: str) -> None:
        """Raises Unavailable, and changes nothing, where the record there has another version by now. What it asks for
        is begun, not waited for."""
        ...

    async def run_checks(self, target: str, release: int, order: int) -> None:
        """Runs the release's checks against the target, once for each order. Raises Unavailable where it is not
        live and rolled out."""
        ...

    def route(self, host: str) -> Route | None:
        """Where a host label leads (`production`), from memory. Keeps leading to the old release until a new one
        answers, where the platform can."""
        ...

    def logs(self, target: str, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]: ...

    async def artifact(self, target: str, name: str) -> bytes | None:
        """A file that the latest run of checks left."""
        ...

    def bells(self) -> AsyncIterator[str | None]:
        """Rings when something may have changed: of one target, or (None) of any."""
        ...


class Journal(Protocol):
    """What happened to targets, and what people decided about them. Part of History; losing it loses the past."""

    async def record_target(self, events: Collection[Event]) -> None: ...

    async def target_timeline(self, target: str, limit: int = 200) -> tuple[Event, ...]:
        """Oldest first, the latest `limit`."""
        ...

    async def decide_target(self, decision: Decision) -> bool:
        """Keeps it; False where its origin has decided already. Two of one order get different ones."""
        ...

    async def target_decisions(self) -> Mapping[str, tuple[Decision, ...]]:
        """Everybody's, by target, in order. Costs what was written since; not changed afterwards."""
        ...

    async def keep_deed(self, deed: Deed) -> None:
        """In place of what was kept of the same release."""
        ...

    async def deeds(self, target: str, since: datetime) -> tuple[Deed, ...]:
        """Of releases ordered since, oldest first."""
        ...

    async def record_target_run(self, target: str, release: int, order: int, run: SuiteRun) -> bool:
        """False where it was kept before."""
        ...

    async def target_runs(self, target: str, limit: int = 50) -> tuple[tuple[int, SuiteRun], ...]:
        """With the number of the release, oldest first, the latest `limit`."""
        ...

    async def target_said(self) -> Mapping[str, Mapping[str, str]]:
        """Digest of what was last said, by target and channel."""
        ...

    async def remember_target_said(self, target: str, digests: Mapping[str, str]) -> None:
        """By channel; the others stay as they are."""
        ...

    def target_bells(self) -> AsyncIterator[str]:
        """Rings within seconds for a target about which somebody decided through another controller."""
        ...
