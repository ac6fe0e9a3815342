"""What goes wrong with files may work later: there is room again, or somebody mends it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.errors import Unavailable


@contextmanager
def trouble(doing: str) -> Iterator[None]:
    """Raises Unavailable, "cannot `doing`: No space left on device", for any OSError."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"cannot {doing}: {error.strerror or error}") from error


def discard(path: Path) -> None:
    """Removes a file, a link or a folder, also one whose owner took our permission to. Never follows a link.

    Raises Unavailable where something stays.
    """
    with trouble(f"remove {path.name}"):
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)
            return
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            path.chmod(0o700)
            for folder, names, _ in os.walk(path):
                for inner in (Path(folder, name) for name in names):
                    if not inner.is_symlink():
                        inner.chmod(0o700)  # before the walk goes in
            shutil.rmtree(path)


def empty(folder: Path, keep: str = "") -> None:
    """Removes all that is in a folder, but for the one name. Raises Unavailable where something stays."""
    with trouble(f"read {folder.name}"):
        found = list(folder.iterdir()) if folder.exists() else []
    for path in found:
        if path.name != keep:
            discard(path)
