"""Hostile text in every place of what a pull request is told: it changes the words, and nothing else."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from markdown_it import MarkdownIt

from controller.common.nouns import Phase, PreviewKey, Service, ServiceState
from controller.common.spec import SpecProblem
from controller.previews.model import Ending, Rules, Wishes
from controller.previews.report import marker, words
from smoke.model import CheckResult, Outcome
from tests.examples import CHECKED, KEY, NOON, a_case, a_job, a_preview, a_result, a_run, an_attempt

RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
TOKEN = "ghp" + "_Zx8Qm2Rt7Wp4Lk9Vb3Nc6Hd1Jf5Gs0TyUeIo"
HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "an image that tells who looked": "![x](https://evil.example/track.png)",
    "a script behind a link": "[click](javascript:alert(1))",
    "a mention of a team": "@acme/admins please merge",
    "a reference that closes": "closes #1, GH-2 and acme/shop#3",
    "our own marker": marker(PreviewKey("shop", 8)),
    "an approval": "\n/preview approve abc\n",
    "a cell and a row": "x | ✅ passed | 1 |\n| evil | ✅ passed | 1 |",
    "a heading": "\n\n### ✅ Preview ready\n\n",
    "a fence": "```\n</details>\n````\n~~~mermaid\ngraph TD\n",
    "a fold": "</details><details open><summary>x",
    "an alert": "\n> [!WARNING]\n> do this",
    "a footnote": "[^1]\n\n[^1]: https://evil.example",
    "mathematics": "$\\color{green}{passed}$ $$x$$",
    "emoji": ":white_check_mark: passed",
    "colours and what reorders text": "\x1b[32m\u202eok\u2066\x00\x07",
    "half a character": "\ud83d x",
    "a secret": f"pushed with {TOKEN}",
    "a secret with something unseen in it": f"{TOKEN[:9]}\u200b\x1b[1m{TOKEN[9:]}",
    "a secret where text is cut": f"{'x' * 65} {TOKEN} {'x' * 50} {TOKEN} {'y' * 5000} {TOKEN}",
    "a password in a URL": f"postgres://ada:{TOKEN}@db/shop\nAuthorization: Bearer {TOKEN}",
    "a megabyte": "<b>@ada ![x](//evil.example) | ```" * 30_000,
}


def failing(**changes):
    values = {"message": "m", "details": "d"}
    attempt = {name: changes.pop(name, value) for name, value in values.items()}
    result = replace(a_result("home page", Outcome.FAILED), attempts=(an_attempt(Outcome.FAILED, **attempt),))
    return replace(result, **changes)


def ran(*results, **changes):
    return a_case(preview=a_preview(jobs=(a_job(run=a_run("smoke", *results, **changes)),)))


def failed(**changes):
    return a_case(preview=a_preview(**({"phase": Phase.FAILED, "reason": "r", "logs": "l"} | changes)))


PLACES = {
    "the name of a check": lambda text: ran(failing(name=text)),
    "the message of a check": lambda text: ran(failing(message=text)),
    "the details of a check": lambda text: ran(failing(details=text)),
    "the file of a check": lambda text: ran(failing(file=text, line=1)),
    "why a check was skipped": lambda text: ran(a_result(), CheckResult("c", "http", skipped=text)),
    "the name of a test": lambda text: ran(a_result("suite", Outcome.FAILED, cases=(failing(name=text),))),
    "the details of a test": lambda text: ran(
        a_result("suite", Outcome.FAILED, cases=(failing(message="", details=text, file="a.py", line=2),))
    ),
    "the name of a suite": lambda text: a_case(preview=a_preview(jobs=(a_job(run=a_run(text, failing())),))),
    "why checks could not run": lambda text: ran(error=text),
    "why a preview failed": lambda text: failed(reason=text),
    "the log of what failed": lambda text: failed(logs=text),
    "what a preview waits for": lambda text: a_case(preview=a_preview(phase=Phase.STARTING, reason=text)),
    "the name of a service": lambda text: a_case(
        preview=a_preview(services=tuple(Service(name, ServiceState.HEALTHY, "host") for name in ("web", text)))
    ),
    "a spec": lambda text: a_case(preview=a_preview(jobs=CHECKED), spec=SpecProblem(text)),
    "who pinned it": lambda text: a_case(preview=a_preview(), wishes=Wishes(pinned_by=text)),
    "why it was removed": lambda text: a_case(ending=Ending(KEY, text, NOON)),
}


def said(case):
    hold = case.ending.because if case.ending else ""
    return words(case, hold, Rules(), "http://localhost:8080")


def shape(markdown):
    """The elements of it, with where links and images lead."""
    rendered = RENDER.render(markdown)
    return re.findall(r"<(/?[a-z0-9]+)", rendered), re.findall(r"(?:href|src)=\"([^\"]*)", rendered)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_changes_the_words_and_nothing_else(hostile, place):
    told, usual = said(PLACES[place](HOSTILE[hostile])), said(PLACES[place]("ordinary words"))
    assert shape(told.comment) == shape(usual.comment)
    assert told.comment.startswith(f"{marker(KEY)}\n### ")
    assert len(told.checks) == len(usual.checks)
    for check, other in zip(told.checks, usual.checks, strict=True):
        assert shape(check.summary) == shape(other.summary)
        assert (check.name, check.status, check.external_id) == (other.name, other.status, other.external_id)
        assert len(check.annotations) == len(other.annotations)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_no_markdown_is_visible_text_of_one_line(hostile, place):
    told = said(PLACES[place](HOSTILE[hostile]))
    lines = [check.title for check in told.checks]
    lines += [line for check in told.checks for one in check.annotations for line in (one.path, one.title)]
    lines += [told.deployment.description] if told.deployment else []
    assert all(line.isprintable() for line in lines)
    assert all(len(line) <= 1000 for line in lines)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("hostile", [name for name in HOSTILE if "secret" in name or "password" in name])
def test_a_secret_is_told_nowhere(hostile, place):
    assert TOKEN[4:12] not in repr(said(PLACES[place](HOSTILE[hostile])))


def test_a_hostile_comment_whole():
    evil = f"</td>|@acme/admins\u202e\n### ✅ {TOKEN}\n```"
    assert (
        said(ran(failing(name=evil, message=evil, details=evil, file=evil))).comment
        == """\
