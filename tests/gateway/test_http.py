"""HTTP through the gateway: whatever the application and the person say to each other arrives, and as it is said."""

import asyncio
import gzip
import hashlib
import io

import aiohttp
import pytest
from aiohttp import web

from controller.gateway.headers import upwards
from tests.gateway.conftest import Door, a_route, a_script, an_application, eventually

pytestmark = pytest.mark.processes


async def echo(request: web.Request) -> web.Response:
    """Tells what arrived."""
    content = await request.read()
    return web.json_response(
        {
            "method": request.method,
            "target": request.raw_path,
            "headers": [[name.lower(), value] for name, value in request.headers.items()],
            "sha": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_the_method_and_the_content_arrive(door: Door, method: str):
    content = b"" if method in {"GET", "OPTIONS"} else b"x" * 100_000
    async with an_application(echo) as address:
        door.lead(a_route(address))
        async with door.session.request(method, door.url + "/cart", data=content, headers=door.host()) as answer:
            seen = await answer.json()
    assert (seen["method"], seen["target"], seen["size"]) == (method, "/cart", len(content))


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//evil.com/x",
        "/a%2Fb/%2e%2e/c",
        "/a/../b",
        "/q?a=1&a=%20+%26&c",
        "/%F0%9F%A6%8B?%7B%7D={}|",
        "/*",
        "/a;b=c:d@e",
    ],
)
async def test_the_target_arrives_as_it_was_sent(door: Door, target: str):
    async with an_application(echo) as address:
        door.lead(a_route(address))
        answer = await door.raw(f"GET {target} HTTP/1.1\r\nHost: pr-7.localhost\r\nConnection: close\r\n\r\n".encode())
    assert f'"target": "{target}"'.encode() in answer


async def test_the_application_learns_who_asks_from_us_and_from_nobody_else(door: Door):
    forged = {
        "X-Forwarded-For": "8.8.8.8",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Secret": "1",
        "Forwarded": "for=8.8.8.8",
    }
    async with an_application(echo) as address:
        door.lead(a_route(address))
        async with door.session.get(door.url, headers=door.host() | forged | {"X-Real-IP": "8.8.8.8"}) as answer:
            seen = dict((await answer.json())["headers"])
    told = {name: value for name, value in seen.items() if "forwarded" in name or name in {"host", "x-real-ip"}}
    host = f"pr-7.localhost:{door.port}"
    assert told == {
        "host": host,
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": host,
    }


async def test_what_concerns_one_connection_only_is_not_passed_on(door: Door):
    async with an_application(echo) as address:
        door.lead(a_route(address))
        answer = await door.raw(
            b"GET / HTTP/1.1\r\nHost: pr-7.localhost\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nX-Kept: 2\r\n"
            b"Keep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\n"
            b"Cookie: a=b\r\nCookie: c=d\r\n\r\n"
        )
    assert b'["x-kept", "2"]' in answer
    assert b'["cookie", "a=b"]' in answer
    assert b'["cookie", "c=d"]' in answer
    for gone in (b"x-secret", b"keep-alive", b'"te"', b"proxy-authorization", b"upgrade", b"user-agent", b'"accept'):
        assert gone not in answer


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("mayfly_session=secret", None),
        ("__Host-mayfly_session=secret; a=b", "a=b"),
        ("a=b; mayfly_session=secret; c=d", "a=b; c=d"),
        ("a=b; MAYFLY_SESSION=secret", "a=b"),
        ("my_mayfly_session=theirs", "my_mayfly_session=theirs"),
        ("a=b;c=d;", "a=b;c=d;"),
    ],
)
def test_the_dashboards_session_reaches_no_application(sent: str, arrives: str | None):
    raw = [(b"cookie", sent.encode()), (b"accept", b"*/*")]
    passed = dict(upwards(raw, scheme="http", host="pr-7.localhost", client="192.0.2.7"))
    assert (passed.get("cookie"), passed["accept"]) == (arrives, "*/*")


async def test_the_answer_is_passed_on_untouched_and_marked(door: Door):
    packed = gzip.compress(b"hello " * 1000)

    async def handler(request: web.Request) -> web.Response:
        answer = web.Response(status=302, body=packed, headers={"Content-Encoding": "gzip", "Location": "/there?x=1"})
        answer.headers["X-Robots-Tag"] = "all"
        answer.headers["Server"] = "shop"
        answer.headers.add("Set-Cookie", "a=1; Path=/; Domain=localhost; HttpOnly")
        answer.headers.add("Set-Cookie", "b=2; domain=.LOCALHOST")
        answer.headers.add("Set-Cookie", "c=3; Domain=pr-7.localhost; Secure")
        return answer

    async with an_application(handler) as address:
        door.lead(a_route(address))
        async with door.session.get(door.url, headers=door.host(), allow_redirects=False) as answer:
            assert (answer.status, await answer.read()) == (302, packed)
            assert answer.headers["Location"] == "/there?x=1"
            assert answer.headers.getall("Content-Encoding") == ["gzip"]
            assert answer.headers.getall("Server") == ["shop"]
            assert len(answer.headers.getall("Date")) == 1
            assert answer.headers.getall("Set-Cookie") == [
                "a=1; Path=/; HttpOnly",
                "b=2",
                "c=3; Domain=pr-7.localhost; Secure",
            ]
            assert answer.headers.getall("X-Robots-Tag") == ["noindex, nofollow"]
            assert answer.headers["X-Mayfly-Preview"] == "shop#7"


