"""Webhooks: signed deliveries, sent in the background, in order; lost, doubled, held back or sent again on demand."""

import asyncio
import hashlib
import hmac
import json
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fakes.github.people import App
from tests.fakes.github.repositories import Repository
from tests.fakes.github.state import State

SECONDS = 10.0
"""GitHub waits no longer for an answer."""


@dataclass
class Target:
    id: int
    url: str
    secret: str
    app: App | None


@dataclass
class Delivery:
    id: str
    event: str
    payload: dict[str, Any]
    target: Target
    target_id: int
    answers: list[int] = field(default_factory=list)
    """A status for each time that it was sent; 0 where nobody answered."""

    @property
    def action(self) -> str:
        return str(self.payload.get("action", ""))

    def body(self) -> bytes:
        return json.dumps(self.payload).encode()

    def headers(self) -> dict[str, str]:
        body = self.body()
        headers = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/f4ke",
            "X-GitHub-Delivery": self.id,
            "X-GitHub-Event": self.event,
            "X-GitHub-Hook-ID": str(self.target.id),
            "X-GitHub-Hook-Installation-Target-ID": str(self.target_id),
            "X-GitHub-Hook-Installation-Target-Type": "integration" if self.target.app else "repository",
        }
        if not self.target.secret:
            return headers
        key = self.target.secret.encode()
        old = {"X-Hub-Signature": f"sha1={hmac.new(key, body, hashlib.sha1).hexdigest()}"}
        return headers | old | {"X-Hub-Signature-256": f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"}


class Webhooks:
    def __init__(self, state: State) -> None:
        self._state = state
        state.tell.post = self._post
        self._targets: list[Target] = []
        self.deliveries: list[Delivery] = []
        """All that were made, those that were lost included."""
        self._lose = self._double = 0
        self._waiting: deque[Delivery] = deque()
        self._held = False
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def to(self, url: str, secret: str = "", app: App | None = None) -> None:
        """From now on, of this App (where there is only one: of that), or where there is none, of every repository."""
        apps = list(self._state.apps.values())
        target = Target(self._state.next_id(), url, secret, app or (apps[0] if len(apps) == 1 else None))
        self._targets.append(target)
        self._state.tell.listening = True

    def stop(self) -> None:
        """Nobody is told any more."""
        self._targets.clear()
        self._state.tell.listening = False

    def ping(self) -> None:
        for target in self._targets:
            hook = {"type": "App" if target.app else "Repository", "id": target.id, "active": True, "events": ["*"]}
            said = {"zen": "One thing at a time.", "hook_id": target.id, "hook": hook}
            self._make("ping", said, target, target.app.id if target.app else 0)

    def lose(self, count: int = 1) -> None:
        """The next ones are never sent."""
        self._lose += count

    def duplicate(self, count: int = 1) -> None:
        """The next ones are sent twice, with the same id."""
        self._double += count

    def hold(self) -> None:
        self._held = True

    def release(self, *, backwards: bool = False) -> None:
        """Sends what was held back: in order, or the newest first."""
        self._held = False
        if backwards:
            self._waiting.reverse()
        self._wake.set()

    def redeliver(self, delivery: str) -> None:
        """The same id and the same body, as with the button."""
        self._queue(next(one for one in self.deliveries if one.id == delivery))

    async def settled(self) -> None:
        """Everything has been sent and answered."""
        await self._idle.wait()

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._send_all())

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _post(self, event: str, payload: dict[str, Any], app: App | None, repo: Repository | None) -> None:
        for target in self._targets:
            if target.app is app:
                self._make(event, payload, target, app.id if app else repo.id if repo else 0)

    def _make(self, event: str, payload: dict[str, Any], target: Target, target_id: int) -> None:
        frozen = json.loads(json.dumps(payload))
        delivery = Delivery(str(uuid.uuid4()), event, frozen, target, target_id)
        self.deliveries.append(delivery)
        if self._lose:
            self._lose -= 1
            return
        self._queue(delivery)
        if self._double:
            self._double -= 1
            self._queue(delivery)

    def _queue(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        self._idle.clear()
        self._wake.set()

    async def _send_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                while self._waiting and not self._held:
                    await self._send(session, self._waiting.popleft())
                if not self._waiting:
                    self._idle.set()
                self._wake.clear()
                await self._wake.wait()

    async def _send(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        try:
            async with session.post(delivery.target.url, data=delivery.body(), headers=delivery.headers()) as response:
                delivery.answers.append(response.status)
        except (aiohttp.ClientError, TimeoutError):
            delivery.answers.append(0)
