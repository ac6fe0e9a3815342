"""The bell between a push and the controller: a FIFO. Whoever writes to it learns whether anybody listens.

Standard library only: the hook imports it within every push.
"""

import os
from contextlib import suppress
from pathlib import Path

NAME = "bell"


def ring(root: Path, repo: str, number: int | None) -> bool:
    """Says that pull request may have changed (None: anything). False where nobody listens; never waits."""
    try:
        bell = os.open(root / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # no reader (ENXIO), or no FIFO at all
        return False
    try:
        with suppress(OSError):  # full: it rings already
            os.write(bell, (f"{repo}\n" if number is None else f"{repo} {number}\n").encode())
    finally:
        os.close(bell)
    return True


def hang(root: Path) -> int:
    """Makes the FIFO where there is none and opens it to listen. Raises OSError."""
    path = root / NAME
    if not path.is_fifo():
        path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # writing too, so that it never ends
