import asyncio
import contextlib
import socket
from datetime import UTC, datetime, timedelta

import pytest

from controller.probes.canary import Canaries
from controller.probes.prober import Prober
from smoke.model import Outcome
from tests.probes.examples import a_probe


def now():
    return datetime.now(UTC)


def nobody_there():
    """A URL at which nobody listens, as long as nobody is given the port."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "said", "outcome", "message"),
    [
        pytest.param(200, {}, Outcome.PASSED, "", id="it answers"),
        pytest.param(
            500,
            {},
            Outcome.FAILED,
            "it answers: the status is 500, expected one below 400",
            id="it is the application",
        ),
        pytest.param(
            200,
            {"checks": [{"name": "front", "http": {"path": "/", "expect": {"body": "Basket"}}}]},
            Outcome.FAILED,
            "front: the body does not contain 'Basket'",
            id="a check of its own",
        ),
        pytest.param(
            200,
            {"checks": [{"name": "front", "http": {"path": "/{nothing}"}}]},
            Outcome.BROKEN,
            "front: there is no value for `{nothing}`",
            id="it is us",
        ),
    ],
)
async def test_a_sample_says_what_came_of_it(shop, status, said, outcome, message):
    shop.status = status
    due = now()
    async with Prober([a_probe(url=shop.url, **said)], 10) as prober:
        sample = await prober.sample("shop", due)
    assert (sample.probe, sample.location, sample.at) == ("shop", "here", due)
    assert (sample.outcome, sample.message) == (outcome, message)
    assert timedelta(0) < sample.took < timedelta(seconds=5)
    assert timedelta(0) <= sample.late < timedelta(seconds=5)


async def test_nobody_there_is_the_applications_fault():
    async with Prober([a_probe(url=nobody_there())], 10) as prober:
        sample = await prober.sample("shop", now())
    assert sample.outcome is Outcome.FAILED
    assert "connection refused" in sample.message


async def test_each_sample_measures_a_new_connection(shop):
    async with Prober([a_probe(url=shop.url)], 10) as prober:
        for _ in range(3):
            await prober.sample("shop", now())
    assert len(shop.ports) == 3


async def test_who_waits_for_a_turn_is_late_and_says_so(shop):
    shop.slow = 0.2
    probe = a_probe(url=shop.url, checks=[{"name": "slow", "http": {"path": "/slow"}}])
    async with Prober([probe], at_once=1) as prober:
        due = now()
        first, second = await asyncio.gather(*[prober.sample("shop", due) for _ in range(2)])
    assert first.late < timedelta(seconds=0.2) <= second.late


async def test_a_secret_from_the_environment_is_used_and_not_repeated(shop, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "hunter2hunter2")
    shop.status = 500
    probe = a_probe(
        url=shop.url, checks=[{"name": "it", "http": {"path": "/${SHOP_TOKEN}", "expect": {"status": "200"}}}]
    )
    async with Prober([probe], 10) as prober:
        sample = await prober.sample("shop", now())
    assert shop.asked == ["/hunter2hunter2"]
    assert "hunter2" not in sample.message


async def test_we_are_cut_off_where_no_canary_answers(shop):
    async with Canaries([nobody_there(), nobody_there()]) as canaries:
        assert await canaries.cut_off()
    async with Canaries([nobody_there(), shop.url]) as canaries:
        assert not await canaries.cut_off()
    async with Canaries([]) as canaries:
        assert not await canaries.cut_off(), "without canaries nobody can tell"


async def test_a_canary_may_answer_what_it_likes_and_is_asked_once_for_all(shop):
    shop.status = 503
    async with Canaries([shop.url]) as canaries:
        assert not any(await asyncio.gather(*[canaries.cut_off() for _ in range(50)]))
    assert len(shop.asked) == 1
