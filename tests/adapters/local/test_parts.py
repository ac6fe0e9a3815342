"""The pure parts of the embedded platform, and those that need no process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.adapters.local import builds, environment, logs, shim, store
from controller.adapters.local.health import why_unhealthy
from controller.adapters.local.ports import RANGE, free_port, is_free
from controller.adapters.local.processes import Process
from controller.adapters.local.store import Record
from controller.adapters.local.units import State
from controller.adapters.shared import orders, words
from controller.adapters.shared.disk import discard, empty
from controller.adapters.shared.libpq import libpq
from controller.adapters.shared.orders import Aim, Order
from controller.adapters.shared.sources import inside, real_path
from controller.common.nouns import CheckJob, Phase, PreviewKey, Step, StepState
from controller.common.spec import parse
from controller.errors import Refused, Unavailable
from controller.previews.model import Database
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SPEC = parse(
    """
services:
  web:
    command: serve --port {port}
    port: 80
    env: {SITE: "{url}", AT: "{port}", SHA: "{sha}"}
    build: {command: make, outputs: [out]}
  api-v2:
    command: [api]
    port: 81
    resources: {memory: 64Mi}
  worker:
    command: work
database:
  postgres: {env: DB, seed: [seed.sql]}
checks:
  smoke:
    - {name: home, timeout: 1m, http: {path: /, expect: {status: 200, json: {$.count: 3, $.text: "3", $.none: null}}}}
    - {name: port, tcp: {port: 5432}, retries: 2, after: [home]}
lifetime:
  sleep_after: 90s
