"""What a pull request reads once it was merged, compared whole; `said` leaves zero-width spaces out."""

from dataclasses import replace
from datetime import timedelta

from controller.common.markdown import COMMENT_LIMIT
from controller.common.nouns import Commit, PreviewKey
from controller.deploys.comment import comments
from controller.deploys.model import Rules, Verdict
from smoke.model import CheckResult
from tests.deploys.examples import (
    BAD,
    GOOD,
    LINK,
    PULL,
    WHY,
    a_case,
    a_job,
    a_release,
    a_rollback,
    a_stop,
    restored,
)
from tests.examples import ABC, NOON, a_run, an_attempt

BACK = {"live": 6, "live_since": NOON + timedelta(minutes=1), "jobs": (a_job("failed"), a_job("failed", 2))}


def said(case, pull=PULL):
    return comments(case, LINK)[pull].replace("\u200b", "")


def test_a_release_that_is_verified():
    assert (
        said(a_case(GOOD, a_release(7, Verdict.VERIFIED), jobs=(a_job(),)))
        == """\
### ✅ production: #7 (abc1234) is verified: its checks passed

**https://shop.example.com** · `abc1234` · [details](http://localhost:8080/targets/production)

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › home page | ✅ passed | 1 | 23 ms |"""
    )


def test_a_release_under_way_and_checked():
    assert (
        said(a_case(jobs=(a_job(None),), rules=Rules(soak=timedelta(minutes=10))))
        == """\
### ⏳ production: #7 (abc1234) is checked

**https://shop.example.com** · `abc1234` · [details](http://localhost:8080/targets/production)"""
    )


def test_one_that_was_rolled_back_and_what_was_restored_is_checked():
    assert (
        said(a_case(GOOD, BAD, rollback=a_rollback(), **BACK))
        == """\
### ↩️ production: #7 (abc1234) was rolled back to #6 (def5678): its checks failed 2 times: smoke failed: home page

**https://shop.example.com** · `abc1234` (it runs `#6 (def5678)`) · \
[details](http://localhost:8080/targets/production)

**Rolled back** to `#6 (def5678)`, which is checked again now.

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › home page | ❌ failed | 1 | 23 ms |
| smoke › home page | ❌ failed | 1 | 23 ms |

```text
smoke › home page: status 500
KeyError: 'hat'
```

`abc1234` is not deployed again by itself. Push a fix, or try it once more: \
`mayfly redeploy production --to 7 --reason "…"`."""
    )


def test_one_that_a_person_rolled_back_with_its_outcome():
    release = replace(BAD, why="ada: the shop is slow", evidence="")
    case = a_case(GOOD, release, rollback=restored(actor="ada", order=1), **BACK | {"jobs": ()})
    assert (
        said(case)
        == """\
### ↩️ production: #7 (abc1234) was rolled back to #6 (def5678): ada: the shop is slow

**https://shop.example.com** · `abc1234` (it runs `#6 (def5678)`) · \
[details](http://localhost:8080/targets/production)

**Rolled back by ada** to `#6 (def5678)`, configuration included. \\#6 works again.

`abc1234` is not deployed again by itself. Push a fix, or try it once more: \
`mayfly redeploy production --to 7 --reason "…"`."""
    )


def test_a_rollback_that_did_not_help_says_what_can_be_said():
    because = "after the rollback #6 (def5678) fails its checks too: smoke failed: home page"
    back = restored(restored=False, outcome=because)
    case = a_case(GOOD, replace(BAD, evidence=""), rollback=back, stop=a_stop(because), **BACK | {"jobs": ()})
    assert (
        said(case)
        == """\
### ↩️ production: #7 (abc1234) was rolled back to #6 (def5678): its checks failed 2 times: smoke failed: home page

**https://shop.example.com** · `abc1234` (it runs `#6 (def5678)`) · \
[details](http://localhost:8080/targets/production)

**Rolled back** to `#6 (def5678)`, and that did not help. \
After the rollback #6 (def5678) fails its checks too: smoke failed: home page.

**Stopped:** after the rollback #6 (def5678) fails its checks too: smoke failed: home page. \
Nothing is deployed or rolled back until somebody says so:

```text
mayfly release production --reason "…"
```

`abc1234` is not deployed again by itself. Push a fix, or try it once more: \
`mayfly redeploy production --to 7 --reason "…"`."""
    )
    assert (
        said(case, PreviewKey("shop", 6))
        == """\
### 🛑 production: #6 (def5678) is back, and does not work: \
after the rollback #6 (def5678) fails its checks too: smoke failed: home page

**https://shop.example.com** · `def5678` · [details](http://localhost:8080/targets/production)

**Stopped:** after the rollback #6 (def5678) fails its checks too: smoke failed: home page. \
Nothing is deployed or rolled back until somebody says so:

```text
mayfly release production --reason "…"
```"""
    )


def test_a_bad_one_that_cannot_be_rolled_back_stays_and_says_why():
    stop = a_stop("a migration of #7 (abc1234) is not marked reversible", commands=())
    assert (
        said(a_case(GOOD, replace(BAD, evidence=""), stop=stop, jobs=(a_job("failed"),)))
        == """\
### 🛑 production: #7 (abc1234) is bad, and still there: its checks failed 2 times: smoke failed: home page

**https://shop.example.com** · `abc1234` · [details](http://localhost:8080/targets/production)

**Stopped:** a migration of #7 (abc1234) is not marked reversible. \
Nothing is deployed or rolled back until somebody says so.

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › home page | ❌ failed | 1 | 23 ms |

**smoke › home page** failed"""
    )