<!-- mayfly shop#7 -->
### ❌ Preview ready · smoke failed: \\</td\\>\\|@\u200bacme/admins ### ✅ ••• \\`\\`\\`

**http://pr-7-shop.localhost:8080** · at `abc1234` · [details](http://localhost:8080/previews/shop/7)

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › \\</td\\>\\|@\u200bacme/admins ### ✅ ••• \\`\\`\\` | ❌ failed | 1 | 23 ms |

**smoke › \\</td\\>\\|@\u200bacme/admins ### ✅ ••• \\`\\`\\`** failed: \
\\</td\\>\\|@\u200bacme/admins ### ✅ ••• \\`\\`\\` (````</td>¦@acme/admins ### ✅ ••• ```:1````)

````text
</td>|@acme/admins
### ✅ •••
```
````

**Expires** on 5 March 2026, unless somebody pushes, commands or visits before. \
`/preview pin` or `/preview extend 2d` keeps it. `/preview help` lists all commands."""
    )


def test_of_very_many_checks_and_failures_the_first_are_told_and_the_rest_is_counted():
    told = said(ran(*(failing(name=f"check {n}", details="", file="a.py") for n in range(1200))))
    assert told.comment.count("| ❌ failed |") == 100
    assert "| … and more, which are on the dashboard | | | |" in told.comment
    assert "_(1,100 more did not pass: they are on the dashboard)_" in told.comment
    assert len(told.checks[0].annotations) == 500
    assert told.checks[0].completed_at == NOON + timedelta(seconds=1.2)
