"""A target of FakeTargets, as it is where it runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.common.nouns import CheckJob, Service, ServiceState, Step, StepState
from controller.deploys.model import Record, Release, Rollout, RolloutState

TOOK = timedelta(milliseconds=20)
STATES = {
    RolloutState.PROGRESSING: ServiceState.STARTING,
    RolloutState.COMPLETE: ServiceState.HEALTHY,
    RolloutState.FAILED: ServiceState.CRASHED,
}


@dataclass(slots=True)
class Site:
    record: Record
    version: int = 0
    begun: dict[int, datetime] = field(default_factory=dict)
    """When making a release began."""
    kept: dict[int, dict[str, str]] = field(default_factory=dict)
    """The environment that a release was made with, secrets and all; never changed."""
    up: set[int] = field(default_factory=set)
    """Releases that run."""
    applying: int = 0
    """The release that was applied last."""
    since: datetime | None = None
    answers: int = 0
    """The release that visitors reach."""
    trouble: str = ""
    """Why applying it came to an end: a migration or an undo command that failed."""
    database: list[str] = field(default_factory=list)
    """What was done to it, in order."""
    migrated: dict[int, bool] = field(default_factory=dict)
    """Releases whose migration ran, and whether it changed something."""
    undone: set[int] = field(default_factory=set)
    jobs: list[CheckJob] = field(default_factory=list)

    def begun_releases(self) -> list[Release]:
        return [release for release in self.record.releases if release.number in self.begun]

    def steps(self, release: Release, state: StepState) -> tuple[Step, ...]:
        return (Step("checkout", state, self.begun[release.number], TOOK),)

    def services(self, rollout: Rollout | None) -> tuple[Service, ...]:
        """Of the release that is live."""
        live, target = self.record.running, self.record.target
        if live is None or rollout is None:
            return ()
        main = live.spec.main_service
        hosts = {name: target if name == main else f"{target}--{name}" for name in live.spec.services}
        return tuple(
            Service(name, STATES[rollout.state], hosts[name] if spec.port else "", reason=rollout.message)
            for name, spec in live.spec.services.items()
        )

    def forget(self) -> None:
        """Whatever the record does not name any more."""
        known = {release.number for release in self.record.releases}
        self.begun = {number: at for number, at in self.begun.items() if number in known}
        self.kept = {number: env for number, env in self.kept.items() if number in known}
        self.migrated = {number: did for number, did in self.migrated.items() if number in known}
        self.up &= known

    def traces(self, number: int) -> Iterator[str]:
        held = {"making": set(self.begun), "environment": set(self.kept), "process": self.up}
        yield from (f"the {what} of #{number}" for what, numbers in held.items() if number in numbers)
