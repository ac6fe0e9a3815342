"""WebSockets through the gateway, with a client and a server that are not ours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from controller.common.nouns import Phase
from controller.gateway import sockets
from tests.gateway.conftest import KEY, Door, a_route, a_script, eventually

pytestmark = pytest.mark.processes


@asynccontextmanager
async def a_socket_server(
    handler: Callable[[ServerConnection], Awaitable[None]], **options
) -> AsyncIterator[tuple[str, int]]:
    async with serve(handler, "127.0.0.1", 0, **{"max_size": None} | options) as server:
        yield server.sockets[0].getsockname()


@asynccontextmanager
async def a_socket(door: Door, path: str = "/live", **options) -> AsyncIterator[ClientConnection]:
    uri = f"ws://pr-7.localhost:{door.port}{path}"
    async with connect(uri, host="127.0.0.1", port=door.port, proxy=None, max_size=None, **options) as client:
        yield client


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_text_and_bytes_come_back_as_they_were_sent(door: Door):
    messages = ["hello", "", "🦋" * 1000, b"", bytes(range(256)), b"x" * 1_000_000]
    async with a_socket_server(echo) as address:
        door.lead(a_route(address))
        async with a_socket(door) as client:
            for message in messages:
                await client.send(message)
                assert await client.recv() == message


async def test_the_handshake_arrives_with_its_subprotocol_path_and_cookies(door: Door):
    seen = []

    async def handler(connection: ServerConnection) -> None:
        seen.append(connection.request)
        await connection.wait_closed()

    async with a_socket_server(handler, subprotocols=["chat.v2"]) as address:
        door.lead(a_route(address))
        headers = {"Cookie": "a=b", "X-Forwarded-For": "8.8.8.8"}
        async with a_socket(
            door,
            "/live%2F?q=1%20",
            subprotocols=["chat.v1", "chat.v2"],
            origin="http://here",
            additional_headers=headers,
        ) as client:
            assert client.subprotocol == "chat.v2"
            assert client.response.headers["X-Mayfly-Preview"] == "shop#7"
    [request] = seen
    assert request.path == "/live%2F?q=1%20"
    told = {name: request.headers[name] for name in ("Host", "Cookie", "Origin", "X-Forwarded-For")}
    assert told == {
        "Host": f"pr-7.localhost:{door.port}",
        "Cookie": "a=b",
        "Origin": "http://here",
        "X-Forwarded-For": "127.0.0.1",
    }
    await eventually(lambda: bool(door.visits))
    assert door.visits == [KEY]


@pytest.mark.parametrize(("code", "told"), [(1000, 1000), (1001, 1001), (1011, 1011), (4321, 4321)])
async def test_the_application_closes_and_the_person_is_told_its_code(door: Door, code: int, told: int):
    async def handler(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close(code, "because")

    async with a_socket_server(handler) as address:
        door.lead(a_route(address))
        async with a_socket(door) as client:
            assert await client.recv() == "last words"
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == (told, "because")


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_the_person_closes_and_the_application_is_told_the_code(door: Door, code: int):
    closed = asyncio.get_running_loop().create_future()

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()
        closed.set_result((connection.close_code, connection.close_reason))

    async with a_socket_server(handler) as address:
        door.lead(a_route(address))
        async with a_socket(door) as client:
            await client.close(code, "bye")
        assert await asyncio.wait_for(closed, 20) == (code, "bye")


async def test_an_application_that_breaks_off_is_a_bad_gateway(door: Door):
    async def handler(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with a_socket_server(handler) as address:
        door.lead(a_route(address))
        async with a_socket(door) as client:
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1014


async def test_a_person_who_breaks_off_ends_it_for_the_application(door: Door):
    ended = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()
        ended.set()

    async with a_socket_server(handler) as address:
        door.lead(a_route(address))
        async with a_socket(door) as client:
            client.transport.abort()
            await asyncio.wait_for(ended.wait(), 20)


async def test_a_ping_of_either_side_is_answered(door: Door):
    answered = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await (await connection.ping())
        answered.set()
        await connection.wait_closed()

    async with a_socket_server(handler) as address:
        door.lead(a_route(address))
        async with a_socket(door) as client:
            await asyncio.wait_for(await client.ping(), 20)
            await asyncio.wait_for(answered.wait(), 20)


async def test_a_message_that_is_too_large_closes_the_socket(door: Door):
    large = b"x" * (sockets.MAX_MESSAGE + 1)

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(large)
        await connection.wait_closed()

    async with a_socket_server(handler) as address:
        door.lead(a_route(address))
        for message in ("send me a large one", large):
            async with a_socket(door) as client:
                with suppress(ConnectionClosed):
                    await client.send(message)
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert client.close_code == 1009


async def test_an_application_that_refuses_the_upgrade_is_heard(door: Door):
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return Response(401, "Unauthorized", Headers({"Content-Length": "0"}), b"")

    async with a_socket_server(echo, process_request=refuse) as address:
        door.lead(a_route(address))
        with pytest.raises(InvalidStatus) as told:
            async with a_socket(door):
                pass
    assert told.value.response.status_code == 401


@pytest.mark.parametrize(
    ("route", "status"),
    [
        pytest.param(None, 404, id="unknown"),
        pytest.param(a_route(phase=Phase.STARTING), 503, id="starting"),
        pytest.param(a_route(phase=Phase.FAILED), 502, id="failed"),
        pytest.param(a_route(("127.0.0.1", 1)), 502, id="nobody listens"),
    ],
)
async def test_where_no_application_answers_the_upgrade_is_refused(door: Door, route, status: int):
    if route:
        door.lead(route)
    with pytest.raises(InvalidStatus) as told:
        async with a_socket(door):
            pass
    assert told.value.response.status_code == status


async def test_an_application_that_answers_the_upgrade_with_noise_is_a_bad_gateway(door: Door):
    async with a_script(b"\x00\x01\r\n\r\n") as address:
        door.lead(a_route(address))
        with pytest.raises(InvalidStatus) as told:
            async with a_socket(door):
                pass
    assert told.value.response.status_code == 502


async def test_open_sockets_do_not_hold_up_a_shutdown(door: Door):
    async with a_socket_server(echo) as address:
        door.lead(a_route(address))
        async with a_socket(door) as client:
            await client.send("hello")
            await client.recv()
            door.server.should_exit = True
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(client.recv(), 20)
            assert client.close_code == 1012
