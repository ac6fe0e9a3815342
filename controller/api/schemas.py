"""What the API says, as OpenAPI shows it.

Times are RFC 3339 in UTC, durations seconds, sizes bytes, revisions whole. Models are read off our nouns by attribute:
a field that a noun has not is an error, and a noun's field that no model names is not shown.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from controller.common.nouns import CheckJob, ServiceState, StepState
from controller.common.words import ForgeHealth
from controller.previews.desk import Card
from controller.previews.model import Preview
from controller.settings import Policy
from smoke.model import Outcome


def _seconds(duration: object) -> object:
    return round(duration.total_seconds(), 6) if isinstance(duration, timedelta) else duration


Time = Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC))]
Seconds = Annotated[float, BeforeValidator(_seconds)]


class Out(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)

    @classmethod
    def of(cls, noun: object) -> Self:
        return cls.model_validate(noun)


class StepOut(Out):
    name: str
    state: StepState
    started_at: Time
    took: Seconds
    detail: str


class ServiceOut(Out):
    name: str
    state: ServiceState
    host: str
    """Host label; empty where it has no port."""
    restarts: int
    reason: str


class DatabaseOut(Out):
    seed: str
    """Short digest of the seed; empty where the database began empty."""
    size: int
    cloned_in: Seconds
    seeded_in: Seconds | None
    """Null where an earlier seed was used again."""
    migrated_in: Seconds | None


class AttemptOut(Out):
    outcome: Outcome
    took: Seconds
    message: str
    details: str


class ResultOut(Out):
    name: str
    kind: str
    outcome: Outcome
    flaky: bool
    """It passed in the end, and not at first."""
    took: Seconds
    attempts: list[AttemptOut]
    """Oldest first; the last decides."""
    cases: list["ResultOut"]
    skipped: str | None
    """Why it did not run."""
    file: str
    line: int | None
    screenshot: str
    """Name of an artifact of the suite."""


class RunOut(Out):
    suite: str
    revision: str
    outcome: Outcome
    started_at: Time
    took: Seconds
    results: list[ResultOut]
    error: str
    """Why nothing could be run at all."""


class JobOut(Out):
    suite: str
    revision: str
    started_at: Time
    run: RunOut | None
    """Null while it goes on."""


class CheckOut(Out):
    """A check of the latest finished run of its suite, in short."""

    suite: str
    name: str
    outcome: Outcome
    flaky: bool
    attempts: int
    """How many; 0 where it was skipped."""
    message: str


class EnvironmentOut(Out):
    """What runs, or tried to."""

    phase_since: Time
    last_visit: Time | None
    steps: list[StepOut]
    services: list[ServiceOut]
    database: DatabaseOut | None
    jobs: list[JobOut]
    """Runs of check suites against it, one after another."""


class PullOut(Out):
    """What the forge says."""

    base: str
    is_open: bool
    merged: bool
    draft: bool
    pushed_at: Time
    url: str
    """Its page on the forge; empty where the dashboard shows it."""


class EndingOut(Out):
    because: str
    at: Time


class PreviewOut(Out):
    """All there is to show about one pull request. What nobody told of is empty or null."""

    repo: str
    number: int
    state: str
    """`starting`, `ready`, `failed`, `sleeping`, `terminating`, `none`, `waiting` or `removed`."""
    headline: str
    branch: str
    title: str
    author: str
    head: str
    """Revision of the pull request."""
    url: str
    """Where to look at it."""
    revision: str
    """Revision that runs there, or tried to."""
    reason: str
    """Why it is in this state, where that is news."""
    logs: str
    """The last lines of whatever failed."""
    pinned_by: str
    created_at: Time | None
    expires_at: Time | None
    checks: list[CheckOut]
    pull: PullOut | None
    preview: EnvironmentOut | None
    ending: EndingOut | None
    """Why the last preview was removed."""

    @classmethod
    def of_card(cls, card: Card) -> Self:
        pull, preview = card.pull, card.preview
        return cls(
            repo=card.key.repo,
            number=card.key.number,
            state=card.state,
            headline=card.headline,
            branch=pull.branch if pull else "",
            title=pull.title if pull else "",
            author=pull.author if pull else "",
            head=pull.head if pull else "",
            url=preview.url if preview else "",
            revision=preview.revision if preview else "",
            reason=preview.reason if preview else "",
            logs=preview.logs if preview else "",
            pinned_by=card.wishes.pinned_by,
            created_at=preview.created_at if preview else None,
            expires_at=card.expires_at,
            checks=_checks(preview) if preview else [],
            pull=PullOut.of(pull) if pull else None,
            preview=EnvironmentOut.of(preview) if preview else None,
            ending=EndingOut.of(card.ending) if card.ending else None,
        )


def _checks(preview: Preview) -> list[CheckOut]:
    latest: dict[str, CheckJob] = {}
    for job in sorted(preview.jobs, key=lambda job: (job.order, job.started_at)):
        if job.run:
            latest[job.suite] = job
    return [
        CheckOut(
            suite=suite,
            name=result.name,
            outcome=result.outcome,
            flaky=result.flaky,
            attempts=len(result.attempts),
            message=result.skipped or (result.attempts[-1].message if result.attempts else ""),
        )
        for suite, job in latest.items()
        if job.run
        for result in job.run.results
    ]


class PreviewsOut(Out):
    previews: list[PreviewOut]
    """Newest activity first."""


class EventOut(Out):
    at: Time
    kind: str
    text: str
    actor: str
    revision: str


class TimelineOut(Out):
    events: list[EventOut]
    """Oldest first."""


class RunsOut(Out):
    runs: list[RunOut]
    """Oldest first."""


Actor = Annotated[str, Field(min_length=1, max_length=100)]


class CommandIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    command: str = Field(min_length=1, max_length=10_000, examples=["/preview pin"])
    actor: Actor | None = None
    """Who says so. Where there are tokens, the token's name counts, whatever stands here."""


