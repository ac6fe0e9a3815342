"""What people and programs see where no application answers."""

import json
import socket

import pytest
from aiohttp import web

from controller.common.nouns import Phase, PreviewKey
from tests.gateway.conftest import KEY, Door, a_door, a_route, a_script, an_application, eventually

pytestmark = pytest.mark.processes

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("route", "status", "retry", "words"),
    [
        pytest.param(None, 404, None, ["No preview lives here", "pr-7", "All previews"], id="unknown"),
        pytest.param(a_route(phase=Phase.STARTING, step="migrate"), 503, "1", ["Starting", "migrate"], id="starting"),
        pytest.param(a_route(None, reason="web crashed"), 503, "1", ["Not yet", "web crashed"], id="ready, not up"),
        pytest.param(a_route(phase=Phase.SLEEPING), 503, "1", ["Waking up"], id="sleeping"),
        pytest.param(a_route(phase=Phase.TERMINATING), 410, None, ["Gone"], id="terminating"),
        pytest.param(
            a_route(
                phase=Phase.FAILED, reason="<b>it</b> crashed", logs="\x1b[31mNo module\x1b[0m '<script>x</script>'"
            ),
            502,
            None,
            ["It failed", "&lt;b&gt;it&lt;/b&gt; crashed", "No module &#39;&lt;script&gt;x", "/previews/shop/7"],
            id="failed",
        ),
    ],
)
async def test_a_browser_gets_a_page_and_a_program_gets_words(door: Door, route, status, retry, words):
    if route:
        door.lead(route)
    async with door.session.get(door.url + "/x", headers=door.host() | BROWSER) as answer:
        page = await answer.text()
        assert (answer.status, answer.content_type) == (status, "text/html")
        assert answer.headers.get("Retry-After") == retry
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers.get("X-Mayfly-Preview") == ("shop#7" if route else None)
    assert [word for word in words if word not in page] == []
    assert "\x1b" not in page
    async with door.session.get(door.url, headers=door.host() | {"Accept": "application/json"}) as answer:
        assert (answer.status, answer.content_type) == (status, "application/json")
        assert (await answer.json())["title"] == words[0]
    async with door.session.post(door.url, data=b"x", headers=door.host() | BROWSER) as answer:
        assert (answer.status, answer.content_type) == (status, "text/plain")
        assert (await answer.text()).startswith(words[0])


async def test_a_page_that_waits_can_ask_how_far_it_is(door: Door):
    async def state() -> dict[str, str]:
        async with door.session.get(door.url + "/.mayfly/state", headers=door.host()) as answer:
            assert answer.status == 200
            return await answer.json()

    assert await state() == {"phase": "none", "step": ""}
    door.lead(a_route(phase=Phase.STARTING, step="seed"))
    assert await state() == {"phase": "starting", "step": "seed"}
    door.lead(a_route(None))
    assert await state() == {"phase": "starting", "step": ""}
    door.lead(a_route(("127.0.0.1", 1)))
    assert await state() == {"phase": "ready", "step": ""}
    assert door.visits == []


async def test_a_person_wakes_what_sleeps_and_our_checks_do_not(door: Door):
    door.lead(a_route(phase=Phase.SLEEPING))
    async with door.session.get(door.url, headers=door.host() | {"User-Agent": "mayfly-smoke/0.1"}) as answer:
        assert answer.status == 503
    assert door.visits == []
    for _ in range(3):
        async with door.session.get(door.url, headers=door.host() | BROWSER) as answer:
            assert answer.status == 503
    await eventually(lambda: bool(door.visits))
    assert door.visits == [KEY]


async def test_a_visit_to_a_running_preview_is_noted(door: Door):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with an_application(handler) as address:
        door.lead(a_route(address))
        for agent in ("mayfly-smoke/0.1", "Mozilla/5.0", "Mozilla/5.0"):
            async with door.session.get(door.url, headers=door.host() | {"User-Agent": agent}) as answer:
                assert await answer.text() == "hello"
        await eventually(lambda: bool(door.visits))
    assert door.visits == [KEY]


