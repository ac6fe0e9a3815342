import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from smoke.documents import DocumentError, load
from smoke.kinds import tcp
from smoke.model import Outcome
from smoke.runner import run, selected
from smoke.spec import CheckFile
from smoke.target import Target
from tests.smoke.conftest import App
from tests.smoke.examples import checks_of, outcomes, run_all, run_one

ORDERED = """
checks:
  - {name: last, after: [first], http: {path: /}}
  - {name: first, http: {path: /status/500}}
  - {name: then, after: [last], http: {path: /}}
  - {name: apart, http: {path: /}}
"""


@pytest.mark.processes
async def test_what_depends_on_a_failure_is_skipped_with_the_reason(target: Target):
    result = await run_all(ORDERED, target)
    assert [(one.name, one.skipped) for one in result.results] == [
        ("last", "`first` did not pass"),
        ("first", None),
        ("then", "`last` did not pass"),
        ("apart", None),
    ]
    assert result.outcome is Outcome.FAILED


@pytest.mark.processes
async def test_passed_on_the_second_attempt_is_shown_as_such(target: Target, app: App):
    app.flaky_left = 1
    seen: list[tuple[str, int, Outcome]] = []
    checks = checks_of("checks: [{name: a, retries: 2, http: {path: /flaky}}]")
    result = await run(
        checks, target, on_attempt=lambda check, n, attempt: seen.append((check.name, n, attempt.outcome))
    )
    assert outcomes(result.results) == {"a": ["failed", "passed"]}
    assert result.results[0].flaky
    assert seen == [("a", 1, Outcome.FAILED), ("a", 2, Outcome.PASSED)]


@pytest.mark.processes
async def test_what_fails_every_time_keeps_every_attempt(target: Target):
    result = await run_one("http: {path: /status/503}\nretries: 1", target)
    assert [attempt.outcome for attempt in result.attempts] == [Outcome.FAILED] * 2


@pytest.mark.processes
async def test_a_run_that_is_cancelled_ends(target: Target):
    task = asyncio.create_task(run(checks_of("checks: [{name: a, http: {path: /never}}]"), target))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_checks_at_all_is_broken(tmp_path: Path):
    result = await run([], Target("http://127.0.0.1:9", workdir=tmp_path, output=tmp_path))
    assert result.outcome is Outcome.BROKEN


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/", "http://", "http://[", "http://x:99999999"])
async def test_a_target_that_is_none_is_said(url: str, tmp_path: Path):
    result = await run(
        checks_of("checks: [{name: a, http: {path: /}}]"), Target(url, workdir=tmp_path, output=tmp_path)
    )
    assert "is not a URL" in result.error
    assert result.outcome is Outcome.BROKEN


async def test_a_bug_in_one_kind_is_told_and_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def trip(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(tcp, "check", trip)
    result = await run_one("tcp: {port: 9}", Target("http://127.0.0.1:9", workdir=tmp_path, output=tmp_path))
    assert result.attempts[0].message == "the check itself went wrong: ZeroDivisionError: oh"
    assert result.outcome is Outcome.BROKEN


def test_selecting_a_check_takes_along_what_it_runs_after():
    names = [check.name for check in selected(checks_of(ORDERED), ["then"])]
    assert names == ["last", "first", "then"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{name: a}]", "and this one has none"),
        ("[{name: a, tcp: {port: 1}, http: {path: /}}]", "and this one has http and tcp"),
        ("[{name: a, htp: {path: /}}]", "Did you mean `http`?"),
        ("[{name: a, http: {path: /, metod: GET}}]", "Did you mean `method`?"),
        ("[{name: a, http: {path: x}}]", "line 1, column 33"),
        ("[{name: a, http: {path: /, expect: {status: 700}}}]", "checks.0.http.expect.status"),
        ("[{name: a, http: {path: /, expect: {json: {foo: 3}}}}]", "write it like `$.items[0].id`"),
        ("[{name: a, http: {path: /, expect: {matches: '('}}}]", "not a regular expression"),
        ("[{name: a, http: {path: /, body: x, json: 3}}]", "not both"),
        ("[{name: a, tcp: {port: 1}}, {name: a, tcp: {port: 1}}]", "two checks are called `a`"),
        ("[{name: a, after: [b], tcp: {port: 1}}]", "runs after `b`, which is not a check here"),
        ("[{name: a, after: [a], tcp: {port: 1}}]", "in a circle: a → a"),
        ("[{name: a, retries: 9, tcp: {port: 1}}]", "less than or equal to 3"),
        ("[{name: a, timeout: 10, tcp: {port: 1}}]", "write it like `90s`"),
        ("[{name: a, command: {run: 'echo \"'}}]", "not a command"),
        ("[{name: a, command: {run: x, junit: ../x}}]", "not a path inside the repository"),
        ("[{name: a, browser: {actions: [{}]}}]", "one of `click`, `fill` and `press`"),
        ("[{name: a, journey: {steps: [{path: /, capture: {x: 'matches:a'}}]}}]", "with one group"),
        ("[{name: a, journey: {steps: [{path: /, capture: {x: token}}]}}]", "not a path into JSON"),
        ('[{name: "a\\nb", tcp: {port: 1}}]', "checks.0.name"),
    ],
)
def test_a_mistake_in_the_file_is_explained(text: str, words: str):
    with pytest.raises(DocumentError) as caught:
        checks_of(f"checks: {text}")
    assert words in str(caught.value)


def test_a_file_is_the_same_after_it_was_written_as_json():
    text = """
checks:
  - {name: a, http: {path: /, json: "5", expect: {json: {"$.a": null, "$.b": "3", "$.c": 3}}}}
  - {name: b, after: [a], journey: {steps: [{path: /, capture: {x: $.y}}]}, timeout: 90s}
  - {name: c, postgres: {query: select 1, expect: [[1, "1", null]]}}
  - {name: d, tls: {expires_in_more_than: 2 days}, retries: 1}
"""
    file = load(text, CheckFile, "one")
    assert load(file.model_dump_json(), CheckFile, "two") == file
    assert load(file.model_dump_json(exclude_unset=True), CheckFile, "three") == file


async def test_an_untrusted_check_reaches_nothing_but_the_target(tmp_path: Path):
    target = Target("http://127.0.0.1:9", {"database_url": "postgresql://a:b@c/d"}, tmp_path, tmp_path)
    for check in (
        "tcp: {host: 169.254.169.254, port: 80}",
        "tls: {host: example.com}",
        "dns: {name: example.com}",
        "dns: {name: 127.0.0.1, server: 9.9.9.9}",
        "postgres: {url: 'postgresql://other/db', query: select 1}",
    ):
        result = await run_one(check, target)
        assert "a check of a pull request" in result.attempts[0].message
        assert result.outcome is Outcome.BROKEN
    assert replace(target, url="https://x").port == 443
