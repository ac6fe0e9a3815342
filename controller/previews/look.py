"""What there is: the forge, the platform and History read into cases, or not at all.

What is missing from a list is read by number: only that proves it closed. Where the forge cannot be read, a preview is
looked after by what the forge said last; nothing that may have changed since is decided about it.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import structlog

from controller.common.errands import each
from controller.common.nouns import PreviewKey
from controller.common.spec import FILE, Spec, SpecProblem
from controller.common.words import CheckStatus
from controller.errors import Refused, Unavailable
from controller.ports import Forge, History, Platform
from controller.previews.commands import fold
from controller.previews.model import Awaited, Case, Decision, Ending, Preview, PullRequest
from controller.settings import Allowed, Kubernetes
from controller.specs import Specs

log = structlog.get_logger()
FEW = 10
"""Pull requests of one repository that are cheaper to read one by one than to list all."""


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
    """One look. `unread` says what the forge could not be asked, and why."""

    cases: tuple[Case, ...]
    previews: tuple[Preview, ...]
    memory: Memory
    unread: tuple[str, ...] = ()


class Look:
    """`kubernetes` is the policy of the cluster; None where previews are processes of this machine."""

    def __init__(
        self,
        forge: Forge,
        platform: Platform,
        history: History,
        allowed: Allowed,
        kubernetes: Kubernetes | None = None,
    ) -> None:
        self._forge = forge
        self._platform = platform
        self._history = history
        self._specs = Specs(forge, allowed, kubernetes)
        self._last: dict[PreviewKey, PullRequest] = {}
        """What the forge said last of every open pull request."""

    async def everything(self) -> World:
        """Raises Unavailable or Refused where the platform or History cannot be read."""
        previews, memory = await self._ours()
        pulls, unread = await self._all_open({preview.key.repo for preview in previews})
        missing = {preview.key for preview in previews} | {key for key in memory.endings if memory.farewell_due(key)}
        more, problems = await self._pulls([key for key in missing - pulls.keys() if key.repo not in unread])
        known: dict[PreviewKey, PullRequest | None] = {**pulls, **more}
        self._remember(known, forget=not unread and not problems)
        cases = await self._cases(known, previews, memory)
        return World(cases, previews, memory, (*(f"{repo}: {why}" for repo, why in unread.items()), *problems))

    async def _all_open(self, ours: Collection[str]) -> tuple[dict[PreviewKey, PullRequest], dict[str, str]]:
        """Every open pull request, and why it is not known of which repositories (of `ours`, where of none)."""
        try:
            repositories = await self._forge.repositories()
        except (Unavailable, Refused) as error:
            return {}, dict.fromkeys(ours or ("the forge",), error.reason)
        answers = dict(zip(repositories, await each(self._open_pulls, repositories), strict=True))
        unread = {repo: answer for repo, answer in answers.items() if isinstance(answer, str)}
        return {pull.key: pull for got in answers.values() if not isinstance(got, str) for pull in got}, unread

    def _remember(self, pulls: Mapping[PreviewKey, PullRequest | None], *, forget: bool = False) -> None:
        before = {} if forget else {key: pull for key, pull in self._last.items() if key not in pulls}
        self._last = before | {key: pull for key, pull in pulls.items() if pull is not None and pull.is_open}

    async def at(self, keys: Collection[PreviewKey]) -> World:
        """The same for a few pull requests; `previews` is whole all the same. Raises as `everything` does."""
        previews, memory = await self._ours()
        listed = await self._listed(keys)
        more, problems = await self._pulls(set(keys) - listed.keys())
        known = {**listed, **more}
        self._remember(known)
        here = [preview for preview in previews if preview.key in keys]
        return World(await self._cases(known, here, memory), previews, memory, problems)

    async def _listed(self, keys: Collection[PreviewKey]) -> dict[PreviewKey, PullRequest]:
        """Those of repositories where many are asked for, as far as its list has them."""
        count = Counter(key.repo for key in keys)
        answers = await each(self._open_pulls, [repo for repo in count if count[repo] > FEW])
        pulls = [pull for answer in answers if not isinstance(answer, str) for pull in answer]
        return {pull.key: pull for pull in pulls if pull.key in keys}

    async def _ours(self) -> tuple[tuple[Preview, ...], Memory]:
        previews = await self._platform.previews()
        decisions, endings, said = await asyncio.gather(
            self._history.decisions(), self._history.endings(), self._history.said()
        )
        return previews, Memory(decisions, endings, said)

    async def _pulls(
        self, keys: Collection[PreviewKey]
    ) -> tuple[dict[PreviewKey, PullRequest | None], tuple[str, ...]]:
        asked = sorted(keys)
        answers = dict(zip(asked, await each(self._pull, asked), strict=True))
        pulls = {key: answer for key, answer in answers.items() if not isinstance(answer, str)}
        return pulls, tuple(f"{key}: {answer}" for key, answer in answers.items() if isinstance(answer, str))

    async def _pull(self, key: PreviewKey) -> PullRequest | str | None:
        """Or why it could not be read."""
        try:
            return await self._forge.pull(key)
        except (Unavailable, Refused) as error:
            return error.reason

    async def _open_pulls(self, repo: str) -> tuple[PullRequest, ...] | str:
        """Or why they could not be read."""
        try:
            return await self._forge.open_pulls(repo)
        except (Unavailable, Refused) as error:
            return error.reason

    async def _cases(
        self, pulls: Mapping[PreviewKey, PullRequest | None], previews: Collection[Preview], memory: Memory
    ) -> tuple[Case, ...]:
        """Of every pull request that was read, and of every preview whose pull request could not be."""
        by_key = {preview.key: preview for preview in previews}
        stale = by_key.keys() - pulls.keys()
        asked = {**pulls, **{key: self._last.get(key) for key in sorted(stale)}}
        cases = await each(lambda at: self._case(*at, by_key.get(at[0]), memory), asked.items())
        return tuple(replace(case, stale=True) if case.key in stale else case for case in cases)

    async def _case(self, key: PreviewKey, pull: PullRequest | None, preview: Preview | None, memory: Memory) -> Case:
        spec = await self._specs.of(pull.key.repo, pull.head) if pull is not None and pull.is_open else None
        if pull is not None and isinstance(spec, Spec) and spec.trigger.paths:
            pull, spec = await self._with_paths(pull, spec)
        awaited: Awaited | SpecProblem = Awaited()
        if pull is not None and isinstance(spec, Spec) and (preview is None or preview.revision != pull.head):
            awaited = await self._awaited(pull, spec.trigger.after)
        return Case(
            key=key,
            pull=pull,
            preview=preview,
            spec=awaited if isinstance(awaited, SpecProblem) else spec,
            wishes=fold(memory.decisions.get(key, ())),
            ending=memory.endings.get(key),
            awaited=awaited if isinstance(awaited, Awaited) else Awaited(),
        )

    async def _with_paths(self, pull: PullRequest, spec: Spec) -> tuple[PullRequest, Spec | None]:
        """No spec where the forge does not say what is changed: whether it is wanted cannot be told in this round."""
        try:
            return replace(pull, paths=await self._forge.changed_paths(pull)), spec
        except (Unavailable, Refused) as error:
            log.warning("its files could not be read", pull=str(pull.key), reason=error.reason)
            return pull, None

    async def _awaited(self, pull: PullRequest, names: Collection[str]) -> Awaited | SpecProblem:
        """Of checks that the head has to have passed before it is deployed. A forge without any is the spec's problem:
        it would wait for ever."""
        if not names:
            return Awaited()
        try:
            checks = await self._forge.other_checks(pull, names)
        except (Unavailable, Refused) as error:
            log.warning("its checks could not be read", pull=str(pull.key), reason=error.reason)
            return Awaited(unread=error.reason)
        if checks is None:
            return SpecProblem(f"{FILE} at {pull.head[:7]}: `trigger.after`: nobody but us reports checks here")
        return Awaited(
            missing=tuple(name for name in names if checks.get(name) not in {CheckStatus.SUCCESS, CheckStatus.FAILURE}),
            failed=tuple(name for name in names if checks.get(name) is CheckStatus.FAILURE),
        )
