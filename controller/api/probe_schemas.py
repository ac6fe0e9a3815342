"""What the API says and takes of probes, as OpenAPI shows it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from yarl import URL

from controller.api.schemas import Actor, Out, Seconds, Time
from controller.api.token_schemas import Moment
from controller.common.markdown import one_line
from controller.probes.desk import ProbeCard
from controller.probes.model import Alarm, Sample
from controller.probes.remote import Found
from controller.settings import LABEL
from smoke.model import Outcome

MOST_SAMPLES = 500
"""Of one delivery; what fits into a request's 64 KiB is mostly less."""
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
LONGEST_SILENCE = 90 * 86_400

ProbeName = Annotated[str, Field(pattern=LABEL)]
Share = float


When = Annotated[Moment, AfterValidator(lambda at: min(max(at, EARLIEST), LATEST).astimezone(UTC))]
"""A moment of which there may be samples: beyond, there are none."""


class CountsOut(Out):
    total: int
    """Passed and failed: what is known."""
    failed: int
    broken: int
    """The prober's fault; counted in neither."""


class SampleOut(Out):
    location: str
    at: Time
    """When it was due."""
    late: Seconds
    took: Seconds
    outcome: Outcome
    message: str
    excused: bool
    """It counts against no objective."""


class SamplesOut(Out):
    samples: list[SampleOut]
    """Oldest first."""


class PointOut(Out):
    at: Time
    counts: CountsOut
    p50: Seconds | None
    """Of samples that passed, as are the others; right to 2%."""
    p95: Seconds | None
    p99: Seconds | None


class SeriesOut(Out):
    step: Seconds
    points: list[PointOut]
    """Oldest first; steps without a sample are left out."""


class AlarmOut(Out):
    alarm: Alarm
    since: Time
    because: str
    suspect: str
    """The release that it began after; empty where none is known."""


class BurnOut(Out):
    alarm: Alarm
    rate: Share
    """From here on it burns, in times what the objective allows."""
    long: Seconds
    short: Seconds
    in_long: Share | None
    in_short: Share | None


class ProbeOut(Out):
    name: str
    title: str
    url: str
    target: str | None
    locations: list[str]
    objective: str | None
    state: str
    """`up`, `failing`, `burning`, `silent`, `unknown`, `maintenance` or `cut-off`."""
    headline: str
    counts: CountsOut
    """Of the objective's window, or of 30 days."""
    budget: Share | None
    """Share of the error budget that is left, below 0 where it is overspent; null without an objective."""
    alarms: list[AlarmOut]
    """Those that fire."""
    burns: list[BurnOut]
    """Empty in a list of all."""
    late: Seconds
    """p99 of how late samples were begun lately; 0 in a list of all."""
    missed: int
    """Runs that were left out, since the start."""
    next_at: Time | None
    latest: SampleOut | None

    @classmethod
    def of_card(cls, card: ProbeCard) -> Self:
        probe = card.probe
        return cls(
            name=probe.name,
            title=probe.title or probe.name,
            url=shown_url(probe.url),
            target=probe.target,
            locations=probe.locations,
            objective=probe.objective,
            state=card.state,
            headline=card.headline,
            counts=CountsOut.of(card.counts),
            budget=card.budget,
            alarms=[
                AlarmOut(alarm=alarm, since=health.firing_since, because=health.because, suspect=health.suspect)
                for alarm, health in card.alarms
                if health.firing_since
            ],
            burns=[BurnOut.of(burn) for burn in card.burns],
            late=card.late.total_seconds(),
            missed=card.missed,
            next_at=card.next_at,
            latest=SampleOut.of(card.latest) if card.latest else None,
        )


def shown_url(url: str) -> str:
    """Without a name and a password in it."""
    return str(URL(url).with_user(None))


class ProbesOut(Out):
    probes: list[ProbeOut]


class IncidentOut(Out):
    probe: str
    alarm: Alarm
    began: Time
    ended: Time | None
    """Null while it goes on."""
    because: str
    suspect: str


class IncidentsOut(Out):
    incidents: list[IncidentOut]
    """Oldest first."""


class SilenceIn(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    probe: ProbeName | None = None
    """Null for all of them."""
    lasts: Annotated[int, Field(ge=1, le=LONGEST_SILENCE)]
    """Seconds."""
    because: Annotated[str, Field(min_length=1, max_length=200)]
    actor: Actor | None = None
    """Who says so. Where there are tokens, the token's name counts, whatever stands here."""


class SilenceOut(Out):
    id: str
    probe: str
    """Empty for all of them."""
    begins: Time
    ends: Time
    actor: str
    because: str


class SilencesOut(Out):
    silences: list[SilenceOut]
    """Those that are not over."""


class SampleIn(Found):
    at: Moment
    """When it was due."""

    @property
    def likely(self) -> bool:
        return EARLIEST <= self.at <= LATEST

    def of(self, location: str) -> Sample:
        found = self.sample(location)
        return replace(found, message=one_line(found.message))


class DeliveryIn(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    batch: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
    """Made by the agent, and the same when it sends the same samples again."""
    samples: Annotated[list[SampleIn], Field(min_length=1, max_length=MOST_SAMPLES)]


class DeliveredOut(Out):
    new: bool
    """False where that batch was delivered before."""
