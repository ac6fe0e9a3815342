"""What the commands read of the API's answers; whatever else an answer holds is passed over.

A reader of its own, beside the API's models: those stand on FastAPI, which takes longer to load than `ls` to answer.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Seen(BaseModel):
    """Extra keys are kept, so that `--json` shows all that the API said."""

    model_config = ConfigDict(extra="allow")


class Attempt(Seen):
    outcome: str
    message: str
    details: str


class Result(Seen):
    name: str
    outcome: str
    flaky: bool
    attempts: list[Attempt]
    skipped: str | None

    @property
    def message(self) -> str:
        """The last attempt's, in one line."""
        return self.attempts[-1].message if self.attempts else self.skipped or ""


class Run(Seen):
    suite: str
    revision: str
    outcome: str
    results: list[Result]
    error: str


class Job(Seen):
    suite: str
    revision: str
    run: Run | None


class Step(Seen):
    name: str
    state: str
    took: float
    """Seconds."""
    detail: str


class Service(Seen):
    name: str
    state: str
    restarts: int
    reason: str


class Environment(Seen):
    steps: list[Step]
    services: list[Service]
    jobs: list[Job]


class Card(Seen):
    """One pull request and its preview."""

    repo: str
    number: int
    state: str
    headline: str
    branch: str
    title: str
    author: str
    url: str
    revision: str
    reason: str
    logs: str
    created_at: datetime | None
    expires_at: datetime | None
    preview: Environment | None

    @property
    def key(self) -> str:
        return f"{self.repo}#{self.number}"

    @property
    def runs(self) -> list[Run]:
        """Finished ones, of the revision that the preview runs."""
        jobs = self.preview.jobs if self.preview else []
        return [job.run for job in jobs if job.run is not None and job.revision == self.revision]


class Listing(Seen):
    previews: list[Card]


class Event(Seen):
    at: datetime
    text: str
    actor: str


class Timeline(Seen):
    events: list[Event]


class Forge(Seen):
    name: str
    remaining: int | None
    limit: int | None
    resets_at: datetime | None
    waits_until: datetime | None
    why: str
    heard_at: datetime | None
    lag: float | None
    """Seconds."""


class Status(Seen):
    version: str
    alarm: str
    forge: Forge


class Answered(Seen):
    accepted: bool
    answer: str


class Approved(Seen):
    approved: int
