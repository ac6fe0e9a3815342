"""What happened, in SQLite or PostgreSQL."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.adapters.history.sql import SqlHistory


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file, for `open_history`."""
    return f"sqlite+aiosqlite:///{path.absolute()}"


async def open_history(url: str) -> "SqlHistory":
    """The history behind a SQLAlchemy URL (`sqlite:///…`, `postgresql://…`), its tables brought up to date.

    Raises Unavailable or Refused. SQLAlchemy and Alembic are imported here, so that a command without a history
    starts without them.
    """
    from controller.adapters.history.opening import opened  # noqa: PLC0415 (see above)

    return await opened(url)
