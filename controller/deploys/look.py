"""What is known of a target: what its branch has, what runs there, what people decided, what its probes said."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from controller.common.nouns import Commit, PreviewKey, short
from controller.common.spec import Spec, SpecProblem
from controller.deploys.model import Case, Draft, Probed, Rules, Seen, Verdict
from controller.deploys.ports import Journal, Targets
from controller.deploys.runs import tally
from controller.deploys.secret import secret_digest
from controller.deploys.wishes import wishes
from controller.errors import MayflyError
from controller.ports import Forge
from controller.settings import Target
from controller.specs import Specs
from smoke.documents import MAX_BYTES, DocumentError, load
from smoke.spec import Check, CheckFile

log = structlog.get_logger()
Soaked = Callable[[str, datetime], Awaitable[Probed]]
"""What the probes of a target said since."""


@dataclass(frozen=True, slots=True)
class World:
    """Where a target is looked at. `environ` is the controller's: the policy takes secrets from it."""

    forge: Forge
    targets: Targets
    journal: Journal
    specs: Specs
    environ: Mapping[str, str]
    soaked: Soaked


class Look:
    def __init__(self, world: World) -> None:
        self._world = world
        self._drafts: dict[str, Draft] = {}
        """The latest of each target."""

    async def at(self, target: Target) -> Case:
        """Raises Unavailable or Refused where its platform or History cannot be read: nothing is decided then.

        Where only the forge cannot, no head is known, and what runs is looked after all the same.
        """
        seen = await self._with_pulls(target, await self._world.targets.seen(target.name))
        decisions = (await self._world.journal.target_decisions()).get(target.name, ())
        rules = rules_of(target)
        passed_at = tally(seen, rules).passed_at
        probed = await self._world.soaked(target.name, passed_at) if passed_at is not None else Probed()
        return Case(target.name, seen, rules, await self._head(target, seen), wishes(decisions), probed)

    async def _head(self, target: Target, seen: Seen) -> Draft | None:
        try:
            return await self._draft(target, seen)
        except MayflyError as error:
            log.warning("the branch cannot be read", target=target.name, reason=error.reason)
            return None

    async def _draft(self, target: Target, seen: Seen) -> Draft | None:
        repo = target.repository
        commit = await self._world.forge.head(repo, target.branch)
        if target.watch is not None and seen.deployed and (commit is None or commit.revision != seen.deployed):
            commit = await self._world.forge.commit(repo, seen.deployed)
        if commit is None:
            return None
        known = self._drafts.get(target.name)
        if known is None or known.commit.revision != commit.revision:
            if (known := await self._read(target, commit)) is None:
                return None
            self._drafts[target.name] = known
        return self._configured(target, known)

    async def _read(self, target: Target, commit: Commit) -> Draft | None:
        """None where the forge could not say."""
        spec = await self._world.specs.of(target.repository, commit.revision)
        if spec is None:
            return None
        if isinstance(spec, SpecProblem):
            return Draft(commit, problem=spec.text)
        checks = await self._checks(target, spec, commit.revision)
        if isinstance(checks, str):
            return Draft(commit, problem=checks)
        return Draft(commit, spec, checks, pull=await self._merged(target.repository, commit.revision))

    async def _checks(self, target: Target, spec: Spec, revision: str) -> tuple[Check, ...] | str:
        """A text is what is wrong with them."""
        if target.checks is None:
            return tuple(spec.checks.smoke)
        source = await self._world.forge.read_file(target.repository, revision, target.checks, MAX_BYTES)
        if source is None:
            return f"the policy takes its checks from {target.checks}, which is not there"
        try:
            return tuple(load(source, CheckFile, f"{target.checks} at {short(revision)}").checks)
        except DocumentError as error:
            return str(error)

    async def _with_pulls(self, target: Target, seen: Seen) -> Seen:
        """The forge may learn of a merge a moment after the push; what it says now is kept with the next step."""
        releases = [
            replace(one, pull=await self._merged(target.repository, one.revision))
            if one.verdict is Verdict.PENDING and one.pull is None
            else one
            for one in seen.record.releases
        ]
        return replace(seen, record=replace(seen.record, releases=tuple(releases)))

    async def _merged(self, repo: str, revision: str) -> PreviewKey | None:
        try:
            return await self._world.forge.merged_by(repo, revision)
        except MayflyError as error:  # it is told on the commit all the same
            log.warning("nobody knows what was merged", repository=repo, revision=revision, reason=error.reason)
            return None

    def _configured(self, target: Target, draft: Draft) -> Draft:
        values = {name: self._world.environ.get(variable, "") for name, variable in target.secrets.items()}
        if missing := next((target.secrets[name] for name, value in values.items() if not value), None):
            return replace(draft, problem=f"the policy takes a secret from the variable {missing}, which is not set")
        return replace(draft, env=target.env, secrets={name: secret_digest(value) for name, value in values.items()})


def rules_of(target: Target) -> Rules:
    limits, watch = target.thresholds, target.watch
    return Rules(
        auto=target.auto,
        passes=limits.passes,
        failures=limits.failures,
        broken=limits.broken,
        pause=limits.pause,
        progress_deadline=limits.progress_deadline,
        soak=target.soak,
        soak_failures=limits.soak_failures,
        keep=target.keep,
        warm=target.warm,
        watched=watch is not None,
        may_roll_back=watch is None or bool(watch.rollback or watch.rollback_webhook),
    )