def test_a_bad_one_that_somebody_let_stay():
    assert said(a_case(GOOD, BAD)).endswith(
        '\n\nIt still runs. Push a fix, or go back with `mayfly rollback production --reason "…"`.'
    )


def test_one_that_could_not_be_made():
    release = replace(BAD, live_at=None, why="it could not be made: build web: exit status 2", evidence="npm ERR!")
    assert (
        said(a_case(GOOD, release, live=6))
        == """\
### ❌ production: #7 (abc1234) is not deployed: it could not be made: build web: exit status 2

**https://shop.example.com** · `abc1234` (it runs `#6 (def5678)`) · \
[details](http://localhost:8080/targets/production)

```text
npm ERR!
```

`abc1234` is not deployed again by itself. Push a fix, or try it once more: \
`mayfly redeploy production --to 7 --reason "…"`."""
    )


def test_the_rollback_of_another_one_is_none_of_its_own():
    not_made = a_release(8, Verdict.REJECTED, live_at=None, why="it could not be made")
    text = said(a_case(GOOD, BAD, not_made, rollback=restored(), **BACK), PreviewKey("shop", 8))
    assert text.startswith("### ❌ production: #8 (0000008) is not deployed")
    assert "Rolled back" not in text


def test_one_whose_checks_cannot_be_run_is_left_as_it_is():
    assert (
        said(a_case(jobs=tuple(a_job("broken", number) for number in (1, 2, 3))))
        == """\
### ⚠️ production: #7 (abc1234) is not known to work: its checks cannot be run: smoke could not be run: home page

**https://shop.example.com** · `abc1234` · [details](http://localhost:8080/targets/production)

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › home page | ⚠️ broken | 1 | 23 ms |
| smoke › home page | ⚠️ broken | 1 | 23 ms |
| smoke › home page | ⚠️ broken | 1 | 23 ms |

**smoke › home page** broken

It is left as it is, and its checks are tried again: a check that cannot be run says nothing of it."""
    )


def test_one_that_was_superseded():
    superseded = a_release(7, Verdict.SUPERSEDED, why="by #8 before it was judged")
    assert (
        said(a_case(superseded, a_release(8), live=8))
        == """\
### 💤 production: #7 (abc1234) was superseded by #8 before it was judged

**https://shop.example.com** · `abc1234` (it runs `#8 (0000008)`) · \
[details](http://localhost:8080/targets/production)"""
    )


def test_only_the_latest_five_runs_are_shown():
    case = a_case(jobs=tuple(a_job("broken", number) for number in range(1, 20)))
    assert said(case).count("| smoke › home page |") == 5


def test_what_is_long_over_is_left_as_it_was_told():
    older = replace(BAD, number=5, pull=PreviewKey("shop", 5))
    case = a_case(older, GOOD, a_release(7, Verdict.VERIFIED), a_release(8, pull=None), live=8)
    assert comments(case, LINK) == {}


def test_the_latest_release_of_a_pull_request_is_told():
    again = a_release(8, pull=PULL)
    assert said(a_case(BAD, again, live=8)).startswith("### ⏳ production: #8 (0000008) is checked")


def test_nothing_that_strangers_say_becomes_markup():
    failing = CheckResult("@team <b>`#1`", "http", (replace(an_attempt(), message="[x](http://evil.test)"),))
    job = a_job(run=a_run("smoke", failing))
    commit = Commit(ABC, NOON, "@everyone", "eve")
    bad = replace(BAD, why="@team <b>#1", evidence="```\n@team\n````", commit=commit)
    told = comments(a_case(GOOD, bad, rollback=a_rollback(actor="@eve", because="x"), **BACK | {"jobs": (job,)}), LINK)
    text = told[PULL]
    assert "@\u200bteam \\<b\\>#\u200b1" in text.splitlines()[0]
    assert "**Rolled back by @\u200beve**" in text
    assert "| smoke › @\u200bteam \\<b\\>\\`#\u200b1\\` |" in text
    assert "`````text\n```\n@team\n````\n`````" in text


def test_secrets_in_what_it_was_rejected_for_are_taken_out():
    secret = "postgres://shop:hunter2secret@db/shop"
    text = said(a_case(GOOD, replace(BAD, why=f"cannot reach {secret}", evidence=secret)))
    assert "cannot reach postgres:" in text
    assert "hunter2secret" not in text


def test_a_comment_always_fits():
    long = replace(BAD, why="x" * 100_000, evidence="\n".join(["y" * 5000] * 200))
    assert (
        len(comments(a_case(GOOD, long, live=6, rollback=a_rollback(because="z" * 100_000)), LINK)[PULL])
        <= COMMENT_LIMIT
    )


def test_no_number_of_a_release_leads_to_an_issue():
    text = comments(a_case(GOOD, BAD, rollback=restored(outcome="#6 works again"), **BACK), LINK)[PULL]
    outside = "".join(part for number, part in enumerate(text.replace("```", "`").split("`")) if number % 2 == 0)
    assert WHY in outside
    assert "#6" not in outside
    assert "#7" not in outside
