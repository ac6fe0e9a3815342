"""What Prometheus reads."""

from dataclasses import replace
from datetime import timedelta
from math import isnan
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.adapters.github.meter import Limit, Outcome
from controller.adapters.github.opening import Meter
from controller.api.metrics import ASKED, THROTTLED, Metrics, looks
from controller.common.notices import Notice, Outgoing, Severity, Status
from controller.common.words import ForgeHealth
from controller.deploys.chronicle import Meter as TargetMeter
from controller.deploys.model import Verdict
from controller.deploys.steps import Step
from controller.probes.meter import Meter as ProbeMeter
from controller.probes.model import Alarm
from smoke.model import Outcome as Found
from tests.api.api import a_client, an_api
from tests.api.probe_world import ProbeWorld
from tests.fakes.desk import FakeDesk
from tests.fakes.examples import NOON
from tests.fakes.outbox import FakeOutbox


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


def test_every_rooms_meter_is_told_of_what_it_counts():
    metrics = Metrics()
    chronicle: TargetMeter = metrics
    watch: ProbeMeter = metrics
    chronicle.target_stepped("production", "rollback")
    chronicle.target_judged("production", "rejected", 90)
    chronicle.set_target("production", "soaking")
    chronicle.set_target("production", "verified")
    for outcome in (Found.PASSED, Found.PASSED, Found.BROKEN):
        watch.sampled("shop", "paris", outcome, timedelta(milliseconds=3), timedelta(milliseconds=80))
    watch.missed("shop", 4)
    watch.lost(5)
    watch.firing(Alarm.SILENT, 2)
    watch.cut_off(True)
    read = samples(metrics.render().decode())
    target, state = ("target", "production"), "mayfly_target_state"
    assert read["mayfly_target_steps_total", (("step", "rollback"), target)] == 1
    assert read["mayfly_target_verdict_seconds_sum", (target, ("verdict", "rejected"))] == 90
    assert read[state, (("state", "verified"), target)] == 1
    assert sum(value for (name, _), value in read.items() if name == state) == 1
    shop, paris = ("probe", "shop"), ("location", "paris")
    assert read["mayfly_probe_samples_total", (paris, ("outcome", "passed"), shop)] == 2
    assert read["mayfly_probe_samples_total", (paris, ("outcome", "broken"), shop)] == 1
    assert read["mayfly_probe_seconds_sum", (shop,)] == pytest.approx(0.24)
    assert read["mayfly_probe_late_seconds_bucket", (("le", "0.005"), paris)] == 3
    assert read["mayfly_probe_late_seconds_bucket", (("le", "0.0025"), paris)] == 0
    assert read["mayfly_probe_missed_total", (shop,)] == 4
    assert read["mayfly_probe_lost_total", ()] == 5
    assert read["mayfly_probe_alarms", (("alarm", "silent"),)] == 2
    assert read["mayfly_probe_alarms", (("alarm", "fast-burn"),)] == 0
    assert read["mayfly_prober_cut_off", ()] == 1


def test_every_step_verdict_and_state_of_a_target_has_a_name():
    metrics = Metrics()
    for step in get_args(Step):
        metrics.target_stepped("production", step.__name__.lower())
    for verdict in set(Verdict) - {Verdict.PENDING}:
        metrics.target_judged("production", verdict, 1)
    assert not [labels for _, labels in samples(metrics.render().decode()) if "other" in dict(labels).values()]


async def test_budgets_and_notices_are_looked_up_when_somebody_reads():
    world, outbox, metrics = ProbeWorld(NOON), FakeOutbox(), Metrics()
    metrics.before_reading(looks.budgets(world.desk))
    metrics.before_reading(looks.notices(outbox))
    news = Notice("n1", NOON, Severity.PAGE, Status.FIRING, "probe:shop", "The shop fails")
    await outbox.post([news, replace(news, id="n2")], ["pager", "chat"])
    await outbox.failed(Outgoing(news, "pager"), "no such channel", None)
    async with a_client(an_api(FakeDesk(), metrics=metrics)) as client:
        read = samples((await client.get("/metrics")).text)
        assert read["mayfly_probe_budget_left", (("probe", "search"),)] == 1
        assert read["mayfly_probe_budget_left", (("probe", "shop"),)] < 0
        assert ("mayfly_probe_budget_left", (("probe", "cellar"),)) not in read  # it has no objective
        assert read["mayfly_notices", (("route", "chat"), ("state", "waiting"))] == 2
        assert read["mayfly_notices", (("route", "pager"), ("state", "waiting"))] == 1
        assert read["mayfly_notices", (("route", "pager"), ("state", "given-up"))] == 1
        world.down = outbox.down = True
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert not [name for name, _ in samples(answer.text) if name in {"mayfly_probe_budget_left", "mayfly_notices"}]


def test_two_of_them_do_not_share_anything():
    one, other = Metrics(), Metrics()
    one.acted("deploy")
    assert ("mayfly_actions_total", (("kind", "deploy"),)) not in samples(other.render().decode())
