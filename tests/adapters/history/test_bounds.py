"""What the parts of a history forget, and what they never do."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.adapters.history import access, alerts, journal, open_history, outbox, rows, sqlite_url
from controller.adapters.history.sql import SqlHistory
from controller.common.notices import Outgoing
from controller.deploys.model import Verb
from tests.contracts.access import a_token, an_entry
from tests.contracts.alerts import HOUR, a_silence, an_incident
from tests.contracts.journal import DAY, NOON, OTHER, PROD, a_decision, a_deed, a_run, an_event, texts
from tests.contracts.outbox import a_notice, names


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


YEAR = access.KEPT


@pytest.fixture
async def history(file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqlHistory]:
    """It forgets at every occasion."""
    monkeypatch.setattr(rows, "FORGETS_EVERY", timedelta())
    history = await open_history(sqlite_url(file))
    yield history
    await history.close()


async def test_a_timeline_is_bounded_and_leaves_the_others_alone(
    history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "TIMELINE", 3)
    await history.journal.record_target([an_event("elsewhere", OTHER)])
    await history.journal.record_target([an_event(str(number)) for number in range(5)])
    assert texts(await history.journal.target_timeline(PROD)) == ["2", "3", "4"]
    assert texts(await history.journal.target_timeline(OTHER)) == ["elsewhere"]


async def test_decisions_are_bounded_and_a_hold_outlives_any_number_of_others(
    history: SqlHistory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "DECISIONS", 2)
    await history.journal.decide_target(a_decision(1, verb=Verb.HOLD))
    for order in range(2, 7):
        await history.journal.decide_target(a_decision(order))
    again = await open_history(sqlite_url(file))
    assert [decision.order for decision in (await again.journal.target_decisions())[PROD]] == [1, 5, 6]
    await again.close()


async def test_deeds_are_bounded(history: SqlHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "DEEDS", 2)
    for number in (1, 2, 3, 4):
        await history.journal.keep_deed(a_deed(number))
    await history.journal.keep_deed(a_deed(1, OTHER))
    assert [deed.number for deed in await history.journal.deeds(PROD, NOON)] == [3, 4]
    assert len(await history.journal.deeds(OTHER, NOON)) == 1


async def test_runs_are_bounded(history: SqlHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RUNS", 2)
    for release in (1, 2, 3):
        await history.journal.record_target_run(PROD, release, 0, a_run())
    await history.journal.record_target_run(OTHER, 1, 0, a_run())
    assert [release for release, _ in await history.journal.target_runs(PROD)] == [2, 3]
    assert len(await history.journal.target_runs(OTHER)) == 1


async def test_channels_are_bounded_and_those_said_last_stay(
    history: SqlHistory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHANNELS", 2)
    for channel in ("1", "2", "3", "2", "4"):
        await history.journal.remember_target_said(PROD, {channel: "said"})
    again = await open_history(sqlite_url(file))
    assert set((await again.journal.target_said())[PROD]) == {"2", "4"}
    await again.close()


async def test_ids_of_notices_are_kept_for_90_days_and_what_waits_for_ever(history: SqlHistory) -> None:
    box = history.outbox
    await box.post([a_notice("told"), a_notice("waits", "probe:cart")], ["phone"])
    await box.told(Outgoing(a_notice("told"), "phone"), NOON)
    await box.post([replace(a_notice("now", "probe:home"), at=NOON + outbox.KEPT)], ["phone"])
    await box.post([a_notice("told")], ["phone"])
    assert names(await box.waiting(NOON)) == [("waits", "phone"), ("now", "phone")]
    await box.post([replace(a_notice("later", "probe:late"), at=NOON + outbox.KEPT + HOUR)], ["phone"])
    await box.post([a_notice("told")], ["phone"])
    assert names(await box.waiting(NOON)) == [(name, "phone") for name in ("waits", "now", "later", "told")]


async def test_of_too_many_notices_those_that_wait_stay(history: SqlHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST", 2)
    box = history.outbox
    await box.post([a_notice("waits"), *[a_notice(str(number), str(number)) for number in range(4)]], ["phone"])
    for number in range(4):
        await box.told(Outgoing(a_notice(str(number)), "phone"), NOON)
    await box.post([a_notice("last", "last")], ["phone"])
    await box.post([a_notice(str(number), str(number)) for number in range(4)], ["phone"])
    assert {name for name, _ in names(await box.undelivered())} == {"waits", "last", "0", "1", "2"}


async def test_what_was_given_up_is_shown_for_a_week(history: SqlHistory) -> None:
    box, given_up_at = history.outbox, datetime.now(UTC)
    box._clock = lambda: given_up_at
    await box.post([a_notice()], ["phone"])
    await box.failed(Outgoing(a_notice(), "phone"), "404", None)
    box._clock = lambda: given_up_at + timedelta(days=7, microseconds=-1)
    assert names(await box.undelivered()) == [("1", "phone")]
    box._clock = lambda: given_up_at + timedelta(days=7)
    assert await box.undelivered() == ()


async def test_incidents_are_kept_for_400_days_and_a_thousand_of_a_probe(
    history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "INCIDENTS", 2)
    await history.alerts.open_incident(an_incident(NOON, NOON + HOUR, "home"))
    for days in (1, 2, 3, 400):
        await history.alerts.open_incident(an_incident(NOON + days * DAY))
    found = await history.alerts.incidents(NOON)
    assert [(one.probe, one.began) for one in found] == [
        ("home", NOON),
        ("cart", NOON + 3 * DAY),
        ("cart", NOON + 400 * DAY),
    ]
    await history.alerts.open_incident(an_incident(NOON + 400 * DAY + 2 * HOUR))
    assert {one.probe for one in await history.alerts.incidents(NOON)} == {"cart"}


async def test_of_too_many_silences_those_that_end_last_stay(
    history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "SILENCES", 2)
    for name, hours in (("1", 2), ("2", 1), ("3", 3)):
        await history.alerts.silence(a_silence(name, ends=NOON + hours * HOUR))
    assert [silence.id for silence in await history.alerts.silences(NOON)] == ["1", "3"]


async def test_a_token_is_forgotten_a_year_after_it_was_over(history: SqlHistory) -> None:
    for_ever = replace(a_token("for ever"), expires_at=None)
    expired, revoked = replace(a_token("expired"), expires_at=NOON), replace(a_token("revoked"), revoked_at=NOON)
    for token in (for_ever, expired, revoked):
        await history.access.add_token(token)
    await history.access.add_token(replace(a_token("at last", NOON + YEAR), expires_at=None))
    assert len(await history.access.tokens()) == 4
    await history.access.add_token(replace(a_token("later", NOON + YEAR + HOUR), expires_at=None))
    assert [token.id for token in await history.access.tokens()] == ["for ever", "at last", "later"]


async def test_the_audit_is_kept_for_a_year(history: SqlHistory) -> None:
    await history.access.audit(an_entry("/1", NOON))
    await history.access.audit(an_entry("/2", NOON + YEAR))
    assert [entry.path for entry in await history.access.audited()] == ["/2", "/1"]
    await history.access.audit(an_entry("/3", NOON + YEAR + HOUR))
    assert [entry.path for entry in await history.access.audited()] == ["/3", "/2"]


async def test_the_audit_is_bounded_in_number_and_in_what_an_entry_holds(
    history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "ENTRIES", 2)
    for path in ("/1", "/2", "/3" + "x" * 100_000):
        await history.access.audit(an_entry(path))
    assert [len(entry.path) for entry in await history.access.audited()] == [access.LONGEST, 2]


async def test_a_use_of_a_token_costs_one_write_a_minute(history: SqlHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    await history.access.add_token(a_token())
    await history.access.token_used("ab12", NOON)
    await history.close()
    monkeypatch.setattr(history._connections, "execute", None)
    await history.access.token_used("ab12", NOON + timedelta(seconds=59))
    with pytest.raises(TypeError):
        await history.access.token_used("ab12", NOON + timedelta(seconds=60))


@pytest.mark.processes
@pytest.mark.parametrize(
    ("steps", "heard", "again"),
    [
        pytest.param(1, "", ["1"], id="posted"),
        pytest.param(2, "1", ["1"], id="taken by its route"),
        pytest.param(3, "1", [], id="told"),
    ],
)
async def test_a_notice_is_not_lost_though_the_controller_is_killed(
    file: Path, steps: int, heard: str, again: list[str]
) -> None:
    script = (
        "import asyncio, os, signal\n"
        "from pathlib import Path\n"
        "from controller.adapters.history import open_history, sqlite_url\n"
        "from controller.common.notices import Outgoing\n"
        "from tests.contracts.outbox import NOON, a_notice\n"
        "async def main():\n"
        f"    box = (await open_history(sqlite_url(Path({str(file)!r})))).outbox\n"
        "    steps = [box.post([a_notice()], ['phone']), say('1'), box.told(Outgoing(a_notice(), 'phone'), NOON)]\n"
        f"    for step in steps[:{steps}]:\n"
        "        await step\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "async def say(text):\n"
        "    print(text, end='', flush=True)\n"
        "asyncio.run(main())\n"
    )
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], check=False, timeout=60, capture_output=True, text=True
    )
    assert (killed.returncode, killed.stdout) == (-9, heard)
    history = await open_history(sqlite_url(file))
    await history.outbox.post([a_notice()], ["phone"])
    assert [name for name, _ in names(await history.outbox.waiting(NOON))] == again
    await history.close()
