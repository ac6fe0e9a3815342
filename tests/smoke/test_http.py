import asyncio
import json
import socket
from dataclasses import replace

import pytest

from smoke.model import Outcome
from smoke.target import Target
from tests.smoke.conftest import App
from tests.smoke.examples import run_all, run_one

pytestmark = pytest.mark.processes


@pytest.mark.parametrize(
    "check",
    [
        pytest.param("http: {path: /}", id="a page that is there"),
        pytest.param("http: {path: /status/404, expect: {status: 404}}", id="an expected status"),
        pytest.param("http: {path: /status/204, expect: {status: 2xx}}", id="a class of statuses"),
        pytest.param("http: {path: /status/409, expect: {status: [200, 4xx]}}", id="one of several"),
        pytest.param("http: {path: /, expect: {body: 'Welcome, Zoë'}}", id="text in the body"),
        pytest.param("http: {path: /, expect: {matches: 'W.l+come'}}", id="a pattern in the body"),
        pytest.param("http: {path: /items, expect: {headers: {x-kind: list}}}", id="a header, whatever its case"),
        pytest.param('http: {path: /items, expect: {json: {"$.items[0].id": 3}}}', id="a value in JSON"),
        pytest.param('http: {path: /items, expect: {json: {"$.none": null}}}', id="a null in JSON"),
        pytest.param(
            'http: {path: /items, expect: {json: {"$.items[0].price": 1}}}', id="numbers are equal as numbers"
        ),
        pytest.param("http: {path: /items, expect: {within: 20s}}", id="within its budget"),
        pytest.param("http: {path: '/redirect?to=/items', expect: {body: price}}", id="a redirect at home is followed"),
        pytest.param("http: {path: '/redirect?to=/items', expect: {status: 302}}", id="unless it is what is expected"),
        pytest.param("http: {path: '/redirect?to=http://example.com/', expect: {status: 3xx}}", id="an expected one"),
        pytest.param('http: {path: "/echo?a={sha}", expect: {body: "?a=aaaa"}}', id="a variable in the path"),
        pytest.param(
            "http: {path: /echo, body: '{{sha}}', method: POST, expect: {body: '{{sha}}'}}", id="braces escaped"
        ),
    ],
)
async def test_what_passes(check: str, target: Target):
    result = await run_one(check, target)
    assert result.attempts[0].message
    assert result.outcome is Outcome.PASSED, result.attempts[0].message


@pytest.mark.parametrize(
    ("check", "words"),
    [
        pytest.param("http: {path: /status/500}", "the status is 500, expected one below 400", id="an error"),
        pytest.param("http: {path: /, expect: {status: 201}}", "the status is 200, expected 201", id="another status"),
        pytest.param("http: {path: /, expect: {body: Bye}}", "the body does not contain 'Bye'", id="other text"),
        pytest.param("http: {path: /, expect: {matches: '^B'}}", "the body does not match '^B'", id="another pattern"),
        pytest.param("http: {path: /, expect: {headers: {x-no: a}}}", "there is no header `x-no`", id="no header"),
        pytest.param(
            "http: {path: /items, expect: {headers: {x-kind: a}}}", "is 'list', expected 'a' in it", id="header"
        ),
        pytest.param("http: {path: /, expect: {json: {$.a: 1}}}", "the body is not JSON", id="no JSON"),
        pytest.param(
            'http: {path: /items, expect: {json: {"$.items[0].id": 4}}}', "$.items[0].id is 3, expected 4", id="value"
        ),
        pytest.param(
            'http: {path: /items, expect: {json: {"$.items[0].new": 1}}}', "is true, expected 1", id="1 is not true"
        ),
        pytest.param(
            'http: {path: /items, expect: {json: {"$.items[7]": 4}}}', "there is no item 7", id="nothing there"
        ),
        pytest.param("http: {path: /slow, expect: {within: 5ms}}", "ms, and has 5 ms", id="too slow"),
        pytest.param("http: {path: /never}\ntimeout: 200ms", "no whole answer within 200 ms", id="silence"),
        pytest.param(
            "http: {path: '/redirect?to=http://169.254.169.254/'}", "redirects to another host", id="a redirect away"
        ),
        pytest.param("http: {path: '/redirect?to=/redirect?to=/redirect'}", "500", id="a redirect to nowhere"),
        pytest.param("http: {path: /big, expect: {body: the end}}", "of which the first 1 MiB was read", id="too much"),
        pytest.param('http: {path: /big, expect: {json: {"$.a": 1}}}', "longer than 1 MiB", id="too much JSON"),
    ],
)
async def test_what_fails_and_why(check: str, words: str, target: Target):
    result = await run_one(check, target)
    assert words in result.attempts[0].message
    assert result.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("check", "words"),
    [
        pytest.param("http: {path: 'http://example.com/'}", "takes a path", id="a host"),
        pytest.param("http: {path: '{other}'}", "there is no value for `{other}`", id="a variable without a value"),
        pytest.param("http: {path: '/${HOME}'}", "there is no value for `${HOME}`", id="the environment"),
        pytest.param('http: {path: /, headers: {X-A: "a\\nb"}}', "more than one line", id="two headers in one"),
        pytest.param("http: {path: /backtrack, expect: {matches: '^(a+)+$'}}", "takes too long", id="a regex bomb"),
    ],
)
async def test_what_cannot_be_run_and_why(check: str, words: str, target: Target):
    result = await run_one(check, target)
    assert words in result.attempts[0].message
    assert result.outcome is Outcome.BROKEN


