"""What passes between the controller and an agent: what to run, signed; and what was found. Pure.

What an agent is sent is taken where every line holds; else the last one that was goes on, until it expires:

    it is signed with the key                 HMAC-SHA256 of every byte of it
    it is for this location
    its serial is not below the last one's    nobody plays back what was once said
    it has not expired                        `LASTS` after it was signed
    its checks are of `REMOTE`                no processes, no browsers, whoever signed it

The key is the digest of the secret in the agent's token: the controller keeps that and never the secret, and nobody
else can reckon it. The token itself goes only over TLS, or to this machine. So what is signed is what the controller
said to this very agent, whatever stands between them: a proxy that ends TLS, a cache, a name that leads elsewhere.
Whoever reads the History knows the keys too; what they can sign is bounded by the last line.

The serial is the time in microseconds: it grows across restarts, and nobody has to keep it.
"""

import hashlib
import hmac
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError

from controller.errors import Refused
from controller.probes.model import Sample
from controller.settings import REMOTE, Probe, Probing
from smoke.documents import Strict
from smoke.model import Outcome

LASTS = timedelta(hours=24)
AHEAD = timedelta(minutes=1)
"""So much may an agent's clock be ahead of ours."""
_TOLD = frozenset({"name", "url", "checks", "every", "cron"})
"""What an agent has to know of a probe; who is told of it, and when, is none of its business."""
_MEANT = b"mayfly assignment\n"
"""What this key signs is nothing else."""


class Assignment(Strict):
    """What an agent has to run."""

    version: Literal[1] = 1
    location: str
    serial: int
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    at_once: int
    """Most probes under way."""
    canaries: list[str]
    probes: list[Probe]

    def same_work(self, other: "Assignment | None") -> bool:
        return other is not None and self._work() == other._work()

    def _work(self) -> tuple[object, ...]:
        return self.location, self.at_once, self.canaries, self.probes


class Signed(Strict):
    """As it is sent. What is signed is text, so that nothing depends on how somebody writes JSON."""

    assignment: str
    signature: str
    """HMAC-SHA256, in hexadecimal digits."""


class Found(Strict):
    """A sample, without the location: that is the agent's."""

    probe: Annotated[str, Field(max_length=100)]
    at: AwareDatetime
    late: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
    """Seconds."""
    took: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
    """Seconds."""
    outcome: Outcome
    message: Annotated[str, Field(max_length=500)] = ""
    excused: bool = False

    def sample(self, location: str) -> Sample:
        late, took = timedelta(seconds=self.late), timedelta(seconds=self.took)
        at = self.at.astimezone(UTC)
        return Sample(self.probe, location, at, late, took, self.outcome, self.message, self.excused)


def found(sample: Sample) -> Found:
    return Found(
        probe=sample.probe,
        at=sample.at,
        late=sample.late.total_seconds(),
        took=sample.took.total_seconds(),
        outcome=sample.outcome,
        message=sample.message,
        excused=sample.excused,
    )


def assigned(probes: Collection[Probe], probing: Probing, location: str, now: datetime) -> Assignment:
    """Where no probe names the location it is an empty one: what was assigned before ends."""
    told = [probe.model_dump(include=set(_TOLD), exclude_defaults=True) for probe in probes]
    return Assignment(
        location=location,
        serial=int(now.timestamp() * 1_000_000),
        issued_at=now,
        expires_at=now + LASTS,
        at_once=probing.at_once,
        canaries=list(probing.canaries),
        probes=[Probe.model_validate(one) for one in told],
    )


def sign(assignment: Assignment, key: str) -> bytes:
    text = assignment.model_dump_json(by_alias=True, exclude_defaults=True)
    return Signed(assignment=text, signature=_signature(text, key)).model_dump_json().encode()


def verified(sent: bytes, key: str, location: str, serial: int, now: datetime) -> Assignment:
    """What may be run. `serial` is the last one's, 0 where there was none. Raises Refused."""
    try:
        signed = Signed.model_validate_json(sent)
    except ValidationError:
        raise Refused("this is no assignment") from None
    if not hmac.compare_digest(signed.signature.encode(), _signature(signed.assignment, key).encode()):
        raise Refused("the signature is wrong: the controller did not say this to this agent's token")
    try:
        assignment = Assignment.model_validate_json(signed.assignment)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Refused(f"the assignment is not what this version of Mayfly runs: {place}: {first['msg']}") from None
    if problem := _why_not(assignment, location, serial, now):
        raise Refused(problem)
    return assignment


def unwanted(sample: Sample, mine: Collection[str], now: datetime) -> str:
    """Why a sample of an agent is not kept; `mine` are the probes of its location. Empty where it is."""
    if sample.probe not in mine:
        return f"probe `{sample.probe}` is not run at `{sample.location}`"
    if sample.at > now + AHEAD:
        return f"a sample of `{sample.probe}` is from {sample.at:%H:%M:%S}, which is yet to come: set the agent's clock"
    return ""


def _why_not(assignment: Assignment, location: str, serial: int, now: datetime) -> str:
    if assignment.location != location:
        return f"the assignment is for `{assignment.location}`, and this is `{location}`"
    if assignment.serial < serial:
        return f"the assignment is an older one, from {assignment.issued_at:%Y-%m-%d %H:%M:%S}: it was played back"
    if now >= assignment.expires_at:
        return f"the assignment expired at {assignment.expires_at:%Y-%m-%d %H:%M:%S} UTC (is the clock right?)"
    for probe in assignment.probes:
        if other := next((check for check in probe.checks if check.kind not in REMOTE), None):
            return f"check `{other.name}` of probe `{probe.name}` is a `{other.kind}`, which no agent runs"
    return ""


def _signature(text: str, key: str) -> str:
    return hmac.new(key.encode(), _MEANT + text.encode(), hashlib.sha256).hexdigest()
