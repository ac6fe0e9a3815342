"""Where platforms under test fetch from."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from controller.common.nouns import Source


def from_folder(folder: Path) -> Callable[[str], Awaitable[Source]]:
    """Every repository is the one in `folder`."""

    async def source(_repo: str) -> Source:
        return Source(str(folder))

    return source
