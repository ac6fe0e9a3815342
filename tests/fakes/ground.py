"""The place where the targets of FakeTargets run: it outlives the controller, and things go wrong there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.common.nouns import StepState
from controller.deploys.model import Making, MakingState, Release, Rollout, RolloutState
from controller.deploys.secret import secret_digest
from smoke.model import Outcome
from tests.fakes.site import Site


@dataclass(slots=True)
class Ground:
    """All targets. New FakeTargets on the same ground find everything again. Keys are revisions where nothing else is
    said."""

    sites: dict[str, Site] = field(default_factory=dict)
    """By target."""
    applied: list[int] = field(default_factory=list)
    """Releases, in the order in which applying them began."""
    unmakeable: dict[str, str] = field(default_factory=dict)
    """Why it cannot be made."""
    crashing: dict[str, str] = field(default_factory=dict)
    """What its service says before it ends, again and again."""
    slow: set[str] = field(default_factory=set)
    """Rolled out for ever."""
    unmigratable: dict[str, str] = field(default_factory=dict)
    """Why its migration fails."""
    idle: set[str] = field(default_factory=set)
    """Its migration changes nothing."""
    undoing: dict[str, Callable[[str], str]] = field(default_factory=dict)
    """What its undo command notes in the database, given the revision that comes back. OSError: it fails so."""
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    """Of its runs of checks, one by one; the last goes on."""
    deployed: dict[str, str] = field(default_factory=dict)
    """The revision that another tool has there, by target: it follows a rollback."""
    secrets: dict[str, str] = field(default_factory=dict)
    """What the controller's environment has, by the variable of the services."""
    making_takes: timedelta = timedelta()
    rollout_takes: timedelta = timedelta()
    checks_take: timedelta = timedelta()

    def go_on(self, target: str, now: datetime) -> Site:
        """What happens there by itself, up to this moment."""
        site = self.sites[target]
        for release in site.begun_releases():
            if self.making(site, release, now).state is MakingState.DONE:
                site.kept.setdefault(release.number, self._environment(release))
        live = site.record.running
        if live is not None and live.number in site.kept and live.number != site.applying:
            self._apply(site, live, now)
        rollout = self.rollout(site, now)
        if rollout is not None and rollout.state is RolloutState.COMPLETE:
            site.answers = rollout.release
            site.up &= {rollout.release, site.record.warm}
        return site

    def making(self, site: Site, release: Release, now: datetime) -> Making:
        if release.number in site.kept:
            return Making(MakingState.DONE, steps=site.steps(release, StepState.DONE), digest=release.identity)
        if now < site.begun[release.number] + self.making_takes:
            return Making(MakingState.RUNNING, steps=site.steps(release, StepState.RUNNING))
        if reason := self._why_not_made(release):
            return Making(MakingState.FAILED, reason, reason, site.steps(release, StepState.FAILED))
        return Making(MakingState.DONE, steps=site.steps(release, StepState.DONE), digest=release.identity)

    def _why_not_made(self, release: Release) -> str:
        values = self.secrets
        for name, digest in release.secrets.items():
            if name not in values or secret_digest(values[name]) != digest:
                return f"the secret {name} is not the one that was meant"
        return self.unmakeable.get(release.revision, "")

    def _environment(self, release: Release) -> dict[str, str]:
        """Of its main service."""
        spec = release.spec.services[release.spec.main_service or next(iter(release.spec.services))]
        return {**spec.env, **release.env, **{name: self.secrets[name] for name in release.secrets}}

    def _apply(self, site: Site, release: Release, now: datetime) -> None:
        self.applied.append(release.number)
        if site.record.target in self.deployed:
            self.deployed[site.record.target] = release.revision
        runs = release.number in site.up and release.number != site.applying
        site.up &= {site.answers, site.record.warm}
        site.applying, site.since = release.number, now - (self.rollout_takes if runs else timedelta())
        site.trouble = self._undo(site, release) or self._migrate(site, release)
        if not site.trouble:
            site.up.add(release.number)

    def _undo(self, site: Site, to: Release) -> str:
        rollback = site.record.rollback
        if rollback is None or rollback.to != to.number or rollback.restored is not None:
            return ""
        for number in rollback.undo:
            bad = site.record.release(number)
            if bad is None or number in site.undone:
                continue
            try:
                site.database.append(self._undone(bad, to))
            except OSError as error:
                return f"undo #{number}: {error}"
            site.undone.add(number)
        return ""

    def _undone(self, bad: Release, to: Release) -> str:
        undo = self.undoing.get(bad.revision)
        return undo(to.revision) if undo else f"undone-{to.revision[:7]}"

    def _migrate(self, site: Site, release: Release) -> str:
        postgres = release.spec.postgres
        if postgres is None:
            return ""
        if not site.database:
            site.database.append("seeded")
        if postgres.migrate is None or release.number in site.migrated:
            return ""
        if reason := self.unmigratable.get(release.revision, ""):
            return f"migrate: {reason}"
        site.migrated[release.number] = release.revision not in self.idle
        if site.migrated[release.number]:
            site.database.append("migrated")
        return ""

    def rollout(self, site: Site, now: datetime) -> Rollout | None:
        live = site.record.running
        if live is None or site.since is None or live.number != site.applying:
            return None
        if site.trouble:
            return Rollout(live.number, RolloutState.FAILED, site.trouble, site.trouble)
        if (said := self.crashing.get(live.revision)) is not None:
            return Rollout(live.number, RolloutState.FAILED, "start web: it exited with status 3", said)
        if live.revision in self.slow or now < site.since + self.rollout_takes:
            return Rollout(live.number, RolloutState.PROGRESSING, "start web")
        return Rollout(live.number, RolloutState.COMPLETE)
