"""What the API says of targets and takes for them, as OpenAPI shows it. Of configuration and secrets, names only."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from controller.api.schemas import Actor, Out, RunOut, Seconds, ServiceOut, StepOut, Time
from controller.api.target_views import case_of, to_live, to_verdict
from controller.deploys.back import can_go_back_to
from controller.deploys.desk import TargetCard
from controller.deploys.fate import Stage, fate
from controller.deploys.model import Release, RolloutState, Verdict
from controller.deploys.wishes import why_held
from smoke.model import SuiteRun


class PullOfReleaseOut(Out):
    repo: str
    number: int


class ReleaseOut(Out):
    """What is applied, whole, and what is thought of it."""

    number: int
    revision: str
    title: str
    author: str
    """Whose commit it is."""
    committed_at: Time
    ordered_at: Time
    because: str
    actor: str
    """Who wanted it."""
    live: bool
    verdict: Verdict
    stage: Stage
    """How far it came."""
    line: str
    """What became of it, after its name: `was rolled back to #6 (abc1234): its checks failed 2 times`."""
    why: str
    """Why it was judged so."""
    evidence: str
    """The last lines of what failed, checks and logs."""
    live_at: Time | None
    decided_at: Time | None
    to_live: Seconds | None
    """From the commit."""
    to_verdict: Seconds | None
    """Since it was live."""
    pull: PullOfReleaseOut | None
    """The pull request that was merged."""
    checks: list[str]
    variables: list[str]
    """The operator's configuration of it: names only."""
    secrets: list[str]
    """Names only."""

    @classmethod
    def of_release(cls, card: TargetCard, release: Release) -> Self:
        became = fate(case_of(card), release)
        commit = release.commit
        return cls(
            number=release.number,
            revision=commit.revision,
            title=commit.title,
            author=commit.author,
            committed_at=commit.committed_at,
            ordered_at=release.ordered_at,
            because=release.because,
            actor=release.actor,
            live=release.number == card.seen.record.live,
            verdict=release.verdict,
            stage=became.stage,
            line=became.line,
            why=release.why,
            evidence=release.evidence,
            live_at=release.live_at,
            decided_at=release.decided_at,
            to_live=to_live(release),
            to_verdict=to_verdict(release),
            pull=PullOfReleaseOut.of(release.pull) if release.pull else None,
            checks=[check.name for check in release.checks],
            variables=sorted(release.env),
            secrets=sorted(release.secrets),
        )


class RollbackOut(Out):
    """The latest."""

    bad: int
    to: int
    because: str
    actor: str
    at: Time
    order: int
    """Of the person's decision that it carries out; 0 where nobody asked."""
    restored: bool | None
    """Whether the checks passed on what was restored; null while that is not known."""
    ended_at: Time | None
    outcome: str


class StopOut(Out):
    """Nothing is deployed or rolled back by itself until a person says so."""

    because: str
    at: Time
    commands: list[str]
    """What they can say."""


class RolloutOut(Out):
    release: int
    state: RolloutState
    message: str


class ProbedOut(Out):
    """What the target's probes said since the release became live."""

    failed: int
    total: int
    known: bool
    """False where there are probes, and they said nothing yet."""
    worst: str


class DoraOut(Out):
    """DORA's four figures. Null where nothing says."""

    window: Seconds
    deploys: int
    """Releases that became live."""
    lead_time: Seconds | None
    """From commit to live, the median."""
    failure_rate: float | None
    """The share of releases with a verdict that were rejected after they were live."""
    recovery_time: Seconds | None
    """From live to restored, the median."""


class TargetOut(Out):
    """All there is to show about one target."""

    name: str
    repository: str
    branch: str
    url: str
    state: str
    """`empty`, `deploying`, `checking`, `soaking`, `verified`, `rolling-back`, `restored`, `stopped` or `held`."""
    headline: str
    since: Time | None
    problem: str
    """Why nothing is known or done at this moment."""
    live: ReleaseOut | None
    newest: int
    """The latest release's number, live or not; 0 for none."""
    can_go_back_to: list[int]
    """Releases that a rollback may name, newest first."""
    order: int
    """Names the latest decision of a person that was carried out; 0 for none."""
    held: str
    """Who holds it, and why; empty where nobody does."""
    stop: StopOut | None
    rollback: RollbackOut | None
    rollout: RolloutOut | None
    steps: list[StepOut]
    """Of making the newest release."""
    services: list[ServiceOut]
    probed: ProbedOut
    dora: DoraOut | None

    @classmethod
    def of_card(cls, card: TargetCard) -> Self:
        seen, record = card.seen, card.seen.record
        newest = record.releases[-1].number if record.releases else 0
        making = seen.makings.get(newest)
        return cls(
            name=card.name,
            repository=card.repository,
            branch=card.branch,
            url=card.url,
            state=card.state,
            headline=card.headline,
            since=card.since,
            problem=card.problem,
            live=ReleaseOut.of_release(card, record.running) if record.running else None,
            newest=newest,
            can_go_back_to=[release.number for release in can_go_back_to(record)],
            order=record.order,
            held=why_held(card.wishes),
            stop=StopOut.of(record.stop) if record.stop else None,
            rollback=RollbackOut.of(record.rollback) if record.rollback else None,
            rollout=RolloutOut.of(seen.rollout) if seen.rollout else None,
            steps=[StepOut.of(step) for step in making.steps] if making else [],
            services=[ServiceOut.of(service) for service in seen.services],
            probed=ProbedOut.of(card.probed),
            dora=DoraOut.of(card.dora) if card.dora else None,
        )


class TargetsOut(Out):
    targets: list[TargetOut]
    """In the policy's order."""


class ReleasesOut(Out):
    releases: list[ReleaseOut]
    """Newest first: those that are kept."""


class TargetEventOut(Out):
    at: Time
    kind: str
    text: str
    actor: str
    release: int
    """0 where it is about none."""


class TargetTimelineOut(Out):
    events: list[TargetEventOut]
    """Oldest first."""


class TargetRunOut(Out):
    release: int
    run: RunOut

    @classmethod
    def of_run(cls, release: int, run: SuiteRun) -> Self:
        return cls(release=release, run=RunOut.of(run))


class TargetRunsOut(Out):
    runs: list[TargetRunOut]
    """Oldest first."""


ReleaseNumber = Annotated[int, Field(ge=1, le=2**31)]


class AskIn(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    reason: str = Field(min_length=1, max_length=1_000, examples=["prices are wrong"])
    actor: Actor | None = None
    """Who asks. Where there are tokens, the token's name counts, whatever stands here."""


class RollbackIn(AskIn):
    to: ReleaseNumber | None = None
    """A verified release; the newest that is older than what is live where none is named."""
    force: bool = False
    """Although a migration in between is not marked reversible."""


class RedeployIn(AskIn):
    to: ReleaseNumber | None = None
    """A release as it was; the head of the branch where none is named."""


class AskedOut(Out):
    """It is begun, not done: look at the target again."""

    target: str
    answer: str
