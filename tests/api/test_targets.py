"""The JSON API of targets, over a day in production with the real desk."""

from contextlib import asynccontextmanager

import pytest

from controller.access.desk import AccessDesk
from controller.access.model import Scope
from controller.deploys.model import Verb
from controller.settings import Policy
from tests.api.api import a_client, an_api
from tests.api.production import SECRET, a_day_in_production
from tests.deploys.day import NAME
from tests.fakes.access import FakeAccess
from tests.fakes.desk import FakeDesk

HERE = f"/api/v1/targets/{NAME}"
WHY = {"reason": "prices are wrong", "actor": "ada"}


@pytest.fixture
async def day():
    return await a_day_in_production()


@pytest.fixture
async def client(day):
    async with a_client(an_api(FakeDesk(), targets=day.desk)) as client:
        yield client


class TestReading:
    async def test_a_target_says_how_it_stands_and_what_can_be_done(self, client):
        answer = await client.get(HERE)

        told = answer.json()
        assert (await client.get("/api/v1/targets")).json() == {"targets": [told]}
        assert (told["state"], told["live"]["number"], told["newest"]) == ("restored", 2, 3)
        assert told["can_go_back_to"] == [1]
        assert (told["rollback"]["bad"], told["rollback"]["to"], told["rollback"]["restored"]) == (3, 2, True)
        assert told["dora"]["failure_rate"] == pytest.approx(1 / 3)
        assert [service["name"] for service in told["services"]] == ["web"]

    async def test_releases_are_newest_first_with_evidence_against_the_bad_one(self, client):
        releases = (await client.get(f"{HERE}/releases")).json()["releases"]

        assert [(one["number"], one["stage"], one["live"]) for one in releases] == [
            (3, "rolled-back", False),
            (2, "verified", True),
            (1, "retired", False),
        ]
        assert "status 500" in releases[0]["evidence"]
        assert releases[0]["to_verdict"] == 10
        assert releases[1]["evidence"] == ""

    @pytest.mark.parametrize("part", ["", "/releases", "/timeline", "/checks"])
    async def test_of_configuration_and_secrets_only_names_are_told(self, client, part):
        answer = await client.get(HERE + part)

        assert answer.status_code == 200
        assert SECRET not in answer.text
        assert "blue" not in answer.text
        if part == "/releases":
            assert answer.json()["releases"][0]["variables"] == ["COLOUR"]
            assert answer.json()["releases"][0]["secrets"] == ["API_KEY"]

    async def test_no_digest_of_a_secret_is_told_either(self, client, day):
        digest = day.record.releases[0].secrets["API_KEY"]
        for part in ("", "/releases", "/timeline"):
            assert digest not in (await client.get(HERE + part)).text

    async def test_checks_are_told_with_their_release(self, client):
        runs = (await client.get(f"{HERE}/checks")).json()["runs"]

        assert [(one["release"], one["run"]["outcome"]) for one in runs] == [
            (1, "passed"),
            (2, "passed"),
            (3, "failed"),
            (3, "failed"),
            (2, "passed"),
        ]

    async def test_the_timeline_is_oldest_first_and_no_longer_than_asked(self, client):
        events = (await client.get(f"{HERE}/timeline", params={"limit": 2})).json()["events"]

        assert [event["kind"] for event in events] == ["smoke", "settle"]

    async def test_the_log_of_one_service(self, client):
        assert (await client.get(f"{HERE}/logs", params={"service": "web"})).text == "listening\n"

    async def test_a_page_that_a_check_left_does_nothing_here(self, client, day):
        day.targets.artifacts[NAME, "page.html"] = b"<script>alert(1)</script>"

        answer = await client.get(f"{HERE}/artifacts/page.html")

        assert answer.headers["Content-Disposition"] == "attachment"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert (await client.get(f"{HERE}/artifacts/other.png")).status_code == 404

    @pytest.mark.parametrize("part", ["", "/releases", "/timeline", "/checks", "/logs", "/artifacts/x.png"])
    async def test_an_unknown_target_is_not_found_and_those_there_are_are_named(self, client, part):
        answer = await client.get(f"/api/v1/targets/prod{part}")

        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
        assert answer.json()["detail"] == "there is no target 'prod'; there is production"

    async def test_a_place_that_is_down_is_503(self, client, day):
        day.targets.down = True

        assert (await client.get(HERE)).status_code == 503