""",
    "a" * 40,
)


def a_record(**changes: object) -> Record:
    order = Order("a" * 40, SPEC, "pr-7-shop", 7, "branch")
    record = Record(PreviewKey("shop", 7), "uid", order, Aim.RUN, Phase.READY, NOON, NOON)
    return replace(record, **changes)  # type: ignore[arg-type]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    attempt = Attempt(Outcome.FAILED, timedelta(seconds=1), "no", "details")
    run = SuiteRun("smoke", "a" * 40, NOON, timedelta(seconds=2), (CheckResult("home", "http", (attempt,)),))
    record = a_record(
        steps=(Step("checkout", StepState.DONE, NOON, timedelta(milliseconds=3)),),
        ports={"web": 4711},
        database=Database("abc", 12, timedelta(seconds=1)),
        jobs=(CheckJob("smoke", "a" * 40, 3, NOON, run),),
        secrets=("hunter2",),
        last_visit=NOON,
    )
    store.write(tmp_path / "pr", record, durable=True)
    assert store.read(tmp_path / "pr") == record
    assert (tmp_path / "pr" / "preview.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', "\0"])
def test_a_record_that_nobody_can_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "preview.json").write_text(text)
    assert store.read(tmp_path) is None


def test_a_record_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"cannot write preview\.json"):
        store.write(tmp_path / "file", a_record(), durable=False)


@pytest.mark.parametrize(
    ("repo", "expected"),
    [
        ("shop", "pr-7-shop-3a8f0a2f"),
        ("Shop", "pr-7-shop-"),
        ("../../etc", "pr-7-etc-"),
        ("$(id) 'x'", "pr-7-id-x-"),
        ("日本", "pr-7-"),
        ("x" * 250, f"pr-7-{'x' * 24}-"),
    ],
)
def test_a_slug_is_a_plain_name(repo: str, expected: str) -> None:
    name = orders.slug(PreviewKey(repo, 7))
    assert name.startswith(expected.removesuffix("3a8f0a2f"))
    assert len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_slugs_of_different_previews_differ() -> None:
    repos = ("shop", "Shop", "sh/op", "sh-op", "sh op", "x" * 250, "x" * 251, "日本", "日木")
    keys = [PreviewKey(repo, number) for repo in repos for number in (1, 11)]
    assert len({orders.slug(key) for key in keys}) == len(keys)


@pytest.mark.parametrize(
    ("host", "service", "expected"),
    [
        ("pr-7-shop", "web", "pr-7-shop"),
        ("pr-7-shop", "api-v2", "pr-7-shop--api-v2"),
        ("pr-7-shop", "worker", ""),
        ("p" * 63, "web", "p" * 63),
    ],
)
def test_hosts_of_services(host: str, service: str, expected: str) -> None:
    assert orders.service_host(SPEC, host, service) == expected


def test_a_host_that_would_be_too_long_is_cut_and_stays_its_own() -> None:
    one, two = (orders.service_host(SPEC, "p" * 60 + end, "api-v2") for end in "ab")
    assert one != two
    assert max(len(one), len(two)) <= 63


def test_what_a_service_is_told() -> None:
    record = a_record(ports={"web": 4711, "api-v2": 4712}, database_url="postgresql://x")
    assert environment.of_service(environment.of_preview(record, "http://pr-7"), "web") == {
        "WEB_URL": "http://127.0.0.1:4711",
        "API_V2_URL": "http://127.0.0.1:4712",
        "MAYFLY_URL": "http://pr-7",
        "MAYFLY_NUMBER": "7",
        "MAYFLY_SHA": "a" * 40,
        "PORT": "4711",
        "HOST": "127.0.0.1",
        "DB": "postgresql://x",
        "SITE": "http://pr-7",
        "AT": "4711",
        "SHA": "a" * 40,
    }


def test_a_build_is_told_what_is_known_before_there_is_a_port() -> None:
    facts = environment.of_preview(a_record(), "http://pr-7")
    assert environment.of_build(facts, SPEC.services["web"]) == {"SITE": "http://pr-7", "SHA": "a" * 40}


def test_a_value_never_becomes_a_second_word() -> None:
    known = {"url": "http://x; rm -rf /", "sha": "{number}", "number": "7"}
    words = environment.command(("say", "{url} {sha}", "${HOME}", "{other}"), known)
    assert words == ("say", "http://x; rm -rf / {number}", "${HOME}", "{other}")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(builds.digest(["make", "x"], {"A": "1"}, ["out"], ["id"]), id="another command"),
        pytest.param(builds.digest(["make"], {"A": "2"}, ["out"], ["id"]), id="another variable"),
        pytest.param(builds.digest(["make"], {"A": "1"}, ["out", "x"], ["id"]), id="another output"),
        pytest.param(builds.digest(["make"], {"A": "1"}, ["out"], ["di"]), id="another input"),
    ],
)
def test_whatever_decides_a_build_is_in_its_digest(other: str) -> None:
    assert builds.digest(["make"], {"A": "1"}, ["out"], ["id"]) != other


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://ada:p%40ss@127.0.0.1:5433/pr-7",
            {"PGHOST": "127.0.0.1", "PGPORT": "5433", "PGUSER": "ada", "PGPASSWORD": "p@ss", "PGDATABASE": "pr-7"},
        ),
        (
            "postgresql:///pr-7?host=/run/pg&user=ada",
            {"PGHOST": "/run/pg", "PGUSER": "ada", "PGDATABASE": "pr-7"},
        ),
    ],
)
def test_a_database_url_as_variables(url: str, expected: dict[str, str]) -> None:
    assert libpq(url) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param(["building", "done, but not well"], "done, but not well", id="no error is named"),
        pytest.param(
            ['psql:seed.sql:3: ERROR:  column "x" contains null values', "DETAIL: row 3", "LINE 1"],
            'column "x" contains null values',
            id="psql",
        ),
        pytest.param(
            ["Traceback (most recent call last):", '  File "x.py"', "KeyError: 'email'"],
            "KeyError: 'email'",
            id="Python",
        ),
        pytest.param(["Error: boom", "mayfly: exited; starting again"], "Error: boom", id="ours"),
        pytest.param(["x" * 999], "x" * 300, id="it is short"),
    ],
)
def test_the_line_that_tells(lines: list[str], expected: str) -> None:
    assert words.telling_line(lines) == expected


def test_the_last_lines_reach_back_over_a_rotation(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_text("one\ntwo\n")
    (tmp_path / "log").write_text("three\nfour")
    assert logs.tail(tmp_path, 3) == ["two", "three", "four"]
    assert logs.tail(tmp_path, 0) == []
    assert logs.tail(tmp_path / "missing", 3) == []


def test_bytes_that_are_no_text_and_lines_without_end_are_shown_bounded(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\xfe\r\n" + b"x" * 100_000)
    assert logs.tail(tmp_path, 9) == ["\ufffd\ufffd", "x" * logs.MAX_LINE]


def test_secrets_are_taken_out() -> None:
    assert words.redact("a hunter2 b hunter2", ("hunter2", "")) == "a ••• b •••"


@pytest.mark.parametrize("path", ["link", "link/x", "up", "missing", "loop"])
def test_paths_that_lead_out_or_nowhere_are_refused(tmp_path: Path, path: str) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "x").write_text("")
    (tree / "link").symlink_to(tmp_path)
    (tree / "up").symlink_to("../x")
    (tree / "loop").symlink_to("loop")
    with pytest.raises(Refused, match=f"`{path}`"):
        inside(tree, path)


def test_a_link_inside_the_tree_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to("real")
    assert real_path(tmp_path, "link") == "real"
    assert real_path(tmp_path, ".") == ""


def test_discarding_never_follows_a_link_and_needs_no_permission(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("")
    folder = tmp_path / "folder"
    (folder / "locked").mkdir(parents=True)
    (folder / "locked" / "file").write_text("")
    (folder / "link").symlink_to(tmp_path / "kept")
    (folder / "locked").chmod(0)
    discard(folder)
    discard(folder)
    assert not folder.exists()
    assert (tmp_path / "kept" / "file").exists()


def test_emptying_keeps_the_one_that_is_named(tmp_path: Path) -> None:
    for name in ("kept", "one", "two"):
        (tmp_path / name).mkdir()
    empty(tmp_path, "kept")
    empty(tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, "exited with status 0"), (-9, "was ended by SIGKILL"), (-64 - 1, "was ended by signal 65")],
)
def test_exit_codes_in_words(code: int, expected: str) -> None:
    assert shim.describe(code) == expected


def test_only_recent_crashes_count() -> None:
    exits = ((NOON - timedelta(minutes=5), 1), (NOON - timedelta(seconds=9), 2), (NOON, 3))
    state = State(Process(1, 2), exits=exits)
    assert state.crashes(NOON) == 2
    assert state.last_words == "exited with status 3"


def test_ports_are_free_and_in_nobody_s_books() -> None:
    port = free_port(set())
    assert is_free(port)
    assert free_port({port}) != port
    assert free_port(set(RANGE) - {port}) == port
    with pytest.raises(Unavailable, match="every port"):
        free_port(RANGE)


@asynccontextmanager
async def answering(data: bytes | None) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data or b"")
            if data is None:
                await reader.read()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "GET /up answered 404"),
        (b"HTTP/1.1 503 Soon\r\n\r\n", "GET /up answered 503"),
        (b"SSH-2.0-OpenSSH\r\n", "GET /up was not answered with HTTP"),
        (b"", "GET /up was not answered with HTTP"),
        (None, "GET /up did not answer within 0.2 s"),
    ],
)
async def test_health_by_http(data: bytes | None, expected: str) -> None:
    async with answering(data) as port:
        assert await why_unhealthy(port, "/up", limit=0.2 if data is None else 10) == expected


async def test_health_by_an_open_port() -> None:
    async with answering(None) as port:
        assert await why_unhealthy(port, None) == ""
    port = free_port(set())
    assert await why_unhealthy(port, None) == f"nothing listens on port {port}"
