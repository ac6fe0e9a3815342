"""What Prometheus reads."""

from datetime import timedelta
from math import isnan

from prometheus_client.parser import text_string_to_metric_families

from controller.adapters.github.meter import Limit, Outcome
from controller.adapters.github.opening import Meter
from controller.api.metrics import ASKED, THROTTLED, Metrics
from controller.common.words import ForgeHealth
from tests.api.api import a_client, an_api
from tests.fakes.desk import FakeDesk


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


async def test_what_the_loop_tells_is_what_prometheus_reads():
    metrics = Metrics()
    metrics.round_took(0.02)
    metrics.round_took(0.2)
    metrics.acted("deploy")
    metrics.deployed(1.4, "ready")
    metrics.checked("smoke", "broken")
    metrics.heard("pull_request", "new")
    metrics.set_previews({"ready": 3})
    async with a_client(an_api(FakeDesk(), metrics=metrics)) as client:
        answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    read = samples(answer.text)
    assert read["mayfly_round_seconds_count", ()] == 2
    assert read["mayfly_actions_total", (("kind", "deploy"),)] == 1
    assert read["mayfly_deploy_seconds_sum", (("outcome", "ready"),)] == 1.4
    assert read["mayfly_checks_total", (("outcome", "broken"), ("suite", "smoke"))] == 1
    assert read["mayfly_webhooks_total", (("event", "pull_request"), ("outcome", "new"))] == 1
    assert read["mayfly_previews", (("state", "ready"),)] == 3
    assert read["mayfly_previews", (("state", "failed"),)] == 0


def test_a_state_that_emptied_is_counted_down():
    metrics = Metrics()
    metrics.set_previews({"ready": 3, "starting": 1})
    metrics.set_previews({"ready": 4})
    read = samples(metrics.render().decode())
    assert read["mayfly_previews", (("state", "starting"),)] == 0


def test_words_of_strangers_do_not_become_labels():
    metrics = Metrics()
    for number in range(100):
        metrics.acted(f"kind-{number}")
        metrics.checked(f"suite-{number}", f"outcome-{number}")
        metrics.deployed(1, f"outcome-{number}")
        metrics.heard(f"event-{number}", f"outcome-{number}")
    read = samples(metrics.render().decode())
    assert read["mayfly_actions_total", (("kind", "other"),)] == 100
    assert read["mayfly_checks_total", (("outcome", "other"), ("suite", "other"))] == 100
    assert read["mayfly_webhooks_total", (("event", "other"), ("outcome", "other"))] == 100


async def test_how_the_forge_is_is_read_at_that_moment():
    desk = FakeDesk()
    async with a_client(an_api(desk)) as client:
        at_first = samples((await client.get("/metrics")).text)
        desk.health = ForgeHealth("github", remaining=12, lag=timedelta(minutes=2))
        later = samples((await client.get("/metrics")).text)
    assert isnan(at_first["mayfly_forge_quota_remaining", ()])
    assert at_first["mayfly_forge_lag_seconds", ()] == 0
    assert (later["mayfly_forge_quota_remaining", ()], later["mayfly_forge_lag_seconds", ()]) == (12, 120)


def test_every_request_to_github_is_counted_by_what_came_of_it():
    metrics = Metrics()
    meter: Meter = metrics
    for outcome in Outcome:
        meter.asked(outcome)
    for limit in Limit:
        meter.throttled(limit)
    read = samples(metrics.render().decode())
    assert {outcome.value for outcome in Outcome} == set(ASKED)
    assert {limit.value for limit in Limit} == set(THROTTLED)
    assert all(read["mayfly_forge_requests_total", (("outcome", one),)] == 1 for one in ASKED)
    assert all(read["mayfly_forge_throttled_total", (("limit", one),)] == 1 for one in THROTTLED)


def test_two_of_them_do_not_share_anything():
    one, other = Metrics(), Metrics()
    one.acted("deploy")
    assert ("mayfly_actions_total", (("kind", "deploy"),)) not in samples(other.render().decode())
