"""Who may change something: our own pages, and programs. A preview is same-site, and a stranger."""

import asyncio

import httpx
import pytest

from controller.api.guard import MAX_BODY
from tests.api.api import a_client, an_api
from tests.fakes.desk import READY, FakeDesk

URL = "/api/v1/previews/shop/7/commands"
BODY = b'{"command": "/preview pin", "actor": "ada"}'
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OWN = {"Origin": "http://localhost:8080"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(JSON, 202, id="a program"),
        pytest.param(
            JSON | {"Content-Type": "application/json; charset=utf-8"}, 202, id="a program that says its charset"
        ),
        pytest.param(JSON | OWN | {"Sec-Fetch-Site": "same-origin"}, 202, id="our own page"),
        pytest.param(JSON | OWN, 202, id="our own page, in a browser without Sec-Fetch-Site"),
        pytest.param(
            JSON | {"Origin": "http://pr-7.localhost:8080", "Sec-Fetch-Site": "same-site"}, 403, id="a preview"
        ),
        pytest.param(JSON | {"Origin": "http://pr-7.localhost:8080"}, 403, id="a preview, in an old browser"),
        pytest.param(JSON | {"Sec-Fetch-Site": "same-site"}, 403, id="a preview that hides its origin"),
        pytest.param(JSON | {"Sec-Fetch-Site": "cross-site"}, 403, id="a stranger"),
        pytest.param(JSON | {"Origin": "null"}, 403, id="a sandboxed page"),
        pytest.param(JSON | {"Origin": "http://localhost:9999"}, 403, id="another port"),
        pytest.param(JSON | {"Origin": "http://localhost:8080.evil.com"}, 403, id="a name that begins as ours"),
        pytest.param(JSON | {"Origin": "garbage"}, 403, id="an origin that is none"),
        pytest.param(FORM, 403, id="a form from nowhere"),
        pytest.param(FORM | {"Sec-Fetch-Site": "none"}, 403, id="a form that proves nothing"),
        pytest.param(FORM | OWN, 400, id="our own form passes, and is not what the API takes"),
        pytest.param({"Content-Type": "text/plain"}, 415, id="text, which a page may send anywhere"),
        pytest.param({}, 415, id="no type"),
    ],
)
async def test_only_our_own_pages_and_programs_change_anything(headers: dict[str, str], status: int):
    desk = FakeDesk()
    async with a_client(an_api(desk)) as client:
        answer = await client.post(URL, content=BODY, headers=headers)
    assert answer.status_code == status
    assert desk.world[READY].wishes.pinned_by == ("ada" if status == 202 else "")
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        pytest.param("DELETE", {}, 405, id="a DELETE has no content to tell the type of"),
        pytest.param("DELETE", {"Origin": "http://pr-7.localhost:8080"}, 403, id="a preview's DELETE"),
        pytest.param("POST", {}, 415, id="a POST without content, which a page may send anywhere"),
        pytest.param("POST", {"Authorization": "Bearer x"}, 400, id="one with a token, which no page may send"),
    ],
)
async def test_a_request_without_content_passes_where_no_page_can_send_it(
    method: str, headers: dict[str, str], status: int
):
    async with a_client(an_api(FakeDesk())) as client:
        assert (await client.request(method, URL, headers=headers)).status_code == status


async def test_reading_is_open_to_pages_that_cannot_see_the_answer():
    async with a_client(an_api(FakeDesk())) as client:
        answer = await client.get(
            "/api/v1/previews", headers={"Sec-Fetch-Site": "same-site", "Origin": "http://evil.com"}
        )
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_every_answer_says_what_browsers_may_do_with_it():
    async with a_client(an_api(FakeDesk())) as client:
        for answer in (await client.get("/healthz"), await client.get("/nowhere"), await client.post(URL)):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("chunked", [True, False], ids=["in chunks", "with a length"])
async def test_content_that_is_too_large_is_refused(chunked: bool):
    async def pieces():
        for _ in range(MAX_BODY // 1024 + 1):
            yield b" " * 1024

    desk = FakeDesk()
    content = pieces() if chunked else b" " * (MAX_BODY + 1)
    async with a_client(an_api(desk)) as client:
        answer = await client.post(URL, content=content, headers=JSON)
    assert answer.status_code == 413
    assert desk.decided_by == []


async def test_content_as_large_as_allowed_is_read_whole():
    async with a_client(an_api(FakeDesk())) as client:
        answer = await client.post(URL, content=BODY.ljust(MAX_BODY), headers=JSON)
    assert answer.status_code == 202


async def test_content_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    async def pieces():
        yield b"{"
        await asyncio.Event().wait()

    monkeypatch.setattr("controller.api.guard.BODY_WITHIN", 0.05)
    async with a_client(an_api(FakeDesk())) as client:
        answer: httpx.Response = await client.post(URL, content=pieces(), headers=JSON)
    assert answer.status_code == 408
