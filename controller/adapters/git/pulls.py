"""Which pull requests there are, from the branches that are. Pure: what was known and what is seen come in.

A branch other than the main one is a pull request; deleting it, or merging it into main, closes that.

    branch               known as                  becomes
    -------------------  ------------------------  -------------------------------------
    at abc               nothing                   opened, with the next number
    at abc               open at abc               as it is
    at def               open at abc               pushed to def
    none                 open                      closed (merged, where main has its commits)
    at abc, in main      open, not in main before  merged
    at abc               merged at abc             as it is (the branch was only left lying about)
    at def               merged at abc             opened anew, with the next number
    at abc               deleted                   opened anew, with the next number
    none                 merged                    as it is, and its name is free again

"Before" is main as it stood when the head was pushed: a branch without commits of its own is open, not merged.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

_DRAFT = ("draft:", "[draft]", "wip:", "[wip]")


@dataclass(frozen=True, slots=True)
class Record:
    """What the forge remembers of one pull request. `base` is main when the head came; empty where there was none."""

    number: int
    branch: str
    head: str
    base: str
    opened_at: datetime
    pushed_at: datetime
    closed_at: datetime | None = None
    merged: bool = False
    gone: bool = False
    """Whether the branch was seen to be deleted."""

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class Head:
    """The tip of a branch, with what its commit says."""

    revision: str
    author: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Refs:
    """Every branch of a repository, at one moment. `main` is the name HEAD has; it may have no commit yet."""

    main: str
    revision: str
    heads: Mapping[str, Head]
    """By branch, without main."""


def settle(known: Iterable[Record], refs: Refs, main_before: str, now: datetime) -> tuple[Record, ...]:
    """The records that are new or changed, before anybody asked what is merged. Numbers go on from the highest."""
    records = tuple(known)
    latest = {record.branch: record for record in sorted(records, key=lambda record: record.number)}
    changed = [
        after
        for branch, before in latest.items()
        if (after := _follow(before, refs.heads.get(branch), main_before or refs.revision, now)) != before
    ]
    number = max((record.number for record in records), default=0)
    for branch in sorted(refs.heads):
        if not _stands(latest.get(branch), refs.heads[branch]):
            number += 1
            head = refs.heads[branch].revision
            changed.append(Record(number, branch, head, refs.revision, opened_at=now, pushed_at=now))
    return tuple(changed)


def merge(record: Record, now: datetime, contained: Callable[[str, str], bool], main: str) -> Record:
    """The record, closed as merged where main has its head and had not when it was pushed.

    `contained(head, main)`: whether that main has that commit.
    """
    if record.merged or not main or not contained(record.head, main):
        return record
    if record.base and contained(record.head, record.base):
        return record
    return replace(record, merged=True, closed_at=record.closed_at or now)


def is_draft(title: str) -> bool:
    return title.lower().startswith(_DRAFT)


def _follow(record: Record, head: Head | None, base: str, now: datetime) -> Record:
    if head is None:
        return record if record.gone else replace(record, gone=True, closed_at=record.closed_at or now)
    if record.is_open and head.revision != record.head:
        return replace(record, head=head.revision, base=base, pushed_at=now)
    return record


def _stands(record: Record | None, head: Head) -> bool:
    """Whether the branch has its pull request already: an open one, or one merged at this very commit."""
    if record is None or record.gone:
        return False
    return record.is_open or record.head == head.revision
