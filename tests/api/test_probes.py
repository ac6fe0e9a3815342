"""`/api/v1`: probes, silences and what agents bring, over the desk itself."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from controller.access.desk import AccessDesk
from controller.access.model import Scope
from controller.probes.remote import verified
from controller.settings import HERE, Policy
from tests.api.api import a_client, an_api
from tests.api.probe_world import SUSPECT, ProbeWorld
from tests.fakes.access import FakeAccess
from tests.fakes.desk import FakeDesk

NOW = datetime.now(UTC).replace(microsecond=0)
FOUND = {"probe": "shop", "at": NOW.isoformat(), "late": 0.002, "took": 0.08, "outcome": "passed"}
TOKENS = Policy.model_validate({"access": {"mode": "token"}})


@pytest.fixture
def world() -> ProbeWorld:
    return ProbeWorld(NOW)


@pytest.fixture
async def client(world: ProbeWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(an_api(FakeDesk(), probes=world.desk)) as client:
        yield client


async def test_all_probes_are_listed_with_how_they_are(client: httpx.AsyncClient, world: ProbeWorld):
    world.fires()
    answer = await client.get("/api/v1/probes")
    shop, search, cellar = answer.json()["probes"]
    assert (shop["name"], shop["title"], shop["state"], shop["target"]) == ("shop", "The shop", "burning", "production")
    (alarm,) = shop["alarms"]
    assert (alarm["alarm"], alarm["because"], alarm["suspect"]) == ("fast-burn", "3 of 12 failed", SUSPECT)
    assert (search["state"], search["budget"], search["counts"]["failed"]) == ("up", 1.0, 0)
    assert (cellar["state"], cellar["budget"], cellar["latest"]) == ("unknown", None, None)


async def test_one_tells_its_burn_rates_and_latest_sample(client: httpx.AsyncClient):
    shop = (await client.get("/api/v1/probes/shop")).json()
    fast = shop["burns"][0]
    assert (fast["alarm"], fast["rate"], fast["long"], fast["short"]) == ("fast-burn", 14.4, 3600, 300)
    assert (fast["in_long"], fast["in_short"]) == (pytest.approx(2 / 12 / 0.01), pytest.approx(100))
    assert (shop["late"], shop["latest"]["outcome"], shop["latest"]["location"]) == (0.003, "failed", HERE)


async def test_nobody_reads_a_password_in_an_address(client: httpx.AsyncClient):
    answer = await client.get("/api/v1/probes")
    assert answer.json()["probes"][1]["url"] == "https://search.example/find"
    assert "geheim" not in answer.text


async def test_samples_are_told_oldest_first(client: httpx.AsyncClient):
    samples = (await client.get("/api/v1/probes/shop/samples", params={"limit": 3})).json()["samples"]
    assert [sample["outcome"] for sample in samples] == ["passed", "failed", "failed"]
    assert samples[0]["at"] < samples[1]["at"] < samples[2]["at"]


async def test_a_series_is_of_the_last_day_where_nothing_else_is_said(client: httpx.AsyncClient):
    told = (await client.get("/api/v1/probes/search/series")).json()
    assert told["step"] == 300
    assert 286 <= len(told["points"]) <= 289, "a day of five minutes, but for those cut off at its ends"
    assert all(point["p50"] > 0 and point["counts"]["total"] for point in told["points"])


async def test_a_series_is_of_the_span_and_step_that_one_asks_for(client: httpx.AsyncClient):
    since = (NOW - timedelta(days=10)).isoformat()
    until = (NOW - timedelta(days=5)).isoformat()
    said = {"since": since, "until": until, "step": 86_400}
    points = (await client.get("/api/v1/probes/search/series", params=said)).json()["points"]
    assert [point["counts"]["total"] for point in points] == [6] * 6


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"step": 7}, "step"),
        ({"step": 5400}, "step"),
        ({"since": "yesterday"}, "since"),
    ],
)
async def test_a_series_that_makes_no_sense_is_refused(client: httpx.AsyncClient, said: dict[str, str], names: str):
    answer = await client.get("/api/v1/probes/search/series", params=said)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(names)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 0),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "0001-01-01T00:00:00+14:00"}, 0),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00", "step": 86_400}, 90),
    ],
)
async def test_a_series_of_no_time_is_empty_and_of_all_time_is_what_is_kept(
    client: httpx.AsyncClient, said: dict[str, str], count: int
):
    answer = await client.get("/api/v1/probes/search/series", params=said)
    assert len(answer.json()["points"]) == count


@pytest.mark.parametrize("path", ["", "/samples", "/series"])
async def test_a_probe_that_is_not_known_is_404_with_those_that_are(client: httpx.AsyncClient, path: str):
    answer = await client.get(f"/api/v1/probes/nothing{path}")
    assert answer.status_code == 404
    assert "there is no probe `nothing`; there is cellar, search, shop" in answer.json()["detail"]


async def test_incidents_are_told_with_the_suspect(client: httpx.AsyncClient, world: ProbeWorld):
    world.fires()
    old, new = (await client.get("/api/v1/incidents")).json()["incidents"]
    assert (old["alarm"], old["ended"] is None, new["ended"], new["suspect"]) == ("failing", False, None, SUSPECT)
    since = (NOW - timedelta(hours=1)).isoformat()
    assert (await client.get("/api/v1/incidents", params={"since": since})).json()["incidents"] == [new]


async def test_a_silence_is_made_seen_and_ended(client: httpx.AsyncClient, world: ProbeWorld):
    said = {"probe": "shop", "lasts": 7200, "because": "we move", "actor": "ada"}
    made = await client.post("/api/v1/silences", json=said)
    assert made.status_code == 201
    assert (await client.get("/api/v1/silences")).json()["silences"] == [made.json()]
    assert (await client.get("/api/v1/probes/shop")).json()["state"] == "maintenance"
    path = f"/api/v1/silences/{made.json()['id']}"
    assert [(await client.delete(path)).status_code for _ in range(2)] == [204, 404]
    assert await world.desk.silences() == ()


async def test_a_silence_of_no_probe_in_particular_is_of_all(client: httpx.AsyncClient):
    await client.post("/api/v1/silences", json={"lasts": 60, "because": "we move", "actor": "ada"})
    states = [probe["state"] for probe in (await client.get("/api/v1/probes")).json()["probes"]]
    assert states == ["maintenance"] * 3


@pytest.mark.parametrize(
    ("differing", "status"),
    [
        ({"probe": "nothing"}, 404),
        ({"lasts": 0}, 400),
        ({"lasts": 10**9}, 400),
        ({"because": ""}, 400),
        ({"actor": None}, 400),
        ({"for": 7}, 400),
    ],
)
async def test_a_silence_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, world: ProbeWorld, differing: dict[str, object], status: int
):
    said = {"probe": "shop", "lasts": 7200, "because": "we move", "actor": "ada"} | differing
    assert (await client.post("/api/v1/silences", json=said)).status_code == status
    assert not world.alerts.kept_silences


async def test_where_history_is_down_it_is_503(client: httpx.AsyncClient, world: ProbeWorld):
    world.down = True
    answer = await client.get("/api/v1/probes")
    assert answer.status_code == 503
    assert answer.json()["detail"].endswith(" down")


class Agent:
    """A client that shows a token."""

    def __init__(self, world: ProbeWorld, scope: Scope = Scope.AGENT, name: str = "paris") -> None:
        self.memory = FakeAccess()
        self.access = AccessDesk(self.memory, self.memory, lambda: NOW)
        self._app = an_api(FakeDesk(), probes=world.desk, policy=TOKENS, access=self.access)
        self._who = name, scope

    async def ask(self, method: str, path: str, **said: object) -> httpx.Response:
        self.token, secret = await self.access.make(*self._who, "ada")
        async with a_client(self._app) as client:
            return await client.request(
                method, f"/api/v1/agent/{path}", headers={"Authorization": f"Bearer {secret}"}, **said
            )


def a_delivery(**differing: object) -> dict[str, object]:
    return {"batch": "batch-0001", "samples": [FOUND | differing]}


async def test_an_agent_is_told_what_is_run_at_its_location_signed_for_its_token(world: ProbeWorld):
    agent = Agent(world)
    answer = await agent.ask("GET", "assignment")
    assert answer.headers["Content-Type"] == "application/json"
    assignment = verified(answer.content, agent.token.digest, "paris", 0, NOW)
    assert [probe.name for probe in assignment.probes] == ["shop"]


async def test_what_an_agent_found_is_kept_once_under_its_own_name(world: ProbeWorld):
    world.watch.leads = True
    before, agent = len(world.samples.kept), Agent(world)
    answers = [await agent.ask("POST", "samples", json=a_delivery(message="a\nb\x1b[31m")) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in answers] == [(202, {"new": True}), (202, {"new": False})]
    (kept,) = world.samples.kept[before:]
    assert (kept.location, kept.at, kept.took, kept.message) == ("paris", NOW, timedelta(milliseconds=80), "a b")


@pytest.mark.parametrize(
    "differing",
    [
        pytest.param({"probe": "search"}, id="not run there"),
        pytest.param({"at": (NOW + timedelta(hours=1)).isoformat()}, id="from the future"),
        pytest.param({"at": "0001-01-01T00:00:00+14:00"}, id="from before there were probes"),
        pytest.param({"at": "9999-12-31T23:59:59-14:00"}, id="from after there are any"),
    ],
)
async def test_what_is_not_an_agents_to_say_is_left_out(world: ProbeWorld, differing: dict[str, object]):
    world.watch.leads = True
    before = len(world.samples.kept)
    await Agent(world).ask("POST", "samples", json=a_delivery(**differing))
    assert len(world.samples.kept) == before


@pytest.mark.parametrize(
    "body",
    [
        a_delivery(outcome="fine"),
        a_delivery(took=-1),
        a_delivery(at=NOW.replace(tzinfo=None).isoformat()),
        a_delivery(location="here"),
        a_delivery(message="x" * 501),
        a_delivery() | {"samples": []},
        a_delivery() | {"samples": [FOUND] * 501},
        a_delivery() | {"batch": ""},
    ],
)
async def test_a_delivery_that_is_malformed_is_not_taken_at_all(world: ProbeWorld, body: dict[str, object]):
    world.watch.leads = True
    before = len(world.samples.kept)
    assert (await Agent(world).ask("POST", "samples", json=body)).status_code in {400, 413}
    assert len(world.samples.kept) == before


async def test_an_agent_may_not_be_the_controller(world: ProbeWorld):
    world.watch.leads = True
    agent = Agent(world, name=HERE)
    assert (await agent.ask("GET", "assignment")).status_code == 404
    assert (await agent.ask("POST", "samples", json=a_delivery())).status_code == 409


@pytest.mark.parametrize("scope", [Scope.READ, Scope.OPERATE])
async def test_only_agents_are_agents(world: ProbeWorld, scope: Scope):
    assert (await Agent(world, scope).ask("GET", "assignment")).status_code == 403


async def test_where_access_is_open_nobody_is_an_agent(world: ProbeWorld):
    memory = FakeAccess()
    access = AccessDesk(memory, memory, lambda: NOW)
    async with a_client(an_api(FakeDesk(), probes=world.desk, access=access)) as client:
        answer = await client.get("/api/v1/agent/assignment")
    assert (answer.status_code, "needs a token of the scope `agent`" in answer.text) == (403, True)
