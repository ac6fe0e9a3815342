"""Who works for a target: one makes a release, one brings the live one about; what neither needs any more goes.

| the record has | worker |
| --- | --- |
| a pending release that is not made | makes it; one at a time, the newest first |
| `live`, and that is made | undoes what has to be undone, brings it about, and watches it then |
| a release no more that was begun | its Jobs and Secrets are removed |
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from controller.adapters.kubernetes import runs, services
from controller.adapters.kubernetes.api import Stale
from controller.adapters.kubernetes.cell import LOOK_AGAIN
from controller.adapters.kubernetes.main import apply, make, tidy
from controller.adapters.kubernetes.main.hand import Hand, hand
from controller.adapters.kubernetes.main.main import Main
from controller.adapters.kubernetes.main.state import Kept
from controller.adapters.kubernetes.reach import Reach
from controller.adapters.kubernetes.retry import Backoff
from controller.adapters.shared.steps import StepFailed
from controller.deploys.model import Making, MakingState, Release, Rollback, Rollout, RolloutState, Verdict
from controller.errors import Refused, Unavailable

GIVE_WAY = 5.0
"""Seconds that another controller, which acted on a target, is left alone with it."""
_log = structlog.get_logger()


class Tender:
    """`secrets`: the controller's environment."""

    def __init__(self, main: Main, reach: Reach, secrets: Mapping[str, str]) -> None:
        self.main = main
        self.live: Hand | None = None
        """Of the release that the record says is live."""
        self.serving: Hand | None = None
        """Of the one that people are led to."""
        self.making: Hand | None = None
        self._reach, self._secrets = reach, secrets
        self._leads = False
        self._maker: asyncio.Task[None] | None = None
        self._applier: asyncio.Task[None] | None = None
        self._wanted: tuple[int, datetime | None] = (0, None)
        self._leading = asyncio.Lock()
        """Held by whoever changes where people are led to, and how it is reached."""

    async def open(self) -> None:
        """Finds where people are led to. Raises Unavailable or Refused."""
        await self.main.read()
        await self._find()

    async def _find(self) -> None:
        """As it was last written down, by whomever."""
        main = self.main
        found = main.record.release(main.state.serving)
        if found is None or (self.serving is not None and self.serving.number == found.number):
            return
        if (kept := await main.kept(found.number)) is not None:
            await self._lead_to(await hand(main, found, kept))

    async def run(self) -> None:
        """Until cancelled. Acts."""
        self._leads, backoff = True, Backoff(0.5, 30.0)
        while True:
            self.main.pulse.clear()
            try:
                await self._round()
                backoff.reset()
            except Stale as error:
                _log.info("begun anew", target=self.main.target.name, reason=error.reason)
                self.main.doubt()
                await asyncio.sleep(GIVE_WAY)
            except (Unavailable, Refused) as error:
                _log.warning("a target waits", target=self.main.target.name, reason=error.reason)
                await asyncio.sleep(backoff.pause(error.retry_after if isinstance(error, Unavailable) else None))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self.main.pulse.wait()

    async def watch(self) -> None:
        """Until cancelled. Only sees what whoever leads has done."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            self.main.doubt()
            with contextlib.suppress(Unavailable, Refused):
                await self.main.read()
                await self._find()
                if self.serving is not None and self.serving.number == self.main.record.live:
                    self.live = self.serving
                    self.main.roll(Rollout(self.live.number, RolloutState.COMPLETE))

    async def stop(self) -> None:
        self._leads = False
        readers = self.serving.readers.values() if self.serving else ()
        tasks = [task for task in (self._maker, self._applier, *readers) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._maker = self._applier = None
        self._wanted = (0, None)

    async def hear(self) -> None:
        """Something changed in its namespace."""
        for one in self.main.hands:
            one.stir()
        async with self._leading:
            if self.serving is not None:
                await self._reach.refresh(self.serving)
        if self.serving is not None and self._leads:
            runs.collect(self.serving, self.main.means)
        self.main.changed()

    async def _round(self) -> None:
        main = self.main
        await main.read()
        await self._make()
        await self._apply()
        await tidy.forget(main, self.making, self.serving)
        if self.serving is not None:
            runs.collect(self.serving, main.means)
            await runs.begin_anew(self.serving, main.means)
        if main.rollout is not None and self.live is not None and main.rollout.state is not RolloutState.PROGRESSING:
            await self._watch_over(self.live)

    async def _make(self) -> None:
        pending = [one for one in self.main.record.releases if one.verdict is Verdict.PENDING]
        wanted = [one for one in reversed(pending) if one.number not in self.main.state.failed]
        under_way = self.making.number if self._maker is not None and self.making is not None else 0
        if self._maker is not None and (self._maker.done() or under_way not in {one.number for one in pending}):
            await _ended(self._maker)
            self._maker = self.making = None
        for release in wanted:
            if self._maker is None and await self.main.kept(release.number) is None:
                self._maker = asyncio.create_task(self._made(release))

    async def _made(self, release: Release) -> None:
        main, number = self.main, release.number
        backoff = Backoff(0.5, 30.0)
        while True:
            await main.change(lambda state: replace(state, begun=tuple(dict.fromkeys((*state.begun, number)))))
            self.making = one = await hand(main, release, None)
            try:
                await main.keep(await make.make(one, main.means, release, self._secrets))
            except Stale:
                main.doubt()
                await asyncio.sleep(GIVE_WAY)
            except Unavailable as error:
                one.show(reason=error.reason)
                await asyncio.sleep(backoff.pause(error.retry_after))
            except (StepFailed, Refused) as error:
                await _give_up(one, error)
                break
            else:
                break
        main.changed()

    async def _apply(self) -> None:
        """Begins with what is live now, unless that is under way or done."""
        main, rollback = self.main, _under_way(self.main)
        wanted = (main.record.live, rollback.at if rollback else None)
        release, kept = main.record.release(wanted[0]), await main.kept(wanted[0]) if wanted[0] else None
        if self._wanted[0] != wanted[0] or (rollback is not None and self._wanted != wanted):
            await _ended(*([self._applier] if self._applier else []))
            self._applier, self._wanted = None, wanted
            main.roll(None)
        dead = self._applier is not None and self._applier.done() and main.rollout is None
        if release is not None and kept is not None and (self._applier is None or dead):
            self.live = await hand(main, release, kept)
            self._applier = asyncio.create_task(self._applied(self.live, kept, rollback))

    async def _applied(self, one: Hand, kept: Kept, rollback: Rollback | None) -> None:
        main, backoff = self.main, Backoff(0.5, 30.0)
        while True:
            try:
                if rollback is not None:
                    await apply.undo(main, rollback)
                one.recall()
                await apply.bring_about(one, main.means, kept)
                await self._lead_to(one)
                await main.change(lambda state: replace(state, serving=one.number))
                main.roll(Rollout(one.number, RolloutState.COMPLETE))
            except Stale as error:
                one.show(reason=error.reason)
                main.doubt()
                await asyncio.sleep(GIVE_WAY)
            except Unavailable as error:
                one.show(reason=error.reason)
                await asyncio.sleep(backoff.pause(error.retry_after))
            except (StepFailed, Refused) as error:
                self._fail(one, error.reason, error.logs if isinstance(error, StepFailed) else "")
                return
            else:
                return

    def _fail(self, one: Hand, reason: str, logs: str) -> None:
        self.main.roll(Rollout(one.number, RolloutState.FAILED, one.redact(reason), one.redact(logs)))

    async def _lead_to(self, one: Hand) -> None:
        """People are led there from here on."""
        async with self._leading:
            await self._reach.refresh(one)
            readers = self.serving.readers.values() if self.serving is not None and self.serving is not one else ()
            await _ended(*readers)
            self.serving = one
        self.main.changed()

    async def _watch_over(self, one: Hand) -> None:
        """What was rolled out may keep crashing, and work again; once it works, what no release needs goes."""
        main = self.main
        if self.serving is not one or main.rollout is None:
            return
        crashed, trouble = services.why_crashed(one)
        if crashed is not None and trouble is not None and main.rollout.state is RolloutState.COMPLETE:
            said = await services.last_words(one, crashed, trouble)
            self._fail(one, f"{crashed['metadata']['name']} keeps crashing: {trouble.reason}", said)
        elif crashed is None and main.rollout.state is RolloutState.FAILED and services.all_work(one):
            main.roll(Rollout(one.number, RolloutState.COMPLETE))
        if main.rollout.state is RolloutState.COMPLETE:
            await tidy.prune(main, self.making)


async def _give_up(one: Hand, error: StepFailed | Refused) -> None:
    """It cannot be made, and is not tried again."""
    logs = one.redact(error.logs) if isinstance(error, StepFailed) else ""
    failed = Making(MakingState.FAILED, one.redact(error.reason), logs, one.record.steps)
    await one.main.change(lambda state: replace(state, failed={**state.failed, one.number: failed}))


def _under_way(main: Main) -> Rollback | None:
    """The rollback that is carried out now."""
    rollback = main.record.rollback
    return rollback if rollback is not None and rollback.restored is None and rollback.to == main.record.live else None


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
