"""What is said on a commit of the embedded forge: the latest status, check and deployment of each name."""

import sqlite3
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from controller.adapters.git import records
from controller.common.words import CheckReport, CommitReport, CommitSaid, CommitStatus, DeploymentReport

Report = TypeVar("Report")
_STATUS: TypeAdapter[CommitStatus] = TypeAdapter(CommitStatus)
_CHECK: TypeAdapter[CheckReport] = TypeAdapter(CheckReport)
_DEPLOYMENT: TypeAdapter[DeploymentReport] = TypeAdapter(DeploymentReport)


def report(repository: Path, said: CommitReport) -> None:
    """Keeps what is not None, all of it or nothing. Raises Unavailable."""
    with records.transaction(repository) as database:
        if said.status is not None:
            _put(database, said.revision, "status", said.status.context, _STATUS.dump_json(said.status))
        if said.check is not None:
            _put(database, said.revision, "check", said.check.name, _CHECK.dump_json(said.check))
        if said.deployment is not None:
            environment = said.deployment.environment
            _put(database, said.revision, "deployment", environment, _DEPLOYMENT.dump_json(said.deployment))


def read(repository: Path, revision: str) -> CommitSaid:
    """Raises Unavailable."""
    with records.transaction(repository) as database:
        return CommitSaid(
            _get(database, revision, "status", _STATUS),
            _get(database, revision, "check", _CHECK),
            _get(database, revision, "deployment", _DEPLOYMENT),
        )


def _put(database: sqlite3.Connection, revision: str, kind: str, name: str, said: bytes) -> None:
    database.execute("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?)", (revision, kind, name, said.decode()))


def _get(database: sqlite3.Connection, revision: str, kind: str, shape: TypeAdapter[Report]) -> tuple[Report, ...]:
    rows = database.execute(
        "SELECT report FROM reports WHERE revision = ? AND kind = ? ORDER BY name", (revision, kind)
    )
    return tuple(shape.validate_json(row[0]) for row in rows)
