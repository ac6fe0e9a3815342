"""The dashboard's HTML, without a browser."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest

from controller.api import parts
from controller.api.app import create_api
from controller.api.pages import create_pages
from controller.api.rendering import MAX_NAME
from controller.common.nouns import PreviewKey
from controller.common.words import CheckReport, CheckStatus, Conversation, ForgeHealth
from controller.previews.desk import Card
from controller.settings import Policy
from tests.fakes.conversations import FakeConversations
from tests.fakes.desk import FAILED, READY, REMOVED, SLEEPING, WAITING, FakeDesk
from tests.fakes.examples import NOON

ORIGIN = {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def conversations(desk: FakeDesk) -> FakeConversations:
    return FakeConversations(desk)


def a_client(desk: FakeDesk, conversations: FakeConversations | None) -> httpx.AsyncClient:
    async def ready() -> dict[str, str]:
        return {}

    policy = Policy()
    pages = create_pages(desk, conversations, policy, clock=lambda: NOON)
    app = create_api(desk, version="0", policy=policy, ready=ready, routers=[pages])
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=ORIGIN)


@pytest.fixture
async def client(desk: FakeDesk, conversations: FakeConversations) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(desk, conversations) as client:
        yield client


async def test_the_list_tells_of_every_preview(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    for key in desk.world:
        assert f'href="/previews/{key.repo}/{key.number}"' in page.text
    assert 'href="http://pr-7-shop.localhost:8080"' in page.text
    assert '<time datetime="2026-03-14T07:00:00Z" title="14 March 2026, 07:00 UTC">5 h ago</time>' in page.text
    assert "pinned by ada" in page.text
    assert "<script>alert" not in page.text


@pytest.mark.parametrize("path", ["/", f"/previews/{READY.repo}/{READY.number}", f"/pulls/{READY.repo}/{READY.number}"])
async def test_a_stranger_s_title_branch_and_name_are_text_that_is_seen(
    client: httpx.AsyncClient, desk: FakeDesk, path: str
) -> None:
    evil = '<img src=x onerror="alert(1)">\u202e\u2066gnp\x1b[31m\u200b{{ 7 * 7 }}'
    pull = desk.world[READY].pull
    assert pull is not None
    desk.world[READY] = replace(desk.world[READY], pull=replace(pull, title=evil, branch=evil, author=evil))
    page = await client.get(path)
    assert page.text.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;gnp{{ 7 * 7 }}") >= 3
    assert not set("\u202e\u2066\x1b\u200b") & set(page.text)


async def test_a_check_s_title_is_no_markdown_and_its_summary_is_nobody_s_html(
    client: httpx.AsyncClient, conversations: FakeConversations
) -> None:
    title, summary = "smoke failed: [x](//evil.example) **b**", "<script>alert(1)</script> ![x](//evil.example)"
    check = CheckReport("mayfly/smoke", "abc", CheckStatus.FAILURE, title, summary, "1")
    conversations.threads[READY] = Conversation((), (check,), None)
    page = await client.get(f"/pulls/{READY.repo}/{READY.number}")
    assert f"<span>{title}</span>" in page.text
    assert "&lt;script&gt;" in page.text
    assert 'evil.example"' not in page.text


async def test_pages_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    for path in ("/", "/previews/shop/7", "/pulls/shop/7", "/previews/shop/404"):
        page = await client.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert " style=" not in page.text
        assert " on" + "click" not in page.text


async def test_assets_are_kept_by_the_browser_and_change_address_with_their_content(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    address = next(part for part in page.text.split('"') if part.startswith("/static/mayfly.js?v="))
    script = await client.get(address)
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in script.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["nothing.js", "..%2fpages.py", "%2e%2e/rendering.py"])
async def test_only_our_own_files_are_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/static/{name}")).status_code == 404


async def test_the_filter_works_without_the_script(client: httpx.AsyncClient) -> None:
    page = await client.get("/", params={"q": "checkout"})
    assert page.text.count(' hidden>\n    <div class="row-state">') == 5
    assert 'value="checkout"' in page.text
    assert 'id="no-match" hidden' in page.text
    assert 'id="no-match">' in (await client.get("/", params={"q": '"><script>'})).text


async def test_where_there_is_nothing_the_page_tells_how_to_begin(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    desk.world.clear()
    page = await client.get("/")
    assert "No previews yet" in page.text
    assert "git push preview my-branch" in page.text


async def test_removals_that_wait_are_approved_by_name(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    desk.why_alarmed, desk.removals_waiting = "12 previews would be removed at once; 5 are allowed", 12
    assert "12 previews would be removed at once" in (await client.get("/")).text
    answer = await client.post("/removals/approve", data={"actor": "ada"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert desk.approved_by == "ada"
    page = await client.get("/")
    assert "12 removals may go on." in page.text
    assert 'id="alarm"' not in page.text


async def test_one_preview_shows_all_that_is_known(client: httpx.AsyncClient) -> None:
    page = await client.get("/previews/shop/7")
    assert page.status_code == 200
    for words in (
        "A checkout on one page",
        "start web",
        "109 MB, cloned in 210 ms from seed 9c1e52",
        "flaky: passed on attempt 2",
        "answered 500, wanted 200",
        "&lt;h1&gt;Oops &amp; more&lt;/h1&gt;",
        "smoke: the last 3 runs: 1 passed, 1 failed, 1 broken",
        "/api/v1/previews/shop/7/artifacts/smoke/home%20page.png",
        "GET /products/299 200",
        "ready in 1.4 s",
        'href="/pulls/shop/7"',
    ):
        assert words in page.text


async def test_the_log_of_another_service(client: httpx.AsyncClient) -> None:
    page = await client.get("/previews/shop/7", params={"service": "worker"})
    assert "waiting for work" in page.text
    assert "GET /products/299" not in page.text
    assert "GET /products/299" in (await client.get("/previews/shop/7", params={"service": "nonsense"})).text


async def test_why_a_preview_failed_stands_on_its_page_without_colours(client: httpx.AsyncClient) -> None:
    page = await client.get("/previews/shop/8")
    assert "ModuleNotFoundError: No module named &#39;&lt;shop&gt;&#39;" in page.text
    assert "\x1b" not in page.text


async def test_a_repository_may_have_a_slash(client: httpx.AsyncClient) -> None:
    page = await client.get("/previews/team/api/3")
    assert "Rate limits" in page.text
    assert 'action="/previews/team/api/3/commands"' in page.text


@pytest.mark.parametrize("path", ["/previews/shop/404", "/previews/nowhere/7", "/pulls/shop/404"])
async def test_what_is_not_there_is_said_on_a_page(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 404
    assert "Nothing is here" in page.text


async def test_a_command_is_carried_out_and_answered(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    said = {"command": "pin", "argument": "1 day", "because": "until\n the  demo", "actor": " Ada  L "}
    answer = await client.post("/previews/shop/7/commands", data=said)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/previews/shop/7")
    assert desk.decided_by == [(READY, "pin until the demo", "Ada L", "")]
    page = await client.get("/previews/shop/7")
    assert "done as you asked, @Ada L" in page.text
    assert 'name="actor" value="Ada L"' in page.text
    assert "pinned by Ada L" in page.text
    assert "done as you asked" not in (await client.get("/previews/shop/7")).text


async def test_extend_says_for_how_long(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    await client.post("/previews/shop/7/commands", data={"command": "extend", "argument": "2 days"})
    assert desk.decided_by == [(READY, "extend 2 days", "somebody", "")]


async def test_a_refresh_by_the_script_leaves_the_answer_for_the_person(client: httpx.AsyncClient) -> None:
    await client.post("/previews/shop/7/commands", data={"command": "pin"})
    assert "done as you asked" not in (await client.get("/previews/shop/7", headers={"Mayfly-Refresh": "1"})).text
    assert "done as you asked" in (await client.get("/previews/shop/7")).text


async def test_a_command_that_is_none_is_answered(client: httpx.AsyncClient) -> None:
    await client.post("/previews/shop/7/commands", data={"command": "<b>rediploy</b>"})
    page = await client.get("/previews/shop/7")
    assert "is not a command" in page.text
    assert "<b>rediploy" not in page.text


async def test_a_command_that_cannot_be_taken_now_says_why(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    desk.down = "the history is locked"
    await client.post("/previews/shop/7/commands", data={"command": "pin"})
    desk.down = ""
    assert "That did not work: the history is locked" in (await client.get("/previews/shop/7")).text


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "http://pr-7-shop.localhost:8080", "Sec-Fetch-Site": "same-site"}, id="a preview"),
        pytest.param({"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, id="another site"),
    ],
)
async def test_other_origins_change_nothing(client: httpx.AsyncClient, desk: FakeDesk, headers: dict[str, str]) -> None:
    for path in ("/previews/shop/7/commands", "/pulls/shop/7/comments", "/removals/approve"):
        answer = await client.post(path, data={"command": "down", "body": "hi"}, headers=headers)
        assert answer.status_code == 403
    assert desk.decided_by == []
    assert desk.approved_by == ""


async def test_what_does_not_answer_is_said_in_its_place(
    client: httpx.AsyncClient, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(parts, "PATIENCE", 0.05)
    monkeypatch.setattr(desk, "timeline", never)
    page = await client.get("/previews/shop/7")
    assert page.status_code == 200
    assert "<strong>The timeline cannot be shown now.</strong> it did not answer within 0.05 seconds" in page.text
    assert "start web" in page.text


@pytest.mark.parametrize("path", ["/", "/previews/shop/7"])
async def test_with_everything_down_the_page_still_stands(client: httpx.AsyncClient, desk: FakeDesk, path: str) -> None:
    desk.down = "the platform's <folder> is gone"
    page = await client.get(path)
    assert page.status_code == 503
    assert "the platform&#39;s &lt;folder&gt; is gone" in page.text
    assert "</main>" in page.text


async def test_a_forge_that_is_down_leaves_the_pull_request_and_the_box(
    client: httpx.AsyncClient, conversations: FakeConversations
) -> None:
    conversations.down = "the forge is being backed up"
    page = await client.get("/pulls/shop/7")
    assert page.status_code == 503
    assert "The conversation cannot be shown now.</strong> the forge is being backed up" in page.text
    assert "A checkout on one page" in page.text
    kept = await client.post("/pulls/shop/7/comments", data={"body": "half an hour of <words>", "author": "ada"})
    assert kept.status_code == 503
    assert "half an hour of &lt;words&gt;</textarea>" in kept.text


async def test_a_pull_request_as_a_forge_would_show_it(client: httpx.AsyncClient) -> None:
    page = await client.get("/pulls/shop/7")
    for words in (
        "<details>\n<summary>What the first attempt said</summary>",
        "<td>smoke › home page</td>",
        "/preview pin<br />",
        "mayfly/e2e",
        "tests/test_shop.py:41",
        "expected &lt;b&gt;12&lt;/b&gt;, got 11",
        "preview/shop/7",
        'href="http://pr-7-shop.localhost:8080"',
    ):
        assert words in page.text
    assert "<!-- mayfly" not in page.text


async def test_a_comment_is_kept_with_its_author(client: httpx.AsyncClient, conversations: FakeConversations) -> None:
    answer = await client.post("/pulls/shop/7/comments", data={"body": "a\r\n<b>b</b> ", "author": "lin"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pulls/shop/7#comment-4")
    entry = conversations.threads[READY].entries[-1]
    assert (entry.author, entry.body) == ("lin", "a\n<b>b</b>")
    page = await client.get("/pulls/shop/7")
    assert "<p>a<br />\n&lt;b&gt;b&lt;/b&gt;</p>" in page.text
    assert 'name="author" value="lin"' in page.text


@pytest.mark.parametrize("body", [pytest.param("  \n", id="empty"), pytest.param("x" * 20_001, id="too long")])
async def test_a_comment_that_cannot_be_kept_is_explained(
    client: httpx.AsyncClient, conversations: FakeConversations, body: str
) -> None:
    answer = await client.post("/pulls/shop/7/comments", data={"body": body})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert len(conversations.threads[READY].entries) == 3


async def test_without_conversations_there_are_no_pull_request_pages(desk: FakeDesk) -> None:
    async with a_client(desk, None) as client:
        assert (await client.get("/pulls/shop/7")).status_code == 404
        assert "/pulls/" not in (await client.get("/previews/shop/7")).text


async def test_a_pull_request_with_a_page_of_its_own_is_a_link_away(desk: FakeDesk) -> None:
    card = desk.world[READY]
    assert card.pull is not None
    async with a_client(desk, None) as client:
        for url, linked in [("https://github.com/acme/shop/pull/7", True), ("javascript:alert(1)", False)]:
            desk.put(replace(card, pull=replace(card.pull, url=url)))
            page = (await client.get("/previews/shop/7")).text
            assert (f'<h1><a href="{url}" rel="noopener noreferrer">A checkout on one page</a></h1>' in page) is linked
            assert ("javascript:" in page) is False


async def test_the_list_says_that_the_forge_makes_us_wait(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    assert 'id="forge"' not in (await client.get("/")).text
    desk.health = ForgeHealth("github", waits_until=NOON + timedelta(minutes=7), why="GitHub wants us to wait: <b>")
    page = (await client.get("/")).text
    assert "GitHub wants us to wait: &lt;b&gt;" in page
    assert '<time datetime="2026-03-14T12:07:00Z" title="14 March 2026, 12:07 UTC">in 7 min</time>' in page


@pytest.mark.parametrize(("conversations", "words"), [(True, "Push a branch"), (False, "Open a pull request")])
async def test_who_has_no_preview_yet_is_told_how_to_get_one(desk: FakeDesk, conversations: bool, words: str) -> None:
    desk.world.clear()
    async with a_client(desk, FakeConversations(desk) if conversations else None) as client:
        assert words in (await client.get("/")).text


async def test_names_are_one_printable_line_of_bounded_length(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    await client.post("/previews/shop/7/commands", data={"command": "pin", "actor": "a\x00\n\u202eb" + "c" * 500})
    assert desk.decided_by[0][2] == ("a b" + "c" * 500)[:MAX_NAME]


@pytest.mark.parametrize("value", ["", "nonsense", "eyJhIjoxfQ", "WzEsMl0", quote("é<script>"), "A" * 3000, "////"])
async def test_a_cookie_of_somebody_else_is_not_believed(desk: FakeDesk, value: str) -> None:
    async with a_client(desk, None) as client:
        page = await client.get("/", headers={"Cookie": f"mayfly_said={value}; mayfly_name=%3Cscript%3E%00"})
    assert page.status_code == 200
    assert 'class="note' not in page.text


async def test_a_link_leads_only_to_a_web_page(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    card = desk.world[READY]
    assert card.preview is not None
    desk.put(replace(card, preview=replace(card.preview, url="javascript:alert(1)")))
    for path in ("/", "/previews/shop/7"):
        assert "javascript:" not in (await client.get(path)).text


async def test_a_card_about_which_little_is_known_has_a_page(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    key = PreviewKey("a b/ü", 1)
    desk.put(Card(key, "none", "no preview yet"))
    assert (await client.get("/")).status_code == 200
    page = await client.get("/previews/a%20b/%C3%BC/1")
    assert page.status_code == 200
    assert 'value="up"' in page.text


@pytest.mark.parametrize("key", [FAILED, SLEEPING, WAITING, REMOVED], ids=str)
async def test_every_state_has_its_pages(client: httpx.AsyncClient, key: PreviewKey) -> None:
    assert (await client.get(f"/previews/{key.repo}/{key.number}")).status_code == 200
    assert (await client.get(f"/pulls/{key.repo}/{key.number}")).status_code == 200
