"""What there is: the forge, the platform and History read into cases, or not at all.

A repository that cannot be read whole gives no cases in this round, so nothing about it is decided. What is missing
from a list is read by number: only that proves it closed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import structlog

from controller.errors import MayflyError, Refused, Unavailable
from controller.ports import Forge, History, Platform
from controller.previews.commands import fold
from controller.previews.model import Case, Decision, Ending, Preview, PreviewKey, PullRequest, SpecProblem
from controller.previews.spec import FILE, Spec, parse
from controller.settings import Allowed
from smoke.documents import MAX_BYTES, DocumentError

log = structlog.get_logger()
SPECS_KEPT = 500


@dataclass(frozen=True, slots=True)
class Memory:
    """History, as a round needs it."""

    decisions: Mapping[PreviewKey, tuple[Decision, ...]] = field(default_factory=dict)
    endings: Mapping[PreviewKey, Ending] = field(default_factory=dict)
    said: Mapping[PreviewKey, Mapping[str, str]] = field(default_factory=dict)

    def farewell_due(self, key: PreviewKey) -> bool:
        ending = self.endings.get(key)
        return ending is not None and self.said.get(key, {}).get(FAREWELL) != farewell(ending)


FAREWELL = "farewell"


def farewell(ending: Ending) -> str:
    """What is remembered once everything about an ending was said."""
    return ending.at.isoformat()


@dataclass(frozen=True, slots=True)
class World:
    """One look. `unread` says why some pull requests are not in it."""

    cases: tuple[Case, ...]
    previews: tuple[Preview, ...]
    memory: Memory
    unread: tuple[str, ...] = ()


class Look:
    def __init__(self, forge: Forge, platform: Platform, history: History, allowed: Allowed) -> None:
        self._forge = forge
        self._platform = platform
        self._history = history
        self._specs = Specs(forge, allowed)

    async def everything(self) -> World:
        """Raises Unavailable or Refused where the platform or History cannot be read."""
        previews, memory = await self._ours()
        repositories = await self._forge.repositories()
        pulls: dict[PreviewKey, PullRequest] = {}
        unread: dict[str, str] = {}
        for repo in repositories:
            try:
                pulls |= {pull.key: pull for pull in await self._forge.open_pulls(repo)}
            except (Unavailable, Refused) as error:
                unread[repo] = error.reason
        missing = {preview.key for preview in previews} | {key for key in memory.endings if memory.farewell_due(key)}
        keys = [key for key in missing - pulls.keys() if key.repo not in unread]
        more, problems = await self._pulls(keys)
        cases = [await self._case(key, pull, previews, memory) for key, pull in {**pulls, **more}.items()]
        return World(tuple(cases), previews, memory, (*(f"{repo}: {why}" for repo, why in unread.items()), *problems))

    async def at(self, keys: Collection[PreviewKey]) -> World:
        """The same for a few pull requests; `previews` is whole all the same. Raises as `everything` does."""
        previews, memory = await self._ours()
        pulls, problems = await self._pulls(keys)
        cases = [await self._case(key, pull, previews, memory) for key, pull in pulls.items()]
        return World(tuple(cases), previews, memory, problems)

    async def _ours(self) -> tuple[tuple[Preview, ...], Memory]:
        previews = await self._platform.previews()
        decisions, endings, said = await asyncio.gather(
            self._history.decisions(), self._history.endings(), self._history.said()
        )
        return previews, Memory(decisions, endings, said)

    async def _pulls(
        self, keys: Collection[PreviewKey]
    ) -> tuple[dict[PreviewKey, PullRequest | None], tuple[str, ...]]:
        pulls: dict[PreviewKey, PullRequest | None] = {}
        problems: list[str] = []
        for key in sorted(keys):
            try:
                pulls[key] = await self._forge.pull(key)
            except (Unavailable, Refused) as error:
                problems.append(f"{key}: {error.reason}")
        return pulls, tuple(problems)

    async def _case(
        self, key: PreviewKey, pull: PullRequest | None, previews: tuple[Preview, ...], memory: Memory
    ) -> Case:
        return Case(
            key=key,
            pull=pull,
            preview=next((preview for preview in previews if preview.key == key), None),
            spec=await self._specs.of(pull) if pull is not None and pull.is_open else None,
            wishes=fold(memory.decisions.get(key, ())),
            ending=memory.endings.get(key),
        )


class Specs:
    """Specs by revision. A revision never changes, so each is read once; what could not be read is tried again."""

    def __init__(self, forge: Forge, allowed: Allowed) -> None:
        self._forge = forge
        self._allowed = allowed
        self._known: OrderedDict[tuple[str, str], Spec | SpecProblem] = OrderedDict()

    async def of(self, pull: PullRequest) -> Spec | SpecProblem | None:
        """None where the forge could not say; that is for another round."""
        at = (pull.key.repo, pull.head)
        if at not in self._known:
            try:
                self._known[at] = await self._read(*at)
            except MayflyError as error:
                log.warning("the spec could not be read", pull=str(pull.key), reason=error.reason)
                return None
            if len(self._known) > SPECS_KEPT:
                self._known.popitem(last=False)
        return self._known[at]

    async def _read(self, repo: str, revision: str) -> Spec | SpecProblem:
        source = await self._forge.read_file(repo, revision, FILE, MAX_BYTES)
        if source is None:
            return SpecProblem(f"There is no {FILE} at {revision[:7]}. `mayfly init` writes one.")
        try:
            spec = parse(source, revision)
        except DocumentError as error:
            return SpecProblem(str(error))
        for path in spec.files():
            if await self._forge.read_file(repo, revision, path, 0) is None:
                return SpecProblem(
                    f"{FILE} at {revision[:7]} names {path}, which is not a file there (a link is none)."
                )
        if refused := why_refused(spec, self._allowed):
            return SpecProblem(f"{FILE} at {revision[:7]}: {refused}")
        return spec


def why_refused(spec: Spec, allowed: Allowed) -> str:
    """What the policy does not allow of a spec; empty where it is all allowed."""
    if len(spec.services) > allowed.services:
        return f"it has {len(spec.services)} services; the policy allows {allowed.services}"
    for name, service in spec.services.items():
        if service.build is not None and not allowed.build:
            return f"service `{name}` has a `build`, which the policy does not allow"
        if service.resources.memory > allowed.memory:
            return f"service `{name}` asks for more memory than the policy allows ({allowed.memory:,} bytes)"
        if service.command is None:
            return f"service `{name}` has no `command`; this platform does not run images"
    kinds = {check.kind for checks in spec.checks.suites().values() for check in checks}
    if "command" in kinds and not allowed.command_checks:
        return "it has `command` checks, which the policy does not allow"
    if "browser" in kinds and not allowed.browser_checks:
        return "it has `browser` checks, which the policy does not allow"
    return ""
