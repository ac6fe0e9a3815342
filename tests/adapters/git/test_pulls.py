from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.adapters.git.pulls import Head, Record, Refs, is_draft, merge, settle

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
OPEN = Record(7, "feature", head="abc", base="m0", opened_at=NOON, pushed_at=NOON)
DELETED = replace(OPEN, closed_at=NOON, gone=True)
MERGED = replace(OPEN, closed_at=NOON, merged=True)


def a_look(main: str = "m0", **heads: str) -> Refs:
    return Refs("main", main, {branch: Head(revision) for branch, revision in heads.items()})


def opened(number: int, branch: str, head: str, base: str = "m0") -> Record:
    return Record(number, branch, head, base, opened_at=LATER, pushed_at=LATER)


@pytest.mark.parametrize(
    ("known", "refs", "changed"),
    [
        pytest.param([], a_look(feature="abc"), [opened(1, "feature", "abc")], id="a new branch is opened"),
        pytest.param([], a_look(), [], id="main alone is nothing"),
        pytest.param([OPEN], a_look(feature="abc"), [], id="nothing happened"),
        pytest.param(
            [OPEN], a_look(feature="def"), [replace(OPEN, head="def", pushed_at=LATER)], id="a push keeps the number"
        ),
        pytest.param([OPEN], a_look(), [replace(OPEN, closed_at=LATER, gone=True)], id="a deleted branch closes"),
        pytest.param([DELETED], a_look(), [], id="what is deleted stays so"),
        pytest.param([DELETED], a_look(feature="abc"), [opened(8, "feature", "abc")], id="pushed again: a new number"),
        pytest.param([MERGED], a_look(feature="abc"), [], id="a merged branch may lie about"),
        pytest.param([MERGED], a_look(feature="def"), [opened(8, "feature", "def")], id="work goes on after a merge"),
        pytest.param([MERGED], a_look(), [replace(MERGED, gone=True)], id="a merged branch is tidied away"),
        pytest.param(
            [OPEN], a_look(feature="abc", new="def"), [opened(8, "new", "def")], id="numbers go on from the highest"
        ),
        pytest.param(
            [], a_look(b="2", a="1"), [opened(1, "a", "1"), opened(2, "b", "2")], id="many at once go by their names"
        ),
    ],
)
def test_settle(known, refs, changed):
    assert list(settle(known, refs, "m0", LATER)) == changed


def test_a_head_that_comes_with_a_new_main_is_measured_against_the_main_before():
    [record] = settle([OPEN], a_look(main="m1", feature="def"), "m0", LATER)
    assert record.base == "m0"


HISTORY = {("abc", "m1"), ("m0", "m0"), ("m0", "m1")}
"""Commits and the mains that contain them: m1 is m0 with abc merged."""


@pytest.mark.parametrize(
    ("record", "main", "merged"),
    [
        pytest.param(OPEN, "m0", False, id="its commits are not in main"),
        pytest.param(OPEN, "m1", True, id="main has its commits"),
        pytest.param(replace(OPEN, head="m0"), "m1", False, id="it never had commits of its own"),
        pytest.param(replace(OPEN, head="m0"), "m0", False, id="it stands at main"),
        pytest.param(OPEN, "", False, id="there is no main yet"),
        pytest.param(replace(OPEN, base=""), "m1", True, id="there was no main when it came"),
    ],
)
def test_merge(record, main, merged):
    after = merge(record, LATER, lambda commit, main: (commit, main) in HISTORY, main)
    assert (after.merged, after.closed_at) == (merged, LATER if merged else None)


def test_a_branch_deleted_within_the_push_that_merges_it_is_merged():
    after = merge(DELETED, LATER, lambda commit, main: (commit, main) in HISTORY, "m1")
    assert after == replace(DELETED, merged=True)


@pytest.mark.parametrize(
    ("title", "draft"),
    [
        ("WIP: new page", True),
        ("draft: new page", True),
        ("[WIP] new page", True),
        ("Draft the page", False),
        ("", False),
    ],
)
def test_a_draft_says_so_in_its_title(title, draft):
    assert is_draft(title) is draft
