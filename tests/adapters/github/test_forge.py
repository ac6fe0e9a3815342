"""What we are told unasked, where git fetches from, and what is missing at the start."""

import asyncio
import base64
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from controller.adapters.github.opening import open_github
from controller.adapters.github.source import web_of
from controller.common.nouns import PreviewKey
from controller.errors import Refused
from controller.previews.model import Delivery
from controller.settings import GITHUB_KEY, GITHUB_TOKEN, WEBHOOK_SECRET, GitHub
from tests.adapters.github.world import APP, REPO, SECRET, app_key, key_of, listening
from tests.fakes.history import FakeHistory

NOW = datetime(2026, 1, 2, tzinfo=UTC)


async def ring(forge, *deliveries):
    """What rings first for somebody who listens while these come."""
    async with aclosing(forge.bells()) as bells:
        listener = asyncio.ensure_future(anext(bells))
        await asyncio.sleep(0)
        for delivery in deliveries:
            forge.hear(delivery)
        return await asyncio.wait_for(listener, 10)


async def test_a_webhook_rings_and_it_is_known_when(place, forge):
    assert forge.health().heard_at is None
    assert await ring(forge, Delivery("1", NOW, "pull_request", REPO, PreviewKey(REPO, 7))) == PreviewKey(REPO, 7)
    assert place.github.clock.now().timestamp() - forge.health().heard_at.timestamp() < 10


async def test_what_is_about_no_pull_request_rings_for_any(forge):
    assert await ring(forge, Delivery("1", NOW, "push", REPO)) is None


async def test_it_is_asked_once_more_soon_after_as_what_it_answers_from_may_lag(place, monkeypatch):
    monkeypatch.setattr("controller.adapters.github.forge.LAG", timedelta(seconds=1))
    async with place.forge(fresh="1h") as forge, aclosing(forge.bells()) as bells:
        pull = place.shop.open("feature", {"a.txt": "a"}, place.ada)
        key, listener = key_of(pull), asyncio.ensure_future(anext(bells))
        await asyncio.sleep(0)
        for number in ("1", "2"):
            forge.hear(Delivery(number, NOW, "pull_request", REPO, key))
        await forge.pull(key)  # from a copy that does not know yet
        pushed = pull.push({"a.txt": "b"})
        rings = [await asyncio.wait_for(ringing, 10) for ringing in (listener, anext(bells), anext(bells))]
        assert rings == [key, key, key]  # one for each, and one more for both
        assert (await forge.pull(key)).head == pushed


async def test_a_repository_that_is_none_of_ours_does_not_ring(forge):
    await forge.repositories()
    theirs = Delivery("1", NOW, "pull_request", "acme/other", PreviewKey("acme/other", 1))
    ours = Delivery("2", NOW, "pull_request", REPO, PreviewKey(REPO, 2))
    assert await ring(forge, theirs, ours) == PreviewKey(REPO, 2)


async def test_a_listener_that_lags_is_told_that_it_may_be_anything(forge):
    async with aclosing(forge.bells()) as bells:
        listener = asyncio.ensure_future(anext(bells))
        await asyncio.sleep(0)
        for number in range(1, 1001):
            forge.hear(Delivery(f"{number}", NOW, "pull_request", REPO, PreviewKey(REPO, number)))
        told = [await listener]
        while told[-1] is not None:
            told.append(await asyncio.wait_for(anext(bells), 10))
        assert len(told) <= 100


async def test_a_repository_that_the_app_is_given_is_ours_once_we_are_told(place):
    async with place.forge(mode="webhook", fresh="1h") as forge, listening(forge.webhooks) as url:
        place.github.webhooks.to(url, SECRET)
        assert await forge.repositories() == (REPO,)
        place.github.add(place.installation, place.github.repository("acme/other", private=True))
        await place.github.webhooks.settled()
        assert await forge.repositories() == ("acme/other", REPO)


async def test_a_repository_of_the_policy_is_all_that_can_be_read(place):
    other = place.github.repository("acme/other", private=True)
    place.github.add(place.installation, other)
    pr = other.open("feature", {"a": "a"})
    async with place.forge(repositories=[REPO]) as forge:
        assert await forge.repositories() == (REPO,)
        with pytest.raises(Refused):
            await forge.pull(key_of(pr))


async def test_git_shows_its_token_in_a_header_only(place, forge):
    source = await forge.source(REPO)
    kind, login = source.header.split(" ")[1:]
    user, token = base64.b64decode(login).decode().split(":")
    assert (source.url, kind, user) == (f"{place.github.url}/acme/shop.git", "Basic", "x-access-token")
    assert place.github.state.token(token).installation is place.installation
    assert token not in repr(source)


@pytest.mark.parametrize(
    ("api", "web"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://api.github.com/", "https://github.com"),
        ("https://github.example.com/api/v3", "https://github.example.com"),
        ("http://127.0.0.1:8081/api/v3", "http://127.0.0.1:8081"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
    ],
)
def test_git_and_people_go_to(api, web):
    assert web_of(api) == web


@pytest.mark.parametrize(
    ("settings", "environ", "says"),
    [
        ({}, {WEBHOOK_SECRET: SECRET}, GITHUB_TOKEN),
        ({"app_id": APP}, {WEBHOOK_SECRET: SECRET}, GITHUB_KEY),
        ({"app_id": APP}, {GITHUB_KEY: app_key()[0]}, WEBHOOK_SECRET),
        ({}, {WEBHOOK_SECRET: SECRET, GITHUB_TOKEN: "a-token"}, "github.repositories"),
    ],
    ids=["no token", "no key", "no secret", "no repositories"],
)
async def test_what_is_missing_is_named_at_the_start(settings, environ, says):
    with pytest.raises(Refused, match=says):
        async with open_github(GitHub.model_validate(settings), environ, FakeHistory()):
            pass


async def test_where_github_is_only_asked_nothing_listens_and_no_secret_is_needed():
    settings = GitHub.model_validate({"app_id": APP, "mode": "poll"})
    async with open_github(settings, {GITHUB_KEY: app_key()[0]}, FakeHistory()) as forge:
        assert forge.webhooks is None
