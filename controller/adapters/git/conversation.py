"""What is said on a pull request of the embedded forge: comments, answers, check runs and the deployment.

Everything of ours is there once: the sticky comment of each topic, one answer to each comment, one check of each name.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from controller.adapters.git import records
from controller.common.words import CheckReport, Conversation, DeploymentReport, Entry
from controller.errors import Refused
from controller.previews.model import Comment

US = "mayfly"
MAX_BODY = 65_536
"""Characters of a comment, as on GitHub."""
MAX_AUTHOR = 100
_CHECK: TypeAdapter[CheckReport] = TypeAdapter(CheckReport)
_DEPLOYMENT: TypeAdapter[DeploymentReport] = TypeAdapter(DeploymentReport)


class Thread:
    """The conversation of one pull request. Methods block; they raise Refused where there is no such pull request."""

    def __init__(self, repository: Path, number: int) -> None:
        self._repository = repository
        self._number = number

    def say(self, body: str, topic: str = "") -> None:
        """The one sticky comment of a topic, made or edited in place."""
        self._put("sticky", body, topic)

    def answer(self, to: str, body: str) -> None:
        """One answer to the comment `to`, made or edited in place."""
        self._put("answer", body, to)

    def comment(self, author: str, body: str) -> str:
        """A person's; returns its id."""
        author, body = _sound(author, MAX_AUTHOR, "a name"), _sound(body, MAX_BODY, "a comment")
        with self._open() as database:
            row = database.execute(
                "INSERT INTO entries (number, author, body, created_at, updated_at, kind, answers)"
                " VALUES (?, ?, ?, ?, ?, 'person', '') RETURNING id",
                (self._number, author, body, *[records.to_stamp(records.now())] * 2),
            ).fetchone()
        return str(row[0])

    def report_check(self, report: CheckReport) -> None:
        with self._open() as database:
            row = (self._number, report.name, _CHECK.dump_json(report).decode())
            database.execute("INSERT OR REPLACE INTO checks VALUES (?, ?, ?)", row)

    def report_deployment(self, report: DeploymentReport) -> None:
        with self._open() as database:
            row = (self._number, _DEPLOYMENT.dump_json(report).decode())
            database.execute("INSERT OR REPLACE INTO deployments VALUES (?, ?)", row)

    def comments(self) -> tuple[Comment, ...]:
        """What people wrote, oldest first."""
        with self._open() as database:
            entries = _entries(database, self._number, "AND kind = 'person'")
        return tuple(Comment(entry.id, entry.author, entry.body, entry.created_at) for entry in entries)

    def conversation(self) -> Conversation:
        mine = (self._number,)
        with self._open() as database:
            entries = _entries(database, self._number)
            checks = database.execute("SELECT report FROM checks WHERE number = ? ORDER BY name", mine).fetchall()
            deployment = database.execute("SELECT report FROM deployments WHERE number = ?", mine).fetchone()
        return Conversation(
            entries,
            tuple(_CHECK.validate_json(row[0]) for row in checks),
            _DEPLOYMENT.validate_json(deployment[0]) if deployment else None,
        )

    def _put(self, kind: Literal["sticky", "answer"], body: str, about: str = "") -> None:
        """`about` is the topic, or what it answers: of each kind there is one about the same."""
        body = _sound(body, MAX_BODY, "a comment")
        with self._open() as database:
            database.execute(
                "INSERT INTO entries (number, author, body, created_at, updated_at, kind, answers)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number, kind, answers) WHERE kind != 'person'"
                " DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
                (self._number, US, body, *[records.to_stamp(records.now())] * 2, kind, about),
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with records.transaction(self._repository) as database:
            if records.by_number(database, self._number) is None:
                raise Refused(f"there is no pull request {self._number} in {self._repository.name}")
            yield database


_ENTRIES = "SELECT id, author, body, created_at, updated_at, kind, answers FROM entries WHERE number = ? "


def _entries(
    database: sqlite3.Connection, number: int, only: Literal["", "AND kind = 'person'"] = ""
) -> tuple[Entry, ...]:
    rows = database.execute(_ENTRIES + only + " ORDER BY id", (number,))
    return tuple(
        Entry(
            str(id_),
            author,
            body,
            records.from_stamp(created_at),
            records.from_stamp(updated_at),
            sticky=kind == "sticky",
            answers=about if kind == "answer" else "",
            topic=about if kind == "sticky" else "",
        )
        for id_, author, body, created_at, updated_at, kind, about in rows
    )


def _sound(text: str, limit: int, what: str) -> str:
    """Text that can be kept: bounded, and without halves of characters."""
    if len(text) > limit:
        raise Refused(f"{what} has at most {limit:,} characters; this one has {len(text):,}")
    return text.encode(errors="replace").decode()
