"""Webhooks come in: proven, read, kept, and told on once."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from benchmarks.webhooks import a_burst_that_is_cut
from controller.adapters.github import inbox as module
from controller.adapters.github import keeping
from controller.adapters.github.inbox import Inbox
from controller.adapters.github.signature import Signatures
from controller.adapters.history import open_history, sqlite_url
from controller.common.nouns import PreviewKey
from controller.ports import Ledger, Receipt
from controller.previews.model import Delivery
from tests.fakes.history import FakeHistory

SECRET = "between us"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = PreviewKey("acme/shop", 7)
REPOSITORY = {"id": 1, "full_name": "acme/shop"}
OPENED = {"action": "opened", "repository": REPOSITORY, "pull_request": {"number": 7}}
PRESSED = {
    "action": "rerequested",
    "repository": REPOSITORY,
    "sender": {"login": "ada"},
    "check_run": {"name": "mayfly/smoke", "app": {"id": 1}, "external_id": "acme/shop#7:smoke:aaa:0"},
}


class World:
    """An inbox; what rang, what was counted, and when it is."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.rung: list[Delivery] = []
        self.counted: list[tuple[str, str]] = []
        self.inbox = Inbox(Signatures(SECRET), ledger, self.rung.append, lambda _, app: app == 1, lambda: NOON, self)

    def heard(self, event: str, outcome: str) -> None:
        self.counted.append((event, outcome))

    async def tell(
        self, name: str = "1", payload: object = OPENED, event: str = "pull_request", **headers: str
    ) -> Receipt:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        known = {
            "content-type": "application/json",
            "x-github-delivery": name,
            "x-github-event": event,
            "x-hub-signature-256": f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}",
        }
        return await self.inbox.receive(known | {key.replace("_", "-"): value for key, value in headers.items()}, body)


@pytest.fixture
def history() -> FakeHistory:
    return FakeHistory()


@pytest.fixture
def world(history: FakeHistory) -> World:
    return World(history)


async def test_what_is_new_is_kept_and_rings(world: World, history: FakeHistory):
    assert await world.tell() == Receipt(202, "heard")
    assert world.rung == [Delivery("1", NOON, "pull_request", "acme/shop", KEY)]
    assert list(history.kept_deliveries.values()) == world.rung
    assert world.counted == [("pull_request", "new")]


async def test_what_somebody_pressed_is_kept_with_who_did(world: World, history: FakeHistory):
    await world.tell(payload=PRESSED, event="check_run")
    assert await history.asked() == {KEY: (Delivery("1", NOON, "check_run", "acme/shop", KEY, "checks smoke", "ada"),)}


async def test_what_came_before_rings_nobody(world: World):
    await world.tell()
    assert await world.tell() == Receipt(202, "seen before")
    assert len(world.rung) == 1


async def test_two_that_come_at_once_ring_once(world: World):
    answers = await asyncio.gather(*[world.tell() for _ in range(5)])
    assert sorted(answer.reason for answer in answers) == ["heard", *["seen before"] * 4]
    assert len(world.rung) == 1


async def test_what_came_to_another_controller_or_before_a_restart_rings_nobody(world: World, history: FakeHistory):
    await world.tell()
    other = World(history.beside())
    assert await other.tell() == Receipt(202, "seen before")
    assert other.rung == []


async def test_what_memory_forgot_history_knows(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "REMEMBERED", 2)
    for name in ("1", "2", "3", "1"):
        await world.tell(name)
    assert len(world.rung) == 3
    assert len(world.inbox._seen) == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"x_hub_signature_256": "sha256=" + "0" * 64}, 401, id="signed by a stranger"),
        pytest.param({"x_hub_signature_256": ""}, 401, id="not signed"),
        pytest.param({"x_hub_signature_256": "", "x_hub_signature": "sha1=" + "0" * 40}, 401, id="SHA-1"),
        pytest.param({"content_type": "application/x-www-form-urlencoded"}, 415, id="a form"),
        pytest.param({"content_type": ""}, 415, id="no content type"),
        pytest.param({"x_github_delivery": ""}, 400, id="no id"),
        pytest.param({"x_github_delivery": "a" * 65}, 400, id="an id too long"),
        pytest.param({"x_github_delivery": "1\n2"}, 400, id="an id of two lines"),
        pytest.param({"x_github_delivery": "1/0"}, 400, id="an id that could be a part of another"),
        pytest.param({"x_github_event": ""}, 400, id="no event"),
        pytest.param({"x_github_event": "push; DROP"}, 400, id="an event that is none"),
    ],
)
async def test_what_is_not_as_github_sends_it_is_refused(
    world: World, history: FakeHistory, headers: dict[str, str], status: int
):
    assert (await world.tell(**headers)).status == status
    assert (world.rung, history.kept_deliveries) == ([], {})


async def test_an_id_as_long_as_it_may_be_is_taken(world: World):
    assert (await world.tell("a" * 64)).reason == "heard"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half of it"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep where nobody looks"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
async def test_content_that_is_none_is_refused_with_what_it_should_be(world: World, payload: bytes):
    answer = await world.tell(payload=payload)
    assert answer.status == 400
    assert answer.reason.startswith("this is no pull_request event: ")
    assert world.counted == [("pull_request", "malformed")]
    assert (await world.tell()).reason == "heard"


async def test_a_form_is_told_what_to_choose(world: World):
    answer = await world.tell(content_type="application/x-www-form-urlencoded")
    assert "application/json" in answer.reason


async def test_what_is_about_nothing_is_answered_and_not_kept(world: World, history: FakeHistory):
    assert await world.tell(payload={"zen": "Anything."}, event="ping") == Receipt(202, "nothing to do")
    assert await world.tell(payload=b"whatever", event="star") == Receipt(202, "nothing to do")
    assert (world.rung, history.kept_deliveries) == ([], {})


