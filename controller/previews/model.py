"""The nouns of a preview environment. No behaviour that needs I/O or a clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from controller.common.nouns import CheckJob, Phase, PreviewKey, Service, Step
from controller.common.spec import Spec, SpecProblem


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What the forge says, already stripped to what we decide on."""

    key: PreviewKey
    head: str
    is_open: bool
    pushed_at: datetime
    branch: str = ""
    base: str = "main"
    title: str = ""
    author: str = ""
    merged: bool = False
    draft: bool = False
    from_fork: bool = False
    labels: frozenset[str] = frozenset()
    url: str = ""
    """Its page on the forge; empty where the dashboard shows it."""
    paths: frozenset[str] | None = None
    """The files it changes, asked of the forge only where the spec wants to know; None where they are not known."""


class Permission(StrEnum):
    """What somebody may do in a repository, in GitHub's words."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def may_write(self) -> bool:
        return self in {Permission.WRITE, Permission.ADMIN}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a forge told us unasked, once its signature was verified: which pull request to look at, and no more.

    `asks` is what somebody pressed a button for, in the words of a command (`checks smoke`); `key` is None where any
    pull request of the repository may have changed.
    """

    id: str
    at: datetime
    event: str
    repo: str = ""
    key: PreviewKey | None = None
    asks: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person wrote on a pull request. `id` is the forge's own."""

    id: str
    author: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Database:
    """How the preview's database was made. `seeded_in` is None where an earlier seed was used again."""

    seed: str
    """Short digest of the seed's inputs; empty where the database began empty."""
    size: int
    """Bytes, right after the clone."""
    cloned_in: timedelta
    seeded_in: timedelta | None = None
    migrated_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What the platform says."""

    key: PreviewKey
    uid: str
    """Of this very environment: one made anew under the same key has another. Removal names it."""
    revision: str
    phase: Phase
    phase_since: datetime
    created_at: datetime
    url: str = ""
    reason: str = ""
    """Why it is in this phase, where that is news: what failed, what it waits for."""
    logs: str = ""
    """The last lines of whatever failed; redacted, not escaped."""
    steps: tuple[Step, ...] = ()
    services: tuple[Service, ...] = ()
    database: Database | None = None
    jobs: tuple[CheckJob, ...] = ()
    last_visit: datetime | None = None
    deploy_order: int = 0
    """The latest order to deploy that it carried out; see `Wishes`."""
    rest_order: int = 0


@dataclass(frozen=True, slots=True)
class DeployOrder:
    """Everything a platform needs to make or change a preview."""

    key: PreviewKey
    revision: str
    spec: Spec
    host: str
    """Host label of the preview's main service, unique among the previews alive: `pr-7-web`."""
    order: int = 0
    fresh_database: bool = False
    branch: str = ""
    fork: bool = False
    """Strangers' code: no secrets, no way out but DNS, a quota of its own."""


class Verb(StrEnum):
    """What people may ask of a preview, as `/preview VERB`."""

    UP = "up"
    DOWN = "down"
    REDEPLOY = "redeploy"
    RESEED = "reseed"
    CHECKS = "checks"
    EXTEND = "extend"
    PIN = "pin"
    UNPIN = "unpin"
    SLEEP = "sleep"
    WAKE = "wake"
    LOGS = "logs"
    HELP = "help"
    APPROVE = "approve"
    """Lets one revision of a fork run. Its argument is that revision, whole."""
    APPROVE_REMOVAL = "approve-removal"
    """The operator's: lets a removal go on that was one of too many at once."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, with who and why. `order` is when, in microseconds since 1970, and names it."""

    key: PreviewKey
    order: int
    verb: Verb
    actor: str
    at: datetime
    argument: str = ""
    because: str = ""
    origin: str = ""
    """Where it was said (`comment:41`, `api:<idempotency key>`): the same origin decides once."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """All decisions about one preview, folded: what people want of it now. An order of 0 was never given."""

    down: bool = False
    down_by: str = ""
    pinned_by: str = ""
    """Who stopped the clock; empty where it runs."""
    extended_until: datetime | None = None
    deploy_order: int = 0
    reseed_order: int = 0
    check_order: int = 0
    suite_orders: Mapping[str, int] = field(default_factory=dict)
    """The latest order to run a suite again, by suite, where only that one was asked for."""
    up_order: int = 0
    """The latest order that brings a removed preview back."""
    rest_order: int = 0
    resting: bool = False
    """Whether the latest rest order was `sleep` rather than `wake`."""
    removal_approved: int = 0
    """The latest order that lets it be removed among many."""
    approved: frozenset[str] = frozenset()
    """Revisions of a fork that may run."""
    last_at: datetime | None = None

    def checks_since(self, suite: str) -> int:
        """The order that a run of the suite must not be older than."""
        return max(self.check_order, self.suite_orders.get(suite, 0))


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the last environment of a pull request was removed."""

    key: PreviewKey
    because: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Awaited:
    """What `trigger.after` has the head wait for, by name. All of it empty: for nothing, or nothing any more."""

    missing: tuple[str, ...] = ()
    """Not there yet, or under way."""
    failed: tuple[str, ...] = ()
    unread: str = ""
    """Why the forge could not say."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known about one pull request when it is decided about.

    `pull` is None where the forge did not say anything about it, which proves nothing. `stale`: the forge cannot be
    read, and `pull` is what it said last; what runs is looked after, and nothing is removed for what may have changed.
    """

    key: PreviewKey
    pull: PullRequest | None = None
    preview: Preview | None = None
    spec: Spec | SpecProblem | None = None
    wishes: Wishes = field(default_factory=Wishes)
    ending: Ending | None = None
    stale: bool = False
    awaited: Awaited = Awaited()


class Forks(StrEnum):
    """Whether pull requests from forks get previews."""

    OFF = "off"
    APPROVE = "approve"
    """Each revision once somebody with write permission has approved it."""
    ON = "on"


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's choices, from the policy."""

    max_alive: int = 30
    max_removals: int = 5
    """More than this in one round, and a person is asked first."""
    quiet_period: timedelta = timedelta(milliseconds=350)
    give_up_after: timedelta = timedelta(minutes=15)
    sleep_after: timedelta = timedelta(hours=2)
    expire_after: timedelta = timedelta(days=3)
    max_life: timedelta = timedelta(days=14)
    """Nothing lives longer, pinned or not."""
    forks: Forks = Forks.OFF
    author_may: frozenset[Verb] = frozenset()
    """Commands that the author of a pull request may give without write permission."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a preview's timeline."""

    key: PreviewKey
    at: datetime
    kind: str
    text: str
    actor: str = "mayfly"
    revision: str = ""
