"""What the demo's operator writes into the policy about main: where it runs, who watches it, who is told.

Its pauses are short, as somebody waits for the story to go on.
"""

from collections.abc import Mapping
from typing import Any

from controller.cli.pager import SECRET

TARGET = "production"
PROBE = "catalogue"
FIRST_NOTICE = "Free delivery until Sunday"
NEXT_NOTICE = "New on the shelves: head torches"
"""Which one change of the story cannot read."""


def main(repo: str, notice: str, place: Mapping[str, Any]) -> dict[str, Any]:
    """`place` is what the target needs to know of where it runs."""
    target = {
        "name": TARGET,
        "repository": repo,
        "env": {"SHOP_NOTICE": notice, "SHOP_DRILL": "allowed"},
        "soak": "1s",
        "thresholds": {"failures": 2, "pause": "500ms"},
    }
    return {"targets": [{**target, **place}]}


def watching(url: str, pager: str) -> dict[str, Any]:
    """`url` is the target's."""
    probe = {
        "name": PROBE,
        "title": "The catalogue",
        "url": url,
        "checks": [{"name": "it has things", "http": {"path": "/api/products?limit=1"}}],
        "every": "1s",
        "objective": "99.9% over 30 days",
        "alerts": {"rule": "2 of 3"},
        "target": TARGET,
    }
    return {"probes": [probe], "notify": [{"name": "pager", "url": pager, "secret_from": SECRET}]}
