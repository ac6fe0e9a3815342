"""A target that another tool deploys: looked at, checked, and rolled back by telling that tool. Nothing is applied.

| | from |
| --- | --- |
| what is deployed | a label or annotation of the first workload that policy names, or of its pods |
| the rollout | all of them, by kubectl's rules |
| a rollback | policy's command or webhook, once for each; over when the workloads have the restored revision |
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from controller.adapters.kubernetes import render, runs
from controller.adapters.kubernetes.api import DEPLOYMENT, STATEFUL_SET, Stale
from controller.adapters.kubernetes.cell import LOOK_AGAIN
from controller.adapters.kubernetes.kinds import DAEMON_SET
from controller.adapters.kubernetes.main import look, standing
from controller.adapters.kubernetes.main.hand import Hand, hand
from controller.adapters.kubernetes.main.main import Main
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.shared.run import CommandFailed, run
from controller.common.spec import fill
from controller.deploys.model import Making, MakingState, Record, Rollback, Rollout, RolloutState, Seen
from controller.deploys.rollout import overall, rollout_status
from controller.errors import Refused, Unavailable
from controller.settings import Watched

Tell = Callable[[str, bytes], Awaitable[None]]
"""Posts JSON to a URL, signed as notifications are. Raises Unavailable or Refused."""
_KINDS = {"deployment": DEPLOYMENT, "statefulset": STATEFUL_SET, "daemonset": DAEMON_SET}
_log = structlog.get_logger()


class Watcher:
    """Of one target. `tell` is for webhooks."""

    def __init__(self, main: Main, watch: Watched, tell: Tell | None) -> None:
        self.main, self._watch, self._tell = main, watch, tell
        self._checked: Hand | None = None
        self._failed: Rollout | None = None
        """A rollback that could not be told."""
        self._last: object = None

    async def open(self) -> None:
        await self.main.read()

    async def run(self) -> None:
        """Until cancelled. Acts."""
        while True:
            self.main.pulse.clear()
            try:
                await self._round()
            except Stale:
                self.main.doubt()
            except (Unavailable, Refused) as error:
                _log.warning("a target waits", target=self.main.target.name, reason=error.reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self.main.pulse.wait()

    async def _round(self) -> None:
        main = self.main
        await main.read()
        rollback = main.record.rollback
        if rollback is not None and rollback.restored is None and rollback.to == main.record.live:
            await self._roll_back(rollback)
        if self._checked is not None:
            runs.collect(self._checked, main.means)
            await runs.begin_anew(self._checked, main.means)
        if (now := await self._look()) != self._last:
            self._last = now
            main.changed()

    async def _roll_back(self, rollback: Rollback) -> None:
        """Written down once it was told: told twice at worst, never forgotten."""
        main, once = self.main, f"rollback-{rollback.at.isoformat()}"
        if once in main.state.done:
            return
        words = _words(main.record, rollback)
        try:
            await self._told(words)
        except (CommandFailed, Refused) as error:
            self._failed = Rollout(rollback.to, RolloutState.FAILED, f"the rollback could not be told: {error.reason}")
        await main.change(lambda state: replace(state, done=(*state.done, once)[-100:]))

    async def _told(self, words: dict[str, str]) -> None:
        if self._watch.rollback:
            command = tuple(fill(word, words) for word in self._watch.rollback)
            await run(*command, env=dict(os.environ))
        elif self._watch.rollback_webhook and self._tell is not None:
            await self._tell(self._watch.rollback_webhook, json.dumps(words).encode())
        else:
            raise Refused("policy names neither a command nor a webhook for it")

    async def seen(self) -> Seen:
        main = self.main
        await main.read()
        workloads = await self._look()
        done = {release.number: Making(MakingState.DONE) for release in main.record.releases}
        deployed = _revision(workloads, self._watch.revision)
        rollout = self._rollout(workloads, deployed) if main.record.live else None
        url = main.means.url(main.target.name)
        made = Seen(main.record, main.version, done, rollout, look.jobs(main), url=url, deployed=deployed)
        return made if main.version else Seen(main.record, "", url=url, deployed=deployed)

    def _rollout(self, workloads: list[Obj | None], deployed: str) -> Rollout:
        live = self.main.record.live
        if self._failed is not None and self._failed.release == live:
            return self._failed
        running = self.main.record.running
        if running is not None and deployed and not _same(running.revision, deployed):
            return Rollout(live, RolloutState.PROGRESSING, f"{deployed[:12]} is deployed there")
        missing = [name for name, found in zip(self._watch.workloads, workloads, strict=True) if found is None]
        if missing:
            return Rollout(live, RolloutState.PROGRESSING, f"there is no {missing[0]}")
        now = overall(rollout_status(standing.observed(one)) for one in workloads if one is not None)
        return Rollout(live, now.state, now.message)

    async def _look(self) -> list[Obj | None]:
        named = [name.partition("/") for name in self._watch.workloads]
        found = [await self.main.means.api.get(_KINDS[kind], name, self.main.namespace) for kind, _, name in named]
        return [_bare(one, _KINDS[kind].kind) for one, (kind, *_) in zip(found, named, strict=True)]

    async def run_checks(self, number: int, order: int) -> None:
        """In the target's namespace, against its URL. Raises Unavailable, or Refused where there are none."""
        main = self.main
        now, release = (await self.seen()).rollout, main.record.release(number)
        if now is None or release is None or (now.release, now.state) != (number, RolloutState.COMPLETE):
            raise Unavailable(f"#{number} is not live and rolled out")
        if self._checked is None or self._checked.number != number:
            self._checked = await hand(main, release, None)
            await main.means.api.apply(render.account(self._checked.place, self._checked.kubernetes), force=True)
        await runs.start(self._checked, main.means, "smoke", order, main.means.url(main.target.name))
        main.changed()

    async def stop(self) -> None:
        readers = list(self._checked.readers.values()) if self._checked else []
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


def _bare(obj: Obj | None, kind: str) -> Obj | None:
    """Without what changes though nothing has."""
    if obj is None:
        return None
    metadata = {key: value for key, value in obj["metadata"].items() if key not in {"managedFields", "resourceVersion"}}
    return {**obj, "kind": kind, "metadata": metadata}


def _words(record: Record, rollback: Rollback) -> dict[str, str]:
    to, bad = record.release(rollback.to), record.release(rollback.bad)
    known = {"to": to.revision if to else "", "bad": bad.revision if bad else ""}
    return {"target": record.target, **known, "because": rollback.because}


def _revision(workloads: list[Obj | None], name: str) -> str:
    """Empty where it cannot be told. What its pods say goes first: `kubectl rollout undo` brings that back, and leaves
    the workload's own labels as they are."""
    if (first := workloads[0]) is None:
        return ""
    about = (first["spec"]["template"].get("metadata") or {}, first["metadata"])
    told = [one.get(where) or {} for one in about for where in ("labels", "annotations")]
    return next((str(one[name]) for one in told if one.get(name)), "")


def _same(revision: str, deployed: str) -> bool:
    """It may be told by its first characters: seven at least."""
    return revision == deployed or (len(deployed) >= 7 and revision.startswith(deployed))
