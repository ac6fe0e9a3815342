"""The record on a namespace: what its preview should be and how far it is. It is the truth; all else follows. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.shared.orders import Aim, Order, slug
from controller.common.nouns import Phase, PreviewKey, Step, StepState
from controller.errors import Refused
from controller.previews.model import Database, DeployOrder

MAX_BYTES = 200 * 1024
"""The API server takes 256 KiB of annotations in all."""
MAX_LOGS = 16 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One preview, as its namespace has it. The namespace's own uid and creation time are the environment's."""

    key: PreviewKey
    order: Order
    aim: Aim
    phase: Phase
    phase_since: datetime
    deployed: int = 0
    """How many deploys there were; names what belongs to the current one."""
    deploy_order: int = 0
    rest_order: int = 0
    reason: str = ""
    logs: str = ""
    crashed: bool = False
    """It failed because a service keeps crashing; it is ready again when that one works again."""
    steps: tuple[Step, ...] = ()
    troubles: dict[str, str] = field(default_factory=dict)
    """Why a service did not start, by its name."""
    images: dict[str, str] = field(default_factory=dict)
    """The digest that each image of the revision was found under."""
    sources: dict[str, str] = field(default_factory=dict)
    """ConfigMaps with files of the revision: `all` of them, or those of the `seed`."""
    database: Database | None = None
    database_name: str = ""
    """On a server for all: written down before it is made, so that it is never forgotten."""
    database_secret: str = ""
    """The Secret with the database's URL under `url`."""
    database_clean: bool = False
    """The database may be kept: it was cloned and migrated whole, and nobody asked for another."""
    cloned: int = 0
    """The deploy for which it was cloned, or kept: one that is resumed goes on with its migration, which may run."""
    database_of: int = 0
    """The deploy that prepared it: one that is resumed does not prepare it again."""
    server_pod: str = ""
    """The uid of the pod that holds the preview's own server: another one has lost what was in it."""
    seeded: str = ""
    """What the preview's own server has been seeded with; on a server for all, the template that is nobody else's."""
    inventory: tuple[str, ...] = ()
    """All that was applied and not yet removed."""

    @property
    def slug(self) -> str:
        return slug(self.key)


_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def write(record: Record) -> str:
    """Raises Refused where the spec is too large for an annotation."""
    said = _RECORD.dump_json(record, exclude_defaults=True).decode()
    if len(said.encode()) > MAX_BYTES:
        raise Refused(f"the spec is too large to be kept in the cluster ({len(said):,} bytes; at most {MAX_BYTES:,})")
    return said


def read(namespace: Obj) -> Record | None:
    """None where there is no record, or one that nobody can read: another order to deploy writes it anew."""
    try:
        return _RECORD.validate_json(said(namespace))
    except ValidationError:
        return None


def said(namespace: Obj) -> str:
    """The record as it is written there; empty where there is none."""
    found: str = namespace["metadata"].get("annotations", {}).get(names.RECORD, "")
    return found


def first(order: DeployOrder, now: datetime) -> Record:
    return Record(order.key, Order.of(order), Aim.DEPLOY, Phase.STARTING, now, 1, order.order)


def cut_off(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Nothing goes on in a preview that failed: what was under way has failed with it."""
    return tuple(replace(step, state=StepState.FAILED) if step.state is StepState.RUNNING else step for step in steps)
