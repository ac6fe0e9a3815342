"""What the cluster keeps of a target, besides its releases: two Secrets in its namespace. Pure.

| Secret | has | written by |
| --- | --- | --- |
| `mayfly-target` | the room's record | `Targets.save` alone: its version is the record's |
| `mayfly-state` | what the platform needs to go on | whoever acts |

They are two, so that what the platform writes down never makes the room's look old.
"""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.record import Record as Known
from controller.adapters.kubernetes.shapes import Obj, Place
from controller.common.nouns import Step
from controller.deploys.model import RECORD, Making, Record
from controller.errors import Refused

TARGET, STATE = "mayfly-target", "mayfly-state"
TYPE = "mayfly.dev/target"
RELEASE_TYPE = "mayfly.dev/release"
MAX_PART = 900_000
"""Bytes of one Secret's content: 1 MiB is the most, base64 included in none of it (Kubernetes API, `MaxSecretSize`)."""
_KEY = "content"


@dataclass(frozen=True, slots=True)
class State:
    """What a controller that takes over has to know."""

    inventory: tuple[str, ...] = ()
    """All that was applied and not yet removed, by `names.identity`."""
    begun: tuple[int, ...] = ()
    """Releases of which something may be there."""
    failed: Mapping[int, Making] = field(default_factory=dict)
    """Those that could not be made."""
    serving: int = 0
    """The release that was rolled out last: its Services lead to it."""
    database: str = ""
    """`making`, once it may be there; `made`, for ever."""
    database_secret: str = ""
    server_pod: str = ""
    seeded: str = ""
    ran: tuple[int, ...] = ()
    """Releases whose migration ran to its end."""
    migrated: tuple[int, ...] = ()
    """Those that changed the database."""
    done: tuple[str, ...] = ()
    """What runs once and ran: undo commands, rollbacks that somebody else was told of."""

    def noting(self, known: Known) -> "State":
        """With what a worker wrote down about the database, and has applied."""
        inventory = tuple(dict.fromkeys((*self.inventory, *known.inventory)))
        mine = replace(self, inventory=inventory, server_pod=known.server_pod, seeded=known.seeded)
        return replace(mine, database_secret=known.database_secret or self.database_secret)


_STATE: TypeAdapter[State] = TypeAdapter(State)


@dataclass(frozen=True, slots=True)
class Kept:
    """A release that is made: all that is applied for it, and what its migration and its checks need."""

    number: int
    objects: tuple[Obj, ...]
    digest: str
    in_place: bool = False
    """They are the repository's own manifests."""
    images: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    """The Secret among them with the operator's secrets; empty where there are none."""
    steps: tuple[Step, ...] = ()
    """Of its making."""

    @property
    def identities(self) -> frozenset[str]:
        return frozenset(names.identity(obj) for obj in self.objects)


_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)


def of_record(place: Place, record: Record) -> Obj:
    """Raises Refused where it is too large for a Secret."""
    content = _packed(RECORD.dump_json(record))
    if len(content) > MAX_PART:
        raise Refused(f"the record of {place.target} is too large to be kept in the cluster ({len(content):,} bytes)")
    return _secret(place, TARGET, TYPE, content)


def of_state(place: Place, state: State) -> Obj:
    return _secret(place, STATE, TYPE, _packed(_STATE.dump_json(state, exclude_defaults=True)))


def record(secret: Obj) -> Record:
    """Raises Refused where nobody can read it."""
    try:
        return RECORD.validate_json(_unpacked(content(secret)))
    except (ValueError, OSError, EOFError) as error:
        raise Refused(f"the record in {secret['metadata']['namespace']} cannot be read: {_first(error)}") from error


def state(secret: Obj) -> State:
    try:
        return _STATE.validate_json(_unpacked(content(secret)))
    except (ValueError, OSError, EOFError) as error:
        raise Refused(f"the state in {secret['metadata']['namespace']} cannot be read: {_first(error)}") from error


def _first(error: Exception) -> str:
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)


def head(number: int) -> str:
    return f"mayfly-release-{number}"


def part(number: int, which: int) -> str:
    """Counts from 1; what is in the head is the first."""
    return f"{head(number)}-{which}" if which > 1 else head(number)


def of_release(place: Place, kept: Kept) -> tuple[Obj, ...]:
    """The Secrets of a release. The head is the last: while that is not there, the release is not made."""
    packed = _packed(_KEPT.dump_json(kept))
    cuts = [packed[start : start + MAX_PART] for start in range(0, len(packed), MAX_PART)]
    made = []
    for which, cut in enumerate(cuts, 1):
        one = _secret(place, part(kept.number, which), RELEASE_TYPE, cut) | {"immutable": True}
        one["metadata"]["annotations"] = {names.RELEASE: f"{which}/{len(cuts)}"}
        made.append(one)
    return tuple(reversed(made))


def parts(head: Obj) -> int:
    return int(str(head["metadata"]["annotations"][names.RELEASE]).partition("/")[2])


def release(secrets: list[Obj]) -> Kept:
    """From its Secrets, the head first."""
    try:
        return _KEPT.validate_json(_unpacked(b"".join(content(secret) for secret in secrets)))
    except (ValueError, OSError, EOFError) as error:
        raise Refused(f"a kept release cannot be read: {_first(error)}") from error


def content(secret: Obj) -> bytes:
    return base64.b64decode((secret.get("data") or {}).get(_KEY, ""))


def _secret(place: Place, name: str, kind: str, content: bytes) -> Obj:
    metadata = {"name": name, "namespace": place.namespace, "labels": names.labels(place)}
    data = {_KEY: base64.b64encode(content).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": data}


def _packed(said: bytes) -> bytes:
    """The same bytes for the same words."""
    return gzip.compress(said, mtime=0)


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content)