async def test_one_about_several_pull_requests_rings_each_and_is_one(world: World):
    suite = {"app": {"id": 1}, "pull_requests": [{"number": number, "base": {"repo": {"id": 1}}} for number in (7, 8)]}
    payload = {key: value for key, value in PRESSED.items() if key != "check_run"} | {"check_suite": suite}
    for _ in range(2):
        await world.tell(payload=payload, event="check_suite")
    assert [(one.id, one.key, one.asks) for one in world.rung] == [
        ("1/0", KEY, "checks"),
        ("1/1", PreviewKey("acme/shop", 8), "checks"),
    ]


async def test_while_history_is_down_it_rings_and_says_so(world: World, history: FakeHistory):
    history.down = True
    with capture_logs() as logs:
        assert await world.tell() == Receipt(202, "heard, and not kept")
    assert [(one["event"], one["reason"]) for one in logs] == [("a webhook could not be kept", "History is down")]
    assert [one.key for one in world.rung] == [KEY]
    history.down = False
    assert await world.tell() == Receipt(202, "heard")


async def test_a_pressed_button_that_cannot_be_kept_is_to_be_delivered_again(world: World, history: FakeHistory):
    history.down = True
    assert (await world.tell(payload=PRESSED, event="check_run")).status == 503
    assert [one.key for one in world.rung] == [KEY]
    history.down = False
    assert (await world.tell(payload=PRESSED, event="check_run")).status == 202
    assert len((await history.asked())[KEY]) == 1


class Slow(FakeHistory):
    """Keeps when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.writes: list[int] = []

    async def keep_deliveries(self, deliveries: Collection[Delivery]) -> frozenset[str]:
        self.writes.append(len(deliveries))
        await self.go.wait()
        return await super().keep_deliveries(deliveries)


async def test_what_comes_during_a_write_shares_the_next():
    world = World(slow := Slow())
    telling = [asyncio.create_task(world.tell(str(number))) for number in range(100)]
    await until(lambda: len(slow.writes) == 1)
    late = [asyncio.create_task(world.tell(str(number))) for number in range(100, 200)]
    await until(lambda: len(world.inbox._keeper._waiting) >= 100)
    assert world.rung == []
    slow.go.set()
    assert {answer.reason for answer in await asyncio.gather(*telling, *late)} == {"heard"}
    assert len(slow.writes) <= 3
    assert len(world.rung) == len(slow.kept_deliveries) == 200


async def test_nobody_waits_for_a_history_that_hangs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "KEPT_WITHIN", timedelta(milliseconds=20))
    world = World(slow := Slow())
    assert await world.tell() == Receipt(202, "heard, and not kept")
    slow.go.set()
    await world.inbox.close()
    assert list(slow.kept_deliveries) == ["1"]


async def test_few_wait_for_a_history_that_hangs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeping, "WAITING", 2)
    world = World(slow := Slow())
    first = asyncio.create_task(world.tell("0"))
    await until(lambda: slow.writes == [1])
    waiting = [asyncio.create_task(world.tell(name)) for name in ("1", "2")]
    await until(lambda: len(world.inbox._keeper._waiting) == 2)
    assert await world.tell("3") == Receipt(202, "heard, and not kept")
    slow.go.set()
    assert {answer.reason for answer in await asyncio.gather(first, *waiting)} == {"heard"}


class Broken(FakeHistory):
    """Has a bug."""

    async def keep_deliveries(self, deliveries: Collection[Delivery]) -> frozenset[str]:
        raise ZeroDivisionError


async def test_a_bug_is_no_answer_and_stops_nothing():
    broken = World(Broken())
    for name in ("1", "2"):
        with pytest.raises(ZeroDivisionError):
            await broken.tell(name)


async def test_strangers_are_complained_about_once_a_minute(world: World, monkeypatch: pytest.MonkeyPatch):
    with capture_logs() as logs:
        for _ in range(50):
            await world.tell(x_hub_signature_256="")
        monkeypatch.setattr(world.inbox._strangers, "_quiet_until", 0.0)
        await world.tell(x_hub_signature_256="")
    assert [one["count"] for one in logs] == [1, 50]
    assert world.counted == [("", "unsigned")] * 51


@pytest.mark.processes
async def test_a_burst_loses_none_and_doubles_none(tmp_path: Path):
    """300 deliveries about 20 pull requests, a third told twice, a tenth by strangers; two controllers, one history."""
    histories = [await open_history(sqlite_url(tmp_path / "history.sqlite3")) for _ in range(2)]
    worlds = [World(history) for history in histories]

    def telling(number: int, by: World) -> asyncio.Task[Receipt]:
        forged = {"x_hub_signature_256": "sha256=" + "0" * 64} if number % 10 == 0 else {}
        payload = OPENED | {"pull_request": {"number": number % 20 + 1}}
        return asyncio.create_task(by.tell(str(number), payload, **forged))

    told = [telling(number, worlds[number % 2]) for number in range(300)]
    told += [telling(number, worlds[(number + 1) % 2]) for number in range(0, 300, 3)]
    answers = await asyncio.gather(*told)
    rung = [one.id for world in worlds for one in world.rung]
    assert {answer.status for answer in answers} == {202, 401}
    assert sorted(rung, key=int) == [str(number) for number in range(300) if number % 10]
    for world, history in zip(worlds, histories, strict=True):
        await world.inbox.close()
        await history.close()


@pytest.mark.processes
async def test_a_controller_that_is_killed_in_the_middle_of_a_burst_loses_none(tmp_path: Path):
    rows = await a_burst_that_is_cut(tmp_path / "cut", count=200)
    assert [f"{row.name}: {row.ours}" for row in rows if not row.holds] == []


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)
