"""Tells about deploys: the commit, the pull request that was merged, and people; each thing once."""

from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from controller.common.notices import Notice
from controller.common.telling import Tell, Telling, digest_of
from controller.deploys import report
from controller.deploys.model import Case
from controller.deploys.ports import Journal
from controller.ports import Forge
from controller.settings import Target

Post = Callable[[Collection[Notice]], Awaitable[None]]
"""Puts notices into the outbox of every route that takes them; each once, however often it is posted."""


class Speaker:
    """`dashboard` is the base URL of ours."""

    def __init__(
        self, forge: Forge, journal: Journal, post: Post, clock: Callable[[], datetime], dashboard: str
    ) -> None:
        self._forge = forge
        self._journal = journal
        self._post = post
        self._dashboard = dashboard
        self._telling: Telling[str] = Telling(journal.remember_target_said, clock)
        self._posted: set[str] = set()

    async def say(self, case: Case, target: Target) -> bool:
        """Whether anything new was said. Raises where it cannot be remembered."""
        await self._notify(report.notices(case, self._link(case)), target)
        said = (await self._journal.target_said()).get(case.target, {})
        new = [one for one in self._channels(case, target) if said.get(one[0]) != one[1]]
        due = [one for one in new if self._telling.is_due(case.target, one[0], one[1])]
        await self._telling.doubt(case.target, [channel for channel, _, _ in due], said)
        tell = partial(self._telling.tell, case.target)
        told = {channel: digest for channel, digest, words in due if await tell(channel, digest, words)}
        if told:
            await self._journal.remember_target_said(case.target, told)
        return bool(told)

    async def _notify(self, notices: Collection[Notice], target: Target) -> None:
        new = [notice for notice in notices if notice.id not in self._posted]
        if new:
            await self._post([replace(notice, routes=tuple(target.notify)) for notice in new])
            self._posted |= {notice.id for notice in new}

    def _channels(self, case: Case, target: Target) -> Iterator[tuple[str, str, Tell]]:
        link, repo = self._link(case), target.repository
        for about in report.commit_reports(case, link):
            tell = partial(self._forge.report_commit, repo, about)
            yield f"commit:{about.revision}", digest_of(about), tell
        if target.comment:
            for key, body in report.comments(case, link).items():
                tell = partial(self._forge.say, key, body, f"deploy-{case.target}")
                yield f"comment:{key}", digest_of(body), tell

    def _link(self, case: Case) -> str:
        return f"{self._dashboard}/targets/{case.target}"
