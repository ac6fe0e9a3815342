import asyncio
from dataclasses import replace

import pytest

from smoke.model import Outcome
from smoke.target import Target
from tests.smoke.conftest import App
from tests.smoke.examples import run_all, run_one

pytestmark = pytest.mark.processes

BUY = """
journey:
  steps:
    - {path: /login, method: POST, capture: {token: $.token, user: $.user.id}}
    - name: order
      path: /orders
      method: POST
      headers: {Authorization: "Bearer {token}"}
      json: {user: "{user}"}
      expect: {status: 201}
      capture: {order: "header:Location", number: "matches:order=(\\\\d+);"}
    - {path: "%s"}
  cleanup:
    - {path: "/orders/{number}", method: DELETE}
"""


async def test_a_journey_captures_keeps_cookies_and_cleans_up(target: Target, app: App):
    result = await run_one(BUY % "/?{order}", target)
    assert (result.outcome, app.orders) == (Outcome.PASSED, {}), result.attempts
    assert "step 2 (order): 201 Created" in result.attempts[0].details


async def test_a_failed_step_is_named_cleanup_still_runs_and_a_retry_begins_anew(target: Target, app: App):
    result = await run_one(BUY % "/status/500" + "retries: 1", target)
    assert [attempt.message for attempt in result.attempts] == [
        "step 3 (GET /status/500): the status is 500, expected one below 400"
    ] * 2
    assert app.orders == {}


async def test_cleanup_passes_over_what_was_never_made(target: Target):
    result = await run_one((BUY % "/").replace("path: /login", "path: /status/500"), target)
    assert "cleanup" not in result.attempts[0].details


async def test_a_cleanup_that_fails_fails_the_journey(target: Target):
    result = await run_one("journey: {steps: [{path: /}], cleanup: [{path: /status/500}, {path: /}]}", target)
    assert result.outcome is Outcome.FAILED
    assert result.attempts[0].message == "cleanup 1 (GET /status/500): the status is 500, expected one below 400"


async def test_a_journey_that_takes_too_long_is_ended_and_cleaned_up(target: Target, app: App):
    result = await run_one(BUY % "/never" + "timeout: 1s", target)
    assert "within 1 s" in result.attempts[0].message
    assert app.orders == {}


async def test_journeys_do_not_share_cookies(target: Target, app: App):
    text = """
checks:
  - {name: in, journey: {steps: [{path: /login, method: POST}]}}
  - name: out
    after: [in]
    journey:
      steps: [{path: /orders, method: POST, headers: {Authorization: Bearer s3cret-token}, expect: {status: 401}}]
"""
    assert (await run_all(text, target)).outcome is Outcome.PASSED


async def test_captured_secrets_are_not_repeated(target: Target):
    text = """
journey:
  steps:
    - {path: /login, method: POST, capture: {token: $.token}}
    - {path: /echo, headers: {X-Token: "{token}"}, expect: {status: 500}}
"""
    result = await run_one(text, target)
    assert "s3cret-token" not in result.attempts[0].details
    assert "•••" in result.attempts[0].details


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        ("$.nothing", "there is no 'nothing'"),
        ("$.items", "only text, a number or a boolean"),
        ("header:X-Nothing", "there is no header `X-Nothing` to capture"),
        ("matches:nothing(.)", "nothing in the body matches"),
    ],
)
async def test_what_cannot_be_captured_says_so(capture: str, words: str, target: Target):
    result = await run_one(f"journey: {{steps: [{{path: /items, capture: {{x: '{capture}'}}}}]}}", target)
    assert words in result.attempts[0].message
    assert result.outcome is Outcome.FAILED


async def test_captures_of_every_simple_type(target: Target):
    text = """
journey:
  steps:
    - {path: /items, capture: {new: "$.items[0].new", id: "$.items[0].id"}}
    - {path: "/echo?{new}-{id}", expect: {body: "true-3"}}
"""
    assert (await run_one(text, target)).outcome is Outcome.PASSED
    text = "journey: {steps: [{path: /, capture: {x: $.y}}]}"
    assert "not JSON" in (await run_one(text, target)).attempts[0].message
    text = "journey: {steps: [{path: /big, capture: {x: 'matches:(x+)'}}]}"
    assert "longer than 4096" in (await run_one(text, replace(target))).attempts[0].message


async def test_a_cancelled_journey_cleans_up(target: Target, app: App):
    task = asyncio.create_task(run_one(BUY % "/never", target))
    async with asyncio.timeout(30):
        while not app.orders:
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.orders == {}


async def test_a_cleanup_that_never_ends_is_given_up(target: Target):
    result = await run_one("journey: {steps: [{path: /}], cleanup: [{path: /never}]}\ntimeout: 500ms", target)
    assert "within 500 ms" in result.attempts[0].message
    assert result.outcome is Outcome.FAILED