async def test_an_application_that_refuses_connections_is_waited_for(door: Door):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        door.lead(a_route(taken.getsockname()))
        async with door.session.get(door.url, headers=door.host() | BROWSER) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (502, "1")
            assert "Not answering" in await answer.text()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\x01\x02\r\n\r\n", id="noise"),
        pytest.param(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", id="a status that is none"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", id="an endless header"),
    ],
)
async def test_an_application_that_gives_no_proper_answer_is_a_bad_gateway(door: Door, answer: bytes):
    async with a_script(answer) as address:
        door.lead(a_route(address))
        async with door.session.get(door.url, headers=door.host()) as told:
            assert told.status == 502
            assert (await told.text()).startswith("No answer: web of shop#7")


async def test_the_domain_and_the_loopback_names_lead_to_the_dashboard(door: Door):
    for host in ("localhost", f"localhost:{door.port}", f"127.0.0.1:{door.port}", "[::1]"):
        async with door.session.get(door.url, headers={"Host": host}) as answer:
            assert await answer.text() == "the dashboard"
            assert "X-Robots-Tag" not in answer.headers


@pytest.mark.parametrize(
    "host", ["pr-7.localhost.evil.com", "evil.com", "a.pr-7.localhost", "1.2.3.4.evil.com", "x@localhost"]
)
async def test_a_name_that_is_not_ours_leads_nowhere(door: Door, host: str):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="secret")

    async with an_application(handler) as address:
        door.lead(a_route(address))
        async with door.session.get(door.url, headers={"Host": host}) as answer:
            assert answer.status == 404
            assert await answer.text() == "Nothing lives under this name.\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"400", id="no host"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", b"404", id="no host in HTTP/1.0"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: pr-7.localhost\r\nHost: localhost\r\n\r\n", b"400", id="two hosts"),
        pytest.param(
            b"GET http://pr-7.localhost/ HTTP/1.1\r\nHost: pr-7.localhost\r\n\r\n", b"404", id="absolute form"
        ),
        pytest.param(
            b"GET http://localhost/ HTTP/1.1\r\nHost: pr-7.localhost\r\n\r\n", b"404", id="absolute form, other host"
        ),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: pr-7.localhost\r\n\r\n", b"404", id="asterisk form"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: pr-7.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"400",
            id="two lengths",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: pr-7.localhost\r\n folded: x\r\n\r\n",
            b"404",
            id="a folded header is part of the host",
        ),
        pytest.param(
            b"GET /\xc3\xa4 HTTP/1.1\r\nHost: pr-7.localhost\r\n\r\n", b"400", id="a target that is not ASCII"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: pr-7.localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b"400", id="a huge header"
        ),
    ],
)
async def test_a_malformed_request_does_not_reach_the_application(door: Door, request_bytes: bytes, status: bytes):
    reached = []

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    async with an_application(handler) as address:
        door.lead(a_route(address))
        assert (await door.raw(request_bytes, until=b"\r\n"))[9:12] == status
    assert reached == []


async def test_a_chunked_request_that_also_has_a_length_reaches_the_application_as_one_request(door: Door):
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, await request.read()))
        return web.Response(text="ok")

    async with an_application(handler) as address:
        door.lead(a_route(address))
        await door.raw(
            b"POST / HTTP/1.1\r\nHost: pr-7.localhost\r\nConnection: close\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )
    assert seen == [("/", b"hello")]


async def test_previews_of_another_domain():
    async with a_door("preview.example.com") as door:
        door.lead(a_route(phase=Phase.STARTING))
        async with door.session.get(door.url, headers={"Host": "pr-7.preview.example.com"} | BROWSER) as answer:
            assert answer.status == 503
            assert 'href="http://preview.example.com/previews/shop/7"' in await answer.text()
        async with door.session.get(door.url, headers=door.host()) as answer:
            assert answer.status == 404


async def test_a_repository_name_cannot_break_out_of_the_page(door: Door):
    door.lead(a_route(key=PreviewKey('a"><script>x', 7), phase=Phase.STARTING))
    async with door.session.get(door.url, headers=door.host() | BROWSER) as answer:
        page = await answer.text()
    assert "<script>x" not in page
    assert f'href="http://localhost:{door.port}/previews/a%22%3E%3Cscript%3Ex/7"' in page


async def test_the_json_state_is_json_whatever_the_step_is_called(door: Door):
    door.lead(a_route(phase=Phase.STARTING, step='build "</script>'))
    async with door.session.get(door.url + "/.mayfly/state", headers=door.host()) as answer:
        assert json.loads(await answer.read())["step"] == 'build "</script>'
