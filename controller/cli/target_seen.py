"""What the commands about targets read of the API's answers; whatever else an answer holds is passed over."""

from datetime import datetime

from controller.cli.seen import Run, Seen


class Release(Seen):
    number: int
    revision: str
    title: str
    author: str
    ordered_at: datetime
    because: str
    live: bool
    verdict: str
    stage: str
    line: str
    to_live: float | None
    """Seconds, as all durations."""
    to_verdict: float | None

    @property
    def name(self) -> str:
        return f"#{self.number} ({self.revision[:7]})"


class Rollback(Seen):
    bad: int
    to: int
    because: str
    order: int
    restored: bool | None
    outcome: str


class Stop(Seen):
    because: str
    commands: list[str]


class Dora(Seen):
    window: float
    deploys: int
    lead_time: float | None
    failure_rate: float | None
    recovery_time: float | None


class Target(Seen):
    name: str
    url: str
    state: str
    headline: str
    since: datetime | None
    problem: str
    live: Release | None
    newest: int
    order: int
    stop: Stop | None
    rollback: Rollback | None
    dora: Dora | None


class Targets(Seen):
    targets: list[Target]


class Releases(Seen):
    releases: list[Release]


class CheckRun(Seen):
    release: int
    run: Run


class CheckRuns(Seen):
    runs: list[CheckRun]
    """Oldest first."""


class Asked(Seen):
    target: str
    answer: str