async def test_a_stream_arrives_piece_by_piece(door: Door):
    seen_first = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.wait_for(seen_first.wait(), 20)
        await answer.write(b"data: 2\n\n")
        return answer

    async with an_application(handler) as address:
        door.lead(a_route(address))
        async with door.session.get(door.url, headers=door.host()) as answer:
            assert await answer.content.readuntil(b"\n\n") == b"data: 1\n\n"
            seen_first.set()
            assert await answer.content.read() == b"data: 2\n\n"


async def test_an_upload_arrives_piece_by_piece(door: Door):
    arrived = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        first = await request.content.readany()
        arrived.set()
        return web.Response(body=first + await request.content.read())

    async def pieces():
        yield b"one "
        await asyncio.wait_for(arrived.wait(), 20)
        yield b"two"

    async with an_application(handler) as address:
        door.lead(a_route(address))
        async with door.session.post(door.url, data=pieces(), headers=door.host()) as answer:
            assert await answer.read() == b"one two"


async def test_twenty_megabytes_pass_both_ways(door: Door):
    content = bytes(range(256)) * 80_000

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for chunk in request.content.iter_any():
            await answer.write(chunk)
        return answer

    async with an_application(handler) as address:
        door.lead(a_route(address))
        async with door.session.post(door.url, data=io.BytesIO(content), headers=door.host()) as answer:
            assert hashlib.sha256(await answer.read()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    ("request_line", "answer", "expected"),
    [
        pytest.param(
            b"HEAD /", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"content-length: 5", id="HEAD keeps the length"
        ),
        pytest.param(b"GET /", b"HTTP/1.1 204 No Content\r\n\r\n", b"204", id="204"),
        pytest.param(b"GET /", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', b'etag: "x"', id="304"),
    ],
)
async def test_an_answer_without_content_ends_at_its_head(
    door: Door, request_line: bytes, answer: bytes, expected: bytes
):
    async with a_script(answer) as address:
        door.lead(a_route(address))
        told = await door.raw(request_line + b" HTTP/1.1\r\nHost: pr-7.localhost\r\nConnection: close\r\n\r\n")
    head, _, content = told.partition(b"\r\n\r\n")
    assert expected in head.lower()
    assert content == b""


async def test_a_client_that_waits_to_be_asked_for_its_content_is_asked(door: Door):
    async with an_application(echo) as address:
        door.lead(a_route(address))
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: pr-7.localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
            writer.write(b"abc")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 100", id="a length"),
        pytest.param(b"Transfer-Encoding: chunked", id="chunks"),
    ],
)
async def test_an_application_that_dies_in_its_answer_does_not_look_finished(door: Door, head: bytes):
    piece = b"5\r\nhello\r\n" if b"chunked" in head else b"hello"
    async with a_script(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + piece) as address:
        door.lead(a_route(address))
        with pytest.raises(aiohttp.ClientPayloadError):
            async with door.session.get(door.url, headers=door.host()) as answer:
                await answer.read()


async def test_a_person_who_goes_away_ends_the_exchange_with_the_application(door: Door):
    ended = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"tick\n")
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async with an_application(handler) as address:
        door.lead(a_route(address))
        await door.raw(b"GET / HTTP/1.1\r\nHost: pr-7.localhost\r\n\r\n", until=b"tick\n")
        await asyncio.wait_for(ended.wait(), 20)


async def test_a_person_who_goes_away_in_the_middle_of_an_upload_ends_it(door: Door):
    began, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        began.set()
        try:
            return web.Response(body=await request.content.read())
        finally:
            ended.set()

    async with an_application(handler) as address:
        door.lead(a_route(address))
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: pr-7.localhost\r\nContent-Length: 100\r\n\r\nhello")
        await asyncio.wait_for(began.wait(), 20)
        writer.close()
        await asyncio.wait_for(ended.wait(), 20)


async def test_an_early_answer_to_an_upload_arrives(door: Door):
    async with a_script(
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", then_wait=True
    ) as address:
        door.lead(a_route(address))
        head = await door.raw(
            b"POST / HTTP/1.1\r\nHost: pr-7.localhost\r\nContent-Length: 100\r\n\r\nhello", until=b"\r\n\r\n"
        )
    assert head.startswith(b"HTTP/1.1 413")


async def test_many_ask_at_once(door: Door):
    async with an_application(echo) as address:
        door.lead(a_route(address))

        async def once(number: int) -> str:
            async with door.session.get(f"{door.url}/{number}", headers=door.host()) as answer:
                return (await answer.json())["target"]

        assert await asyncio.gather(*map(once, range(200))) == [f"/{number}" for number in range(200)]


async def test_a_stream_without_end_does_not_hold_up_a_shutdown(door: Door):
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"tick\n")
        await asyncio.sleep(60)
        return answer

    async with an_application(handler) as address:
        door.lead(a_route(address))
        async with door.session.get(door.url, headers=door.host()) as answer:
            assert await answer.content.readline() == b"tick\n"
            door.server.should_exit = True
            with pytest.raises(aiohttp.ClientPayloadError):
                await asyncio.wait_for(answer.read(), 20)
        await eventually(lambda: not door.server.server_state.connections)


async def test_a_request_under_way_is_finished_before_a_shutdown(door: Door):
    arrived = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        arrived.set()
        await asyncio.sleep(0.1)
        return web.Response(text="done")

    async def stop() -> None:
        await arrived.wait()
        door.server.should_exit = True

    async with an_application(handler) as address:
        door.lead(a_route(address))
        stopping = asyncio.create_task(stop())
        async with door.session.get(door.url, headers=door.host()) as answer:
            assert await answer.text() == "done"
        await stopping
