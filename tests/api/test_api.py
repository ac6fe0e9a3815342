"""The JSON API: what it says of the desk's world, and what it changes there."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from controller.common.words import ForgeHealth
from controller.errors import Unavailable
from tests.api.api import a_client, all_well, an_api
from tests.fakes.desk import FAILED, READY, STARTING, FakeDesk
from tests.fakes.examples import NOON, PIXEL, a_head


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def client(desk: FakeDesk):
    async with a_client(an_api(desk)) as client:
        yield client


async def test_the_list_has_every_card_in_the_desks_order(client):
    answer = (await client.get("/api/v1/previews")).json()
    assert [(card["repo"], card["number"], card["state"]) for card in answer["previews"]] == [
        ("shop", 9, "starting"),
        ("shop", 7, "ready"),
        ("shop", 8, "failed"),
        ("team/api", 3, "sleeping"),
        ("shop", 10, "waiting"),
        ("shop", 5, "removed"),
    ]


async def test_a_failed_preview_says_why_in_full(client):
    assert (await client.get("/api/v1/previews/shop/8")).json() == {
        "repo": "shop",
        "number": 8,
        "state": "failed",
        "headline": "failed · web exited with 1 three times in a row",
        "branch": "rename <script>alert(1)</script>",
        "title": "Rename & tidy",
        "author": "linus",
        "head": a_head(FAILED),
        "url": "http://pr-8-shop.localhost:8080",
        "revision": a_head(FAILED),
        "reason": "web exited with 1 three times in a row",
        "logs": "Traceback (most recent call last):\n\x1b[31mModuleNotFoundError\x1b[0m: No module named '<shop>'",
        "pinned_by": "",
        "created_at": "2026-03-14T11:29:00Z",
        "expires_at": "2026-03-14T21:00:00Z",
        "checks": [],
        "pull": {
            "base": "main",
            "is_open": True,
            "merged": False,
            "draft": False,
            "pushed_at": "2026-03-14T11:48:00Z",
            "url": "",
        },
        "preview": {
            "phase_since": "2026-03-14T11:30:00Z",
            "last_visit": None,
            "steps": [
                {
                    "name": "checkout",
                    "state": "done",
                    "started_at": "2026-03-14T11:29:00Z",
                    "took": 0.04,
                    "detail": "",
                },
                {
                    "name": "start web",
                    "state": "failed",
                    "started_at": "2026-03-14T11:29:00Z",
                    "took": 9.0,
                    "detail": "web exited with 1 three times in a row",
                },
            ],
            "services": [
                {
                    "name": "web",
                    "state": "crashed",
                    "host": "pr-8-shop",
                    "restarts": 3,
                    "reason": "web exited with 1 three times in a row",
                }
            ],
            "database": None,
            "jobs": [],
        },
        "ending": None,
    }


async def test_a_ready_preview_tells_of_its_database_and_checks(client):
    card = (await client.get("/api/v1/previews/shop/7")).json()
    assert card["preview"]["database"] == {
        "seed": "9c1e52",
        "size": 104 * 2**20,
        "cloned_in": 0.21,
        "seeded_in": None,
        "migrated_in": 0.65,
    }
    assert [(job["suite"], job["run"] and job["run"]["outcome"]) for job in card["preview"]["jobs"]] == [
        ("smoke", "passed"),
        ("e2e", None),
    ]
    assert card["checks"][1] == {
        "suite": "smoke",
        "name": "checkout",
        "outcome": "passed",
        "flaky": True,
        "attempts": 2,
        "message": "",
    }


async def test_a_repository_in_a_folder_is_found(client):
    answer = (await client.get("/api/v1/previews/team/api/3")).json()
    assert (answer["repo"], answer["number"], answer["state"]) == ("team/api", 3, "sleeping")


async def test_the_timeline_is_the_latest_of_what_happened(client):
    answer = (await client.get("/api/v1/previews/shop/7/timeline", params={"limit": 2})).json()
    assert [event["kind"] for event in answer["events"]] == ["deploy", "ready"]
    assert answer["events"][0]["at"] == "2026-03-14T11:48:00Z"


async def test_the_runs_of_a_suite_keep_every_attempt(client):
    runs = (await client.get("/api/v1/previews/shop/7/checks", params={"limit": 2})).json()["runs"]
    assert [run["outcome"] for run in runs] == ["broken", "passed"]
    checkout = runs[1]["results"][1]
    assert (checkout["flaky"], [attempt["outcome"] for attempt in checkout["attempts"]]) == (True, ["failed", "passed"])
    assert checkout["attempts"][0]["details"] == "<h1>Oops & more</h1>"


async def test_times_of_other_zones_are_told_in_utc():
    east = timezone(timedelta(hours=5))
    async with a_client(an_api(FakeDesk(NOON.astimezone(east)))) as client:
        assert (await client.get("/api/v1/previews/shop/7")).json()["created_at"] == "2026-03-14T07:00:00Z"
    assert datetime(2026, 3, 14, 12, tzinfo=UTC) == NOON


async def test_logs_are_text(client):
    one = await client.get("/api/v1/previews/shop/7/logs", params={"service": "web", "lines": 2})
    assert (one.text, one.headers["Content-Type"]) == (
        "GET /products/298 200\nGET /products/299 200\n",
        "text/plain; charset=utf-8",
    )
    every = await client.get("/api/v1/previews/shop/7/logs", params={"lines": 1})
    assert every.text == "web | GET /products/299 200\nworker | waiting for work\n"


async def test_a_screenshot_is_an_image_and_anything_else_is_a_download(client, desk: FakeDesk):
    desk.artifacts[READY, "smoke", "page.html"] = b"<script>alert(1)</script>"
    image = await client.get("/api/v1/previews/shop/7/artifacts/smoke/home%20page.png")
    assert (image.status_code, image.content, image.headers["Content-Type"]) == (200, PIXEL, "image/png")
    page = await client.get("/api/v1/previews/shop/7/artifacts/smoke/page.html")
    assert (page.headers["Content-Type"], page.headers["Content-Disposition"]) == (
        "application/octet-stream",
        "attachment",
    )
    assert "sandbox" in page.headers["Content-Security-Policy"]


async def test_a_command_does_what_it_says(client, desk: FakeDesk):
    answer = await client.post("/api/v1/previews/shop/7/commands", json={"command": "/preview pin", "actor": "ada"})
    assert (answer.status_code, answer.json()) == (202, {"accepted": True, "answer": "`pin`: done as you asked, @ada"})
    assert (await client.get("/api/v1/previews/shop/7")).json()["pinned_by"] == "ada"


async def test_a_command_that_is_none_changes_nothing(client, desk: FakeDesk):
    answer = await client.post("/api/v1/previews/shop/7/commands", json={"command": "/preview fly", "actor": "ada"})
    assert answer.status_code == 422
    assert answer.json() == {"accepted": False, "answer": "`/preview fly` is not a command; try `/preview help`"}
    assert desk.decided_by == []


async def test_a_command_sent_twice_with_one_key_is_decided_once(client, desk: FakeDesk):
    for _ in range(2):
        answer = await client.post(
            "/api/v1/previews/shop/7/commands",
            json={"command": "checks", "actor": "ada"},
            headers={"Idempotency-Key": "4711"},
        )
        assert answer.status_code == 202
    assert desk.decided_by == [(READY, "checks", "ada", "api:4711")]


async def test_the_status_counts_and_tells_the_limits(client, desk: FakeDesk):
    desk.why_alarmed = "6 previews would be removed at once"
    desk.health = ForgeHealth("github", 4812, 5000, NOON + timedelta(hours=1), lag=timedelta(seconds=90))
    assert (await client.get("/api/v1/status")).json() == {
        "version": "0.1.0",
        "forge": {
            "name": "github",
            "remaining": 4812,
            "limit": 5000,
            "resets_at": "2026-03-14T13:00:00Z",
            "waits_until": None,
            "why": "",
            "heard_at": None,
            "lag": 90.0,
        },
        "platform": "local",
        "alarm": "6 previews would be removed at once",
        "previews": {"starting": 1, "ready": 1, "failed": 1, "sleeping": 1, "waiting": 1, "removed": 1},
        "limits": {
            "max_alive": 30,
            "max_removals": 5,
            "sleep_after": 7200.0,
            "expire_after": 259200.0,
            "max_life": 1209600.0,
            "give_up_after": 900.0,
        },
    }


async def test_removals_that_wait_are_approved_by_a_person(client, desk: FakeDesk):
    desk.removals_waiting = 6
    assert (await client.post("/api/v1/removals/approve", json={"actor": "ada"})).json() == {"approved": 6}
    assert desk.approved_by == "ada"


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/api/v1/previews/shop/99", 404, "there is no preview shop#99"),
        ("GET", "/api/v1/previews/shop/99/timeline", 404, "there is no preview shop#99"),
        ("GET", "/api/v1/previews/shop/99/checks", 404, "there is no preview shop#99"),
        ("GET", "/api/v1/previews/shop/99/logs", 404, "there is no preview shop#99"),
        ("GET", "/api/v1/previews/shop/99/logs?follow=true", 404, "there is no preview shop#99"),
        ("POST", "/api/v1/previews/shop/99/commands", 404, "there is no preview shop#99"),
        ("GET", "/api/v1/previews/shop/7/logs?service=db", 404, "shop#7 has no service `db`; there are web, worker"),
        (
            "GET",
            "/api/v1/previews/shop/7/artifacts/smoke/x.png",
            404,
            "the latest smoke run of shop#7 left no file x.png",
        ),
        ("GET", "/api/v1/previews/shop/7/artifacts/smoke/..%2Fx.png", 404, "Not Found"),
        ("GET", "/api/v1/previews/shop/x", 404, "Not Found"),
        ("GET", "/api/v1/previews/shop/0", 400, "number: Input should be greater than or equal to 1"),
        ("GET", "/api/v1/previews/shop/7/logs?lines=0", 400, "lines: Input should be greater than or equal to 1"),
        ("GET", "/api/v1/previews/shop/7/timeline?limit=x", 400, None),
        ("GET", "/api/v1/previews/shop/7/artifacts/smoke/a%00b", 400, None),
        ("DELETE", "/api/v1/previews/shop/7", 405, None),
        ("GET", "/nowhere", 404, "Not Found"),
    ],
)
async def test_what_goes_wrong_is_a_problem_with_a_reason(
    client, method: str, path: str, status: int, detail: str | None
):
    answer = await client.request(method, path, json={"command": "pin", "actor": "ada"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"] == detail or detail is None


@pytest.mark.parametrize(
    "body", [{}, {"command": "pin"}, {"command": "", "actor": "a"}, {"command": "pin", "actor": "a", "x": 1}, [], "pin"]
)
async def test_a_malformed_command_names_the_field(client, desk: FakeDesk, body: object):
    answer = await client.post("/api/v1/previews/shop/7/commands", json=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert desk.decided_by == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/previews"),
        ("GET", "/api/v1/previews/shop/7"),
        ("GET", "/api/v1/previews/shop/7/logs?follow=true"),
        ("GET", "/api/v1/status"),
        ("POST", "/api/v1/previews/shop/7/commands"),
    ],
)
async def test_what_cannot_be_reached_says_when_to_try_again(client, desk: FakeDesk, method: str, path: str):
    desk.down = "the forge is down"
    answer = await client.request(method, path, json={"command": "pin", "actor": "ada"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.json() == {"title": "Service Unavailable", "status": 503, "detail": "the forge is down"}


async def test_it_is_alive_whatever_else_is_not(client, desk: FakeDesk):
    desk.down = "everything is down"
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def hanging() -> dict[str, str]:
    await asyncio.Event().wait()
    return {}


async def broken() -> dict[str, str]:
    raise Unavailable("the disk is gone")


async def half() -> dict[str, str]:
    return {"forge": "", "history": "database is locked"}


@pytest.mark.parametrize(
    ("ready", "status", "parts"),
    [
        (all_well, 200, {"forge": "", "platform": "", "history": ""}),
        (half, 503, {"forge": "", "history": "database is locked"}),
        (broken, 503, {"controller": "the disk is gone"}),
        (hanging, 503, {"controller": "no answer within 0.05 seconds"}),
    ],
)
async def test_it_is_ready_when_all_its_parts_are(monkeypatch, ready, status: int, parts: dict[str, str]):
    monkeypatch.setattr("controller.api.health.READY_WITHIN", 0.05)
    async with a_client(an_api(FakeDesk(), ready=ready)) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (status, {"ready": status == 200, "parts": parts})


async def test_a_preview_that_starts_has_no_checks(client):
    card = (await client.get(f"/api/v1/previews/{STARTING.repo}/{STARTING.number}")).json()
    assert (card["checks"], card["preview"]["jobs"], card["revision"]) == ([], [], a_head(STARTING))
