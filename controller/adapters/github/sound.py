"""Text as GitHub takes and gives it: nothing in it that JSON or GitHub chokes on, and compared as people read it. Pure.

What strangers wrote is escaped already (`controller/previews/markdown.py`); nothing is escaped here.
"""

from datetime import UTC, datetime


def sound(text: str) -> str:
    """Without NUL and halves of characters."""
    return text.replace("\0", "").encode(errors="replace").decode()


def alike(there: str | None, ours: str) -> bool:
    """Whether it says the same. Line ends and blanks around it may come back otherwise than they were sent."""
    return _bare(there or "") == _bare(ours)


def stamp(moment: datetime) -> str:
    """ISO 8601 to the second, as the Checks API wants it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bare(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
