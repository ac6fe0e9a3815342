"""The door that a forge knocks at: what comes in, and how little a stranger can make us do."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from controller.api import webhooks as door
from controller.ports import Receipt
from tests.api.api import a_client, an_api
from tests.fakes.desk import FakeDesk
from tests.fakes.webhooks import FakeWebhooks

URL = "/webhooks/github"
MOST = FakeWebhooks.max_body


@pytest.fixture
def forge() -> FakeWebhooks:
    return FakeWebhooks()


@pytest.fixture
async def client(forge: FakeWebhooks) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(an_api(FakeDesk(), webhooks=forge)) as client:
        yield client


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 1024):
        yield b" " * min(1024, size - start)


async def held() -> AsyncIterator[bytes]:
    """Begins, and never ends."""
    yield b"{"
    await asyncio.Event().wait()


async def test_what_the_forge_tells_comes_in_as_it_was_sent(client: httpx.AsyncClient, forge: FakeWebhooks):
    body = b'{ "zen":\r\n"\xff" }'
    answer = await client.post(
        URL, content=body, headers={"X-GitHub-Event": "ping", "Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()) == (202, {"status": "heard"})
    [(headers, received)] = forge.received
    assert received == body
    assert headers["x-github-event"] == "ping"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "text/plain"}, id="any content"),
        pytest.param({"Origin": "https://github.com", "Sec-Fetch-Site": "cross-site"}, id="any origin"),
    ],
)
async def test_the_forge_itself_says_what_it_takes(
    client: httpx.AsyncClient, forge: FakeWebhooks, headers: dict[str, str]
):
    forge.receipt = Receipt(401, "its signature is wrong")
    answer = await client.post(URL, content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "its signature is wrong"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("size", "status"),
    [pytest.param(MOST, 202, id="as large as it may be"), pytest.param(MOST + 1, 413, id="one byte more")],
)
@pytest.mark.parametrize("chunked", [True, False], ids=["in chunks", "with a length"])
async def test_content_has_a_limit(
    client: httpx.AsyncClient, forge: FakeWebhooks, size: int, status: int, chunked: bool
):
    answer = await client.post(URL, content=in_pieces(size) if chunked else b" " * size)
    assert answer.status_code == status
    assert [len(body) for _, body in forge.received] == ([size] if status == 202 else [])


async def test_a_length_that_is_too_much_is_refused_before_anything_is_read(client: httpx.AsyncClient):
    async def unread() -> AsyncIterator[bytes]:
        pytest.fail("it was read")
        yield b""

    answer = await client.post(URL, content=unread(), headers={"Content-Length": str(MOST + 1)})
    assert (answer.status_code, answer.headers["Connection"]) == (413, "close")


async def test_a_length_that_is_none_is_refused(client: httpx.AsyncClient):
    assert (await client.post(URL, content=in_pieces(1), headers={"Content-Length": "-1"})).status_code == 413


async def test_a_length_that_lies_is_found_out(client: httpx.AsyncClient, forge: FakeWebhooks):
    answer = await client.post(URL, content=in_pieces(MOST + 1), headers={"Content-Length": "1"})
    assert (answer.status_code, forge.received) == (413, [])


async def test_content_that_never_comes_is_not_waited_for(
    client: httpx.AsyncClient, forge: FakeWebhooks, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(door, "WITHIN", 0.05)
    answer = await client.post(URL, content=held())
    assert (answer.status_code, forge.received) == (408, [])


async def test_few_large_ones_at_a_time_and_small_ones_pass_them(
    client: httpx.AsyncClient, forge: FakeWebhooks, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(door, "WITHIN", 0.5)
    slow = [asyncio.create_task(client.post(URL, content=held())) for _ in range(door.LARGE_AT_ONCE)]
    large = b" " * (door.LARGE + 1)
    while (refused := await client.post(URL, content=large)).status_code == 202:
        await asyncio.sleep(0)
    assert refused.status_code == 503
    assert (await client.post(URL, content=b" " * door.LARGE)).status_code == 202
    assert {answer.status_code for answer in await asyncio.gather(*slow)} == {408}
    assert (await client.post(URL, content=large)).status_code == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_whoever_looks_there_is_told_what_it_is_for(client: httpx.AsyncClient, method: str):
    answer = await client.request(method, URL)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "enter this URL as its webhook" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/webhooks/gitlab", "/webhooks", "/webhooks/github/more", "/webhooks/GitHub"])
async def test_no_other_path_passes_the_guard(client: httpx.AsyncClient, forge: FakeWebhooks, path: str):
    assert (await client.post(path, content=b"{}")).status_code == 415
    answer = await client.post(path, content=b"{}", headers={"Content-Type": "application/json"})
    assert (answer.status_code, forge.received) == (404, [])


async def test_without_a_forge_that_tells_there_is_no_door():
    async with a_client(an_api(FakeDesk())) as client:
        answer = await client.post(URL, content=b"{}", headers={"Content-Type": "application/json"})
        assert URL not in (await client.get("/openapi.json")).json()["paths"]
    assert answer.status_code == 404