class AnswerOut(Out):
    accepted: bool
    answer: str
    """Markdown."""


class ApprovalIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    actor: Actor | None = None


class ApprovalOut(Out):
    approved: int
    """How many removals go on."""


class LimitsOut(Out):
    """From the policy."""

    max_alive: int
    max_removals: int
    sleep_after: Seconds
    expire_after: Seconds
    max_life: Seconds
    give_up_after: Seconds


class ForgeOut(Out):
    """How well the forge can be talked with. What it does not tell, or what is not so, is null."""

    name: str
    remaining: int | None
    """Requests left of `limit` until `resets_at`."""
    limit: int | None
    resets_at: Time | None
    waits_until: Time | None
    """Nothing is asked before; `why` says who wants that."""
    why: str
    heard_at: Time | None
    """When it last told us something unasked."""
    lag: Seconds | None
    """How long the oldest of what is to be said has waited."""


class StatusOut(Out):
    version: str
    forge: ForgeOut
    platform: str
    alarm: str
    """Why removals stopped and wait for a person; empty where they did not."""
    previews: dict[str, int]
    """How many are in each state."""
    limits: LimitsOut

    @classmethod
    def of_policy(cls, policy: Policy, *, version: str, forge: ForgeHealth, alarm: str, states: dict[str, int]) -> Self:
        return cls(
            version=version,
            forge=ForgeOut.of(forge),
            platform=policy.platform,
            alarm=alarm,
            previews=states,
            limits=LimitsOut.of(policy.previews),
        )


class HealthOut(Out):
    status: str


class HeardOut(Out):
    """What came of a webhook."""

    status: str


class ReadyOut(Out):
    ready: bool
    parts: dict[str, str]
    """By part, why it cannot be reached; empty where it can."""


class ProblemOut(Out):
    """RFC 9457."""

    title: str
    status: int
    detail: str
