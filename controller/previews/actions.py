"""What a plan is made of. Each action carries its reason: the same words go to the log, the timeline and the people."""

import re
from dataclasses import dataclass
from datetime import datetime

from controller.common.nouns import PreviewKey
from controller.previews.model import DeployOrder


@dataclass(frozen=True, slots=True)
class Deploy:
    order: DeployOrder
    because: str

    @property
    def key(self) -> PreviewKey:
        return self.order.key


@dataclass(frozen=True, slots=True)
class RunChecks:
    key: PreviewKey
    uid: str
    revision: str
    suite: str
    order: int
    because: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it as it is for people to look at, and do not try this revision again."""

    key: PreviewKey
    uid: str
    revision: str
    because: str


@dataclass(frozen=True, slots=True)
class Sleep:
    key: PreviewKey
    uid: str
    order: int
    because: str


@dataclass(frozen=True, slots=True)
class Wake:
    key: PreviewKey
    uid: str
    order: int
    because: str


@dataclass(frozen=True, slots=True)
class Remove:
    key: PreviewKey
    uid: str
    because: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is done, and the pull request is told why. `until`, where set, is when to look again.

    `quiet`: nobody there asked for a preview, so it is told only where something was told before.
    """

    key: PreviewKey
    because: str
    until: datetime | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Something looks wrong enough that a person should decide. `keys` are what it is about."""

    because: str
    keys: frozenset[PreviewKey]


def kind_of(action: "Action") -> str:
    """Its name for a timeline and a metric: `run-checks`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(action).__name__).lower()


Action = Deploy | RunChecks | GiveUp | Sleep | Wake | Remove | Hold | Ask