class TestAsking:
    async def test_a_rollback_is_accepted_and_says_where_to_look(self, client, day):
        answer = await client.post(f"{HERE}/rollback", json=WHY)
        await day.settle()

        assert (answer.status_code, answer.headers["Location"]) == (202, HERE)
        assert "from #2" in answer.json()["answer"]
        told = (await client.get(answer.headers["Location"])).json()
        assert (told["live"]["number"], told["rollback"]["actor"]) == (1, "ada")
        assert told["rollback"]["order"] == told["order"] != 0

    async def test_the_same_key_goes_back_once(self, client, day):
        await client.post(f"{HERE}/redeploy", json=WHY | {"to": 1})
        await day.settle()

        for _ in range(2):
            answer = await client.post(f"{HERE}/rollback", json=WHY, headers={"Idempotency-Key": "k1"})
            assert answer.status_code == 202
            await day.settle()

        assert day.record.live == 2

    async def test_the_same_key_for_something_else_is_something_else(self, client, day):
        for verb in ("hold", "release"):
            await client.post(f"{HERE}/{verb}", json=WHY, headers={"Idempotency-Key": "k1"})
            await day.settle(1)

        assert (await client.get(HERE)).json()["held"] == ""

    async def test_while_one_is_under_way_another_is_a_conflict_that_says_whose(self, client, day):
        day.targets.ground.rollout_takes = day.policy.soak + day.policy.thresholds.pause * 100
        await day.ask(Verb.ROLLBACK, because="prices are wrong")
        await day.deployer.round()

        answer = await client.post(f"{HERE}/rollback", json=WHY)

        assert answer.status_code == 409
        assert "ada is rolling back to #1" in answer.json()["detail"]

    @pytest.mark.parametrize("to", [2, 3, 9])
    async def test_what_cannot_be_rolled_back_to_says_what_can(self, client, to):
        answer = await client.post(f"{HERE}/rollback", json=WHY | {"to": to})

        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(f"#{to} is no verified release to roll back to; there is #1 (")

    async def test_a_redeploy_tries_a_rejected_one_again(self, client, day):
        day.targets.ground.outcomes.clear()
        await client.post(f"{HERE}/redeploy", json=WHY | {"to": 3})

        record = await day.settle()

        assert (record.live, record.running.revision) == (4, record.release(3).revision)

    async def test_held_says_by_whom_until_it_is_released(self, client, day):
        await client.post(f"{HERE}/hold", json=WHY)
        await day.settle(1)
        held = (await client.get(HERE)).json()

        await client.post(f"{HERE}/release", json=WHY)
        await day.settle(1)

        assert (held["state"], held["held"]) == ("held", "held by ada: prices are wrong")
        assert (await client.get(HERE)).json()["held"] == ""

    @pytest.mark.parametrize("verb", ["rollback", "hold", "release", "redeploy"])
    async def test_each_needs_a_target_a_reason_and_a_name(self, client, verb):
        assert (await client.post(f"/api/v1/targets/prod/{verb}", json=WHY)).status_code == 404
        assert (await client.post(f"{HERE}/{verb}", json={"reason": "x"})).status_code == 400
        assert (await client.post(f"{HERE}/{verb}", json={"actor": "ada"})).status_code == 400
        assert (await client.post(f"{HERE}/{verb}", json=WHY | {"reason": " "})).status_code == 422


class TestTokens:
    async def test_the_token_s_name_is_who_asked_and_it_is_written_down(self, day):
        async with _with_token(day, Scope.OPERATE) as (client, memory):
            answer = await client.post(f"{HERE}/rollback", json={"reason": "x", "actor": "mallory", "to": 1})

        assert answer.status_code == 202
        assert (await day.journal.target_decisions())[NAME][-1].actor == "grace"
        assert memory.entries[-1].detail == "rollback production to #1"

    async def test_who_may_only_read_asks_for_nothing(self, day):
        async with _with_token(day, Scope.READ) as (client, _):
            assert (await client.get(HERE)).status_code == 200
            assert (await client.post(f"{HERE}/hold", json=WHY)).status_code == 403

        assert NAME not in await day.journal.target_decisions()


@asynccontextmanager
async def _with_token(day, scope):
    memory = FakeAccess()
    access = AccessDesk(memory, memory, lambda: day.now)
    _, secret = await access.make("grace", scope, "test", None)
    policy = Policy.model_validate({"access": {"mode": "token"}})
    async with a_client(an_api(FakeDesk(), targets=day.desk, access=access, policy=policy)) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        yield client, memory
