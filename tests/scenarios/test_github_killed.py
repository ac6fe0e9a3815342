"""`mayfly serve` is killed in the middle of a burst of webhooks, twice: nothing is lost, and nothing is said twice.

Most pull requests only wait for a place and are told so; a few run, and somebody presses `Re-run` at their checks.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from controller.settings import GITHUB_KEY, WEBHOOK_SECRET, Home
from tests.adapters.github.world import APP, REPO, SECRET, app_key
from tests.fakes.github import FakeGitHub, Pull, Repository
from tests.fakes.github.webhooks import Delivery
from tests.scenarios.world import free_port

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180), pytest.mark.xdist_group("killed")]
PLACES, WAITING = 2, 58
AT_ONCE = 16
"""Connections that webhooks come by."""
PATIENCE = 60
FORGED = "forged-"
SPEC = """\
services: {web: {command: "python -m http.server {port} --bind 127.0.0.1", port: 8000, health: /}}
checks: {smoke: [{name: home page, http: {path: /}}]}
"""


class Mayfly:
    """As a process, over HTTP and its home."""

    def __init__(self, folder: Path, github: FakeGitHub) -> None:
        self.port = free_port()
        self.home, self._log = Home(folder / "home"), folder / "serve.log"
        self.home.path.mkdir()
        policy = {
            "listen": f"127.0.0.1:{self.port}",
            "forge": "github",
            "github": {"api": github.api, "app_id": APP},
            "previews": {"max_alive": PLACES, "resync": "2s"},
            "local": {"path": f"{Path(sys.executable).parent}:/usr/bin:/bin", "stop_within": "1s"},
        }
        self.home.policy_file.write_text(json.dumps(policy))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks/github"

    async def start(self) -> None:
        words = [sys.executable, "-m", "controller", "serve", "--home", str(self.home.path)]
        environment = os.environ | {GITHUB_KEY: app_key()[0], WEBHOOK_SECRET: SECRET}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)  # noqa: ASYNC220 - at once
        await self.until(self._listens, "it listens")

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    async def halt(self) -> None:
        """With every process of its previews."""
        words = [sys.executable, "-m", "controller", "stop", "--home", str(self.home.path)]
        done = await asyncio.create_subprocess_exec(*words, stdout=subprocess.DEVNULL)
        assert await done.wait() == 0
        if self._process is not None:
            self._process.wait()

    def runs(self, suite: str) -> Counter[int]:
        """Kept runs by pull request."""
        with closing(sqlite3.connect(self.home.history)) as history:
            return Counter(number for (number,) in history.execute("SELECT number FROM runs WHERE suite = ?", [suite]))

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"in vain until {what}\n{self._log.read_text()[-6000:]}") from None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@asynccontextmanager
async def a_place(folder: Path) -> AsyncIterator[tuple[FakeGitHub, Repository, Mayfly]]:
    async with FakeGitHub(folder) as github:
        github.limits.points_per_minute = 10_000  # each life knows only of its own
        shop = github.repository(REPO, {".preview.yaml": SPEC})
        github.install(github.app(APP, app_key()[1]), shop)
        mayfly = Mayfly(folder, github)
        try:
            yield github, shop, mayfly
        finally:
            await mayfly.halt()


async def test_sigkill_in_the_middle_of_a_burst_loses_and_doubles_nothing(tmp_path):
    async with a_place(tmp_path) as (github, shop, mayfly):
        ada = github.user("ada", shop, permission="write")
        github.webhooks.to(mayfly.url, SECRET)
        await mayfly.start()
        running = [shop.open(f"runs-{number}", None, ada) for number in range(PLACES)]
        await mayfly.until(lambda: all(verdicts(one) == ["success"] for one in running), "their checks have passed")

        github.webhooks.hold()
        known = len(github.webhooks.deliveries)
        waiting = [shop.open(f"waits-{number}", None, ada) for number in range(WAITING)]
        for pull in running:
            pull.rerun("mayfly/smoke", ada)
        genuine = github.webhooks.deliveries[known:]
        burst = a_burst(genuine)
        answers = await tell(mayfly.url, burst, after=len(burst) // 2, then=mayfly.kill)
        for share in (WAITING // 3, WAITING * 2 // 3):
            await mayfly.start()
            await mayfly.until(lambda share=share: said(waiting) >= share, f"{share} were told")
            mayfly.kill()
        await mayfly.start()
        unheard = [one for one in genuine if one.event == "check_run" and 202 not in answers[one.id]]
        await tell(mayfly.url, unheard)  # as with the button for what GitHub knows to have failed
        await mayfly.until(lambda: said(waiting) == WAITING, "all were told")
        await mayfly.until(lambda: mayfly.runs("smoke").total() >= 2 * PLACES, "the checks have run again")
        await mayfly.until(lambda: all(verdicts(one)[1:] == ["success"] for one in running), "and that is said")

    assert [len(bots(pull)) for pull in (*running, *waiting)] == [1] * (PLACES + WAITING)
    assert all(f"all {PLACES} places for previews are taken" in bots(pull)[0] for pull in waiting)
    twice = dict.fromkeys((pull.number for pull in running), 2)  # at first, and when it was asked for
    assert mayfly.runs("smoke") == twice
    assert [len(verdicts(pull)) for pull in running] == [2] * PLACES
    assert len(shop.deployments) == PLACES
    assert 0 < len(unheard) < PLACES
    by_sender = {True: set[int](), False: set[int]()}
    for name, statuses in answers.items():
        by_sender[name.startswith(FORGED)] |= statuses
    assert by_sender == {True: {401}, False: {202}}


def verdicts(pull: Pull) -> list[str | None]:
    """Of every check run at its head, oldest first."""
    return [run.conclusion for run in pull.repo.check_runs.values() if run.head_sha == pull.head]


def said(pulls: Sequence[Pull]) -> int:
    """How many were told anything."""
    return sum(bool(bots(pull)) for pull in pulls)


def bots(pull: Pull) -> list[str]:
    return [one.body for one in pull.comments if one.user.type == "Bot"]


def a_burst(genuine: Sequence[Delivery]) -> list[Delivery]:
    """In no order, but the same each time: a third comes twice, and a tenth again from somebody without our secret.

    What was pressed first comes first, and what was pressed last comes last.
    """
    chance = random.Random(4)
    *opened, first, last = genuine
    strangers = [forged(one) for one in chance.sample(genuine, len(genuine) // 10)]
    burst = [*opened, *strangers, forged(last), *chance.sample([*opened, first], len(genuine) // 3)]
    chance.shuffle(burst)
    return [first, *burst, last]


def forged(delivery: Delivery) -> Delivery:
    return replace(delivery, id=f"{FORGED}{delivery.id}", target=replace(delivery.target, secret="a guess"))


async def tell(
    url: str, burst: Sequence[Delivery], after: int = 0, then: Callable[[], None] = lambda: None
) -> dict[str, set[int]]:
    """What each was answered, as often as it was sent; nothing where the line was cut. `then` is called `after` so many
    answers."""
    answers: dict[str, set[int]] = {one.id: set() for one in burst}
    waiting, count = iter(burst), 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:

        async def line() -> None:
            nonlocal count
            for one in waiting:
                with suppress(aiohttp.ClientError):
                    async with session.post(url, data=one.body(), headers=one.headers()) as answer:
                        answers[one.id].add(answer.status)
                    count += 1
                    if count == after:
                        then()

        await asyncio.gather(*[line() for _ in range(AT_ONCE)])
    return answers