@pytest.mark.parametrize("path", ["//example.com/", "/@example.com/", "/\\example.com", "/..//example.com/"])
async def test_no_path_leads_to_another_host(path: str, target: Target, app: App):
    result = await run_one(f"http: {{path: '{path}', expect: {{status: 404}}}}", target)
    assert result.outcome is Outcome.PASSED


async def test_what_is_sent(target: Target):
    check = 'http: {path: /echo, method: PUT, json: {sha: "{sha}", n: [1, {a: null}]}, headers: {X-Sha: "{sha}"}}'
    result = await run_one(check + "\nretries: 0", replace(target, variables={"sha": "abc"}))
    assert result.outcome is Outcome.PASSED
    shown = await run_one(check.replace("}}", "}, expect: {status: 500}}"), replace(target, variables={"sha": "abc"}))
    sent = json.loads(shown.attempts[0].details.split("\n\n", 1)[1])
    assert sent["method"] == "PUT"
    assert json.loads(sent["body"]) == {"sha": "abc", "n": [1, {"a": None}]}
    assert sent["headers"]["X-Sha"] == "abc"
    assert sent["headers"]["User-Agent"].startswith("mayfly-smoke/")
    assert sent["headers"]["Content-Type"] == "application/json"


async def test_a_post_that_is_redirected_becomes_a_get_unless_it_says_otherwise(target: Target):
    for status, method in ((303, "GET"), (307, "POST")):
        path = f"/redirect?status={status}&to=/echo"
        result = await run_one(
            f"http: {{path: '{path}', method: POST, body: x, expect: {{body: '\"{method}\"'}}}}", target
        )
        assert result.outcome is Outcome.PASSED


async def test_an_application_that_is_away_has_failed(target: Target):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = replace(target, url=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        result = await run_one("http: {path: /}", away)
    assert (result.outcome, "connection refused" in result.attempts[0].message) == (Outcome.FAILED, True)


async def test_names_below_localhost_are_this_machine(target: Target):
    url = target.url.replace("127.0.0.1", "pr-7-web.localhost")
    assert (await run_one("http: {path: /}", replace(target, url=url))).outcome is Outcome.PASSED


async def test_a_redirect_to_the_name_people_know_it_by_stays_at_home(target: Target):
    known = replace(target, variables={"url": "http://pr-7-web.example.com"})
    for path in ("/redirect?to=http://pr-7-web.example.com/items?a=b", "{url}/items"):
        result = await run_one(f"http: {{path: '{path}', expect: {{body: price}}}}", known)
        assert result.outcome is Outcome.PASSED, result.attempts[0].message


async def test_a_name_that_does_not_exist_says_so(target: Target):
    result = await run_one("http: {path: /}", replace(target, url="http://shop.invalid"))
    assert "shop.invalid" in result.attempts[0].message
    assert result.outcome is not Outcome.PASSED


async def test_trusted_checks_name_hosts_and_read_the_environment(target: Target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_API_KEY", "letmein")
    check = f"http: {{path: '{target.url}/echo', headers: {{X-Key: '${{MY_API_KEY}}'}}, expect: {{body: letmein}}}}"
    trusted = replace(target, url="http://127.0.0.1:9", external=True)
    assert (await run_one(check, trusted)).outcome is Outcome.PASSED
    shown = await run_one(check.replace("body: letmein", "status: 500"), trusted)
    assert "letmein" not in shown.attempts[0].details
    assert "•••" in shown.attempts[0].details


async def test_secrets_are_not_repeated(target: Target):
    known = {"database_url": "postgresql://shop:hunter2@db/shop", "api_token": "letmein", "sha": "abc"}
    check = 'http: {path: /echo, body: "{database_url} {api_token} {sha}", method: POST, expect: {status: 418}}'
    result = await run_one(check, replace(target, variables=known))
    assert "hunter2" not in result.attempts[0].details
    assert "letmein" not in result.attempts[0].details
    assert "••• ••• abc" in result.attempts[0].details


async def test_an_answer_that_is_not_http(target: Target):
    async def nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result = await run_one("http: {path: /}", replace(target, url=f"http://127.0.0.1:{port}"))
    assert result.outcome is Outcome.FAILED
    assert "not HTTP" in result.attempts[0].message


async def test_many_at_once_and_never_more_than_allowed(target: Target, app: App):
    text = "checks:\n" + "\n".join(f"  - {{name: c{n}, http: {{path: /slow}}}}" for n in range(30))
    result = await run_all(text, replace(target, parallel=10))
    assert result.outcome is Outcome.PASSED
    assert 1 < app.most_at_once <= 10
