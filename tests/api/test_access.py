"""Who may come in, and what is known of them afterwards."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from controller.access.desk import AccessDesk
from controller.access.model import Scope
from controller.api.pages import create_pages
from controller.errors import Refused
from controller.settings import Policy
from tests.api.api import a_client, an_api
from tests.fakes.access import FakeAccess
from tests.fakes.desk import READY, FakeDesk
from tests.fakes.webhooks import FakeWebhooks

ORIGIN = "http://localhost:8080"
OWN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
PAGE = {"Accept": "text/html,*/*"}
COMMANDS = "/api/v1/previews/shop/7/commands"
PIN = {"command": "pin"}


@dataclass
class Gates:
    """A Mayfly that wants tokens. `as_` is the header of somebody with this scope."""

    client: httpx.AsyncClient
    app: FastAPI
    desk: FakeDesk
    memory: FakeAccess
    access: AccessDesk

    async def as_(self, scope: Scope, name: str = "ci") -> dict[str, str]:
        _, secret = await self.access.make(name, scope, "ada")
        return {"Authorization": f"Bearer {secret}"}

    async def log_in(self, scope: Scope = Scope.OPERATE) -> httpx.Response:
        _, secret = await self.access.make("grace", scope, "ada")
        return await self.client.post("/login", data={"token": secret, "next": "/"}, headers=OWN)


def a_policy(**access) -> Policy:
    return Policy.model_validate({"access": {"mode": "token", **access}})


def gated(policy: Policy) -> tuple[FastAPI, FakeDesk, FakeAccess, AccessDesk]:
    desk, memory = FakeDesk(), FakeAccess()
    access = AccessDesk(memory, memory, lambda: datetime.now(UTC))
    pages = create_pages(desk, None, policy)
    app = an_api(desk, policy=policy, access=access, webhooks=FakeWebhooks(), routers=[pages])
    return app, desk, memory, access


@pytest.fixture
def policy() -> Policy:
    return a_policy()


@pytest.fixture
async def gates(policy: Policy) -> AsyncIterator[Gates]:
    app, desk, memory, access = gated(policy)
    async with a_client(app) as client:
        yield Gates(client, app, desk, memory, access)


OPEN = {"/healthz", "/readyz", "/login", "/logout", "/static/{name}", "/webhooks/github"}


async def test_no_route_is_open_but_those_that_have_to_be(gates: Gates):
    routes = list(routes_of(gates.app.routes))
    for method, path in routes:
        answer = await gates.client.request(method, path.replace("{repo:path}", "shop"), headers=OWN)
        assert (answer.status_code == 401) == (path not in OPEN), (method, path, answer.status_code)
    assert {"/api/v1/tokens", "/api/v1/audit", "/metrics", "/openapi.json", "/", COMMANDS_ROUTE} <= {
        path for _, path in routes
    }


def routes_of(routes, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of each, those of routers that were included too."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from routes_of(router.routes, prefix + route.include_context.prefix)
        else:
            yield from ((method, prefix + route.path) for method in sorted(route.methods))


COMMANDS_ROUTE = "/api/v1/previews/{repo:path}/{number:int}/commands"


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [
        (Scope.READ, (200, 403, 403)),
        (Scope.OPERATE, (200, 202, 403)),
        (Scope.ADMIN, (200, 202, 200)),
        (Scope.AGENT, (403, 403, 403)),
    ],
)
async def test_a_token_opens_what_its_scope_covers(gates: Gates, scope: Scope, statuses: tuple[int, int, int]):
    headers = await gates.as_(scope)
    answers = (
        await gates.client.get("/api/v1/previews", headers=headers),
        await gates.client.post(COMMANDS, json=PIN, headers=headers),
        await gates.client.get("/api/v1/audit", headers=headers),
    )
    assert tuple(answer.status_code for answer in answers) == statuses


async def test_without_a_token_one_is_told_what_is_missing(gates: Gates):
    answer = await gates.client.get("/api/v1/previews")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="mayfly"'
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "this needs a token: `Authorization: Bearer mayfly_…`"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_with_too_little_one_is_told_which_scope_is_needed(gates: Gates):
    answer = await gates.client.post(COMMANDS, json=PIN, headers=await gates.as_(Scope.READ))
    assert answer.json()["detail"] == "this needs the scope `operate`, and your token has `read`"
    assert 'error="insufficient_scope", scope="operate"' in answer.headers["WWW-Authenticate"]


async def test_the_tokens_name_is_who_did_it_whatever_the_body_says(gates: Gates):
    headers = await gates.as_(Scope.OPERATE, "ci")
    await gates.client.post(COMMANDS, json=PIN | {"actor": "the boss"}, headers=headers)
    assert gates.desk.world[READY].wishes.pinned_by == "ci"


async def test_where_access_is_open_the_body_has_to_say_who(gates: Gates):
    async with a_client(an_api(FakeDesk())) as client:
        answer = await client.post(COMMANDS, json=PIN)
    assert (answer.status_code, answer.json()["detail"]) == (400, "actor: say who asks")


async def test_while_tokens_cannot_be_looked_up_nobody_is_let_in(gates: Gates):
    headers = await gates.as_(Scope.ADMIN)
    gates.memory.down = True
    answer = await gates.client.get("/api/v1/previews", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (503, "tokens cannot be read")
    assert answer.headers["Retry-After"] == "5"


def test_a_policy_that_wants_tokens_does_not_start_without():
    with pytest.raises(Refused, match="tokens"):
        an_api(FakeDesk(), policy=a_policy())


@pytest.mark.parametrize("policy", [a_policy(public_reading=True)])
async def test_where_everybody_may_read_a_token_is_needed_to_change(gates: Gates):
    assert (await gates.client.get("/api/v1/previews")).status_code == 200
    assert (await gates.client.post(COMMANDS, json=PIN)).status_code == 401
    assert "Log in" in (await gates.client.get("/", headers=PAGE)).text
    wrong = {"Authorization": "Bearer mayfly_" + "a" * 12 + "_" + "b" * 43}
    assert (await gates.client.get("/api/v1/previews", headers=wrong)).status_code == 401


async def test_the_document_says_which_scope_each_operation_needs(gates: Gates):
    headers = await gates.as_(Scope.READ)
    document = (await gates.client.get("/openapi.json", headers=headers)).json()
    needs = {
        (method, path): operation["security"][0]["token"][0] if "security" in operation else ""
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert needs["get", "/api/v1/previews"] == "read"
    assert needs["post", "/api/v1/removals/approve"] == "operate"
    assert needs["delete", "/api/v1/tokens/{token_id}"] == "admin"
    assert {path for (_, path), scope in needs.items() if not scope} == {"/healthz", "/readyz", "/webhooks/github"}
    assert {"401", "403", "429"} <= document["paths"]["/api/v1/audit"]["get"]["responses"].keys()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


async def test_where_access_is_open_the_document_wants_no_token():
    async with a_client(an_api(FakeDesk())) as client:
        assert "securitySchemes" not in (await client.get("/openapi.json")).json()["components"]


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere"])
async def test_a_path_that_is_none_and_a_method_that_is_none_are_problems(path: str):
    async with a_client(an_api(FakeDesk())) as client:
        lost, wrong = await client.get(path), await client.delete("/api/v1/removals/approve")
    assert (lost.status_code, lost.headers["Content-Type"]) == (404, "application/problem+json")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert wrong.headers["Content-Type"] == "application/problem+json"


class TestTokens:
    async def test_one_that_is_made_works_and_is_shown_once(self, gates: Gates):
        admin = await gates.as_(Scope.ADMIN, "root")
        wanted = {"name": "ci", "scope": "read", "expires_after": 3600}
        made = (await gates.client.post("/api/v1/tokens", json=wanted, headers=admin)).json()
        theirs = {"Authorization": f"Bearer {made['token']}"}
        assert (await gates.client.get("/api/v1/previews", headers=theirs)).status_code == 200
        listed = (await gates.client.get("/api/v1/tokens", headers=admin)).json()["tokens"]
        assert [(one["name"], one["created_by"]) for one in listed] == [("root", "ada"), ("ci", "root")]
        assert made["token"] not in str(listed)
        assert "digest" not in str(listed)

    async def test_one_that_is_revoked_is_worth_nothing(self, gates: Gates):
        admin, theirs = await gates.as_(Scope.ADMIN, "root"), await gates.as_(Scope.READ, "ci")
        token_id = next(one.id for one in gates.memory.kept_tokens.values() if one.name == "ci")
        assert (await gates.client.get("/api/v1/previews", headers=theirs)).status_code == 200
        assert (await gates.client.delete(f"/api/v1/tokens/{token_id}", headers=admin)).status_code == 204
        assert (await gates.client.get("/api/v1/previews", headers=theirs)).status_code == 401
        assert (await gates.client.delete(f"/api/v1/tokens/{token_id}", headers=admin)).status_code == 409


class TestAudit:
    async def test_what_was_done_and_what_was_refused_is_written(self, gates: Gates):
        admin = await gates.as_(Scope.ADMIN, "root")
        await gates.client.post(COMMANDS, json=PIN, headers=await gates.as_(Scope.OPERATE, "ci"))
        await gates.client.post(COMMANDS, json=PIN, headers=await gates.as_(Scope.READ, "reader"))
        await gates.client.post(COMMANDS, json=PIN)
        await gates.client.post(COMMANDS, json=PIN, headers=admin | {"Origin": "http://evil.com"})
        entries = (await gates.client.get("/api/v1/audit", headers=admin)).json()["entries"]
        assert [(one["actor"], one["method"], one["path"], one["status"], one["detail"]) for one in entries] == [
            ("root", "POST", COMMANDS, 403, ""),
            ("", "POST", COMMANDS, 401, ""),
            ("", "POST", COMMANDS, 403, ""),
            ("ci", "POST", COMMANDS, 202, "pin"),
        ]
        assert {one["address"] for one in entries} == {"127.0.0.1"}

    async def test_it_never_has_what_a_call_carried(self, gates: Gates):
        admin = await gates.as_(Scope.ADMIN)
        made = (await gates.client.post("/api/v1/tokens", json={"name": "x", "scope": "read"}, headers=admin)).json()
        await gates.client.post("/login", data={"token": made["token"]}, headers=OWN)
        assert len(gates.memory.entries) == 2
        assert made["token"].rpartition(made["id"])[2] not in str(gates.memory.entries)

    async def test_history_that_is_down_stops_nothing_that_was_done(self, gates: Gates):
        headers = await gates.as_(Scope.OPERATE)
        await gates.client.get("/api/v1/previews", headers=headers)
        gates.memory.down = True
        assert (await gates.client.post(COMMANDS, json=PIN, headers=headers)).status_code == 202

    async def test_a_bug_is_written_and_answered_without_a_word_of_it(self, policy: Policy):
        router, memory = APIRouter(), FakeAccess()

        @router.post("/broken")
        async def broken() -> None:
            raise ValueError("the password is hunter2")

        access = AccessDesk(memory, memory, lambda: datetime.now(UTC))
        app = an_api(FakeDesk(), access=access, routers=[router])
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            answer = await client.post("/broken", json={})
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.json()["status"], answer.headers["X-Frame-Options"]) == (500, "DENY")
        assert "hunter2" not in answer.text
        assert [entry.status for entry in memory.entries] == [500]


class TestRates:
    @pytest.mark.parametrize("policy", [a_policy(rates={"operate": 2})])
    async def test_a_token_that_asks_too_much_waits_and_others_do_not(self, gates: Gates):
        eager, calm = await gates.as_(Scope.OPERATE), await gates.as_(Scope.OPERATE)
        answers = [await gates.client.post(COMMANDS, json=PIN, headers=eager) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
        assert answers[2].headers["Content-Type"] == "application/problem+json"
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
        assert (await gates.client.post(COMMANDS, json=PIN, headers=calm)).status_code == 202
        assert (await gates.client.get("/api/v1/previews", headers=eager)).status_code == 200

    @pytest.mark.parametrize("policy", [a_policy(rates={"login": 2})])
    async def test_wrong_tokens_are_throttled_and_right_ones_are_not(self, gates: Gates):
        right, wrong = await gates.as_(Scope.READ), {"Authorization": "Bearer mayfly_" + "a" * 12 + "_" + "b" * 43}
        tried = [(await gates.client.get("/api/v1/previews", headers=wrong)).status_code for _ in range(3)]
        assert tried == [401, 401, 429]
        login = await gates.client.post("/login", data={"token": "wrong"}, headers=OWN)
        assert (login.status_code, "Try again in" in login.text) == (429, True)
        assert (await gates.client.get("/api/v1/previews", headers=right)).status_code == 200

    @pytest.mark.parametrize("policy", [a_policy(rates={"read": 1})])
    async def test_who_has_no_token_is_counted_by_address(self, gates: Gates):
        assert [(await gates.client.get("/api/v1/previews")).status_code for _ in range(2)] == [401, 429]

    @pytest.mark.parametrize("policy", [a_policy(rates={"read": 1})])
    async def test_a_load_balancer_is_not_counted(self, gates: Gates):
        assert {(await gates.client.get("/healthz")).status_code for _ in range(5)} == {200}

    async def test_where_access_is_open_this_machine_is_not_counted_and_others_are(self):
        policy = Policy.model_validate({"access": {"mode": "open", "rates": {"read": 1}}})
        app = an_api(FakeDesk(), policy=policy)
        seen = {}
        for address in ("127.0.0.1", "192.0.2.7"):
            transport = httpx.ASGITransport(app=app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                seen[address] = [(await client.get("/api/v1/previews")).status_code for _ in range(2)]
        assert seen == {"127.0.0.1": [200, 200], "192.0.2.7": [200, 429]}


class TestSessions:
    async def test_a_browser_is_led_to_the_login_and_back(self, gates: Gates):
        answer = await gates.client.get("/previews/shop/7?service=web", headers=PAGE)
        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            "/login?next=/previews/shop/7%3Fservice%3Dweb",
        )
        assert 'value="/previews/shop/7?service=web"' in (await gates.client.get(answer.headers["Location"])).text

    async def test_a_session_is_who_the_token_says(self, gates: Gates):
        answer = await gates.log_in()
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        page = await gates.client.get("/", headers=PAGE)
        assert "grace" in page.text
        assert 'name="actor"' not in page.text
        said = {"command": "pin", "actor": "the boss"}
        assert (await gates.client.post("/previews/shop/7/commands", data=said, headers=OWN)).status_code == 303
        assert gates.desk.world[READY].wishes.pinned_by == "grace"

    async def test_the_cookie_is_for_this_host_and_for_no_script(self, gates: Gates):
        cookie = (await gates.log_in()).headers["Set-Cookie"]
        assert cookie.startswith("mayfly_session=mayfly_")
        assert {part.strip() for part in cookie.split(";")[1:]} == {
            "HttpOnly",
            "Max-Age=43200",
            "Path=/",
            "SameSite=lax",
        }

    @pytest.mark.parametrize(
        "policy",
        [Policy.model_validate({"domain": "previews.example.com", "public_url": "https://previews.example.com"})],
    )
    async def test_over_https_no_other_host_can_set_it(self, gates: Gates):
        cookie = (await gates.log_in()).headers["Set-Cookie"]
        assert cookie.startswith("__Host-mayfly_session=")
        assert "Secure" in cookie
        assert "domain" not in cookie.lower()

    async def test_logging_out_ends_it(self, gates: Gates):
        await gates.log_in()
        await gates.client.post("/logout", data={}, headers=OWN | {"Content-Type": "application/x-www-form-urlencoded"})
        assert (await gates.client.get("/", headers=PAGE)).status_code == 303

    async def test_a_session_changes_nothing_for_a_request_that_does_not_say_where_from(self, gates: Gates):
        await gates.log_in()
        assert (await gates.client.post(COMMANDS, json=PIN)).status_code == 403
        assert (await gates.client.post(COMMANDS, json=PIN, headers=OWN)).status_code == 202
        stranger = {"Origin": "http://pr-7.localhost:8080", "Sec-Fetch-Site": "same-site"}
        assert (await gates.client.post(COMMANDS, json=PIN, headers=stranger)).status_code == 403

    async def test_of_two_cookies_none_is_taken(self, gates: Gates):
        await gates.log_in()
        ours = gates.client.cookies["mayfly_session"]
        twice = {"Cookie": f"mayfly_session={ours}; mayfly_session={ours}"}
        gates.client.cookies.clear()
        assert (await gates.client.get("/api/v1/previews", headers=twice)).status_code == 401

    async def test_a_wrong_token_is_told_on_the_page(self, gates: Gates):
        answer = await gates.client.post("/login", data={"token": "mayfly_x"}, headers=OWN)
        assert (answer.status_code, "not known here" in answer.text) == (401, True)
        assert "Set-Cookie" not in answer.headers

    async def test_a_login_from_another_page_is_refused(self, gates: Gates):
        stranger = {"Origin": "http://pr-7.localhost:8080", "Sec-Fetch-Site": "same-site"}
        answer = await gates.client.post("/login", data={"token": "x"}, headers=stranger)
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("wanted", "page"),
        [
            ("/previews/shop/7?service=web", "/previews/shop/7?service=web"),
            ("https://evil.com", "/"),
            ("//evil.com", "/"),
            ("///evil.com", "/"),
            ("/\\evil.com", "/"),
            ("/%5Cevil.com", "/%5Cevil.com"),
            ("javascript:alert(1)", "/"),
            ("/x\r\nSet-Cookie: a=b", "/"),
            ("/\tevil.com", "/"),
            ("previews", "/"),
            ("", "/"),
            ("/login", "/"),
        ],
    )
    async def test_after_the_login_one_stays_here(self, gates: Gates, wanted: str, page: str):
        _, secret = await gates.access.make("grace", Scope.READ, "ada")
        answer = await gates.client.post("/login", data={"token": secret, "next": wanted}, headers=OWN)
        assert answer.headers["Location"] == page
