"""Against real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from controller.agent.link import Link, why_not
from controller.errors import Refused, Unavailable


@asynccontextmanager
async def linked(status=200, body=b"{}", **headers) -> AsyncIterator[tuple[Link, list[web.Request]]]:
    """A link to somebody who answers like this, and what they were asked."""
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, request.path, request.headers.get("Authorization"), await request.read()))
        return web.Response(status=status, body=body, headers=headers)

    site = web.Application()
    site.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Link(f"http://127.0.0.1:{runner.addresses[0][1]}/", "mayfly_me") as link:
            yield link, asked
    finally:
        await runner.cleanup()


async def test_it_asks_with_its_token():
    async with linked(body=b'{"assignment":""}') as (link, asked):
        assert await link.assignment() == b'{"assignment":""}'
        await link.deliver("abc", [b'{"probe":"shop"}', b'{"probe":"blog"}'])
    said = b'{"batch":"abc","samples":[{"probe":"shop"},{"probe":"blog"}]}'
    assert asked == [
        ("GET", "/api/v1/agent/assignment", "Bearer mayfly_me", b""),
        ("POST", "/api/v1/agent/samples", "Bearer mayfly_me", said),
    ]


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_what_will_be_refused_again_is_refused(status):
    async with linked(status, b'{"detail":"nobody\\nsaid so"}') as (link, _):
        with pytest.raises(Refused, match=f"the controller answers {status}: nobody said so"):
            await link.deliver("abc", [])


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_what_somebody_may_mend_is_tried_again(status):
    async with linked(status, b"<html>", **{"Retry-After": "7"}) as (link, _):
        with pytest.raises(Unavailable, match=f"the controller answers {status}: ") as caught:
            await link.deliver("abc", [])
    assert caught.value.retry_after == timedelta(seconds=7)


async def test_the_token_is_carried_nowhere_else():
    async with linked(307, Location="http://127.0.0.1:1/elsewhere") as (link, asked):
        with pytest.raises(Unavailable, match="leads elsewhere"):
            await link.assignment()
    assert len(asked) == 1


async def test_silence_is_no_answer():
    async with Link("http://127.0.0.1:1", "mayfly_me") as link:
        with pytest.raises(Unavailable, match="the controller does not answer: "):
            await link.assignment()


@pytest.mark.parametrize(
    ("url", "insecure", "said"),
    [
        ("https://previews.example.com", False, ""),
        ("http://localhost:8080", False, ""),
        ("http://127.8.9.1:8080", False, ""),
        ("http://[::1]:8080", False, ""),
        ("http://previews.example.com", False, "is not https: whoever listens reads the token"),
        ("http://localhost.example.com", False, "is not https"),
        ("http://10.0.0.1", False, "is not https"),
        ("http://previews.example.com", True, ""),
        ("previews.example.com", True, "is no URL like"),
        ("https://me:secret@previews.example.com", False, "is no URL like"),
        ("https://[", False, "is no URL"),
    ],
)
def test_over_which_urls_a_token_goes(url, insecure, said):
    assert said in why_not(url, insecure=insecure)
    assert bool(said) == bool(why_not(url, insecure=insecure))
