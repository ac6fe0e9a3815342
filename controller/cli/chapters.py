"""Where the demo's shop is, and the changes that are pushed to it."""

from pathlib import Path

from controller.cli.console import Failure

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"
STORIES = SHOP / "stories"
ALIVE = ("winter-colours", "search", "bulk-discount")
"""Branches that stay for clicking, each a patch in `stories/alive`; the last one's checks fail."""


def chapter_file(chapter: int) -> Path:
    found = sorted(STORIES.glob(f"{chapter}-*.patch"))
    if not found:
        raise Failure(f"{STORIES} has no chapter {chapter}")
    return found[0]


def alive_file(branch: str) -> Path:
    return STORIES / "alive" / f"{branch}.patch"
