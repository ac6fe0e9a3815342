"""The commands that ask the running controller: ls, show, logs, open, run, approve-removals."""

import getpass
import json
import webbrowser
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from controller.cli import client, keys, tables
from controller.cli.client import preview_path
from controller.cli.console import FAILED, UNKNOWN, Failure, out, say
from controller.cli.seen import Answered, Approved, Card, Listing, Status, Timeline
from controller.cli.target_seen import Targets


def ls(home: Path | None, *, as_json: bool) -> None:
    mayfly = client.connect(home)
    listing = mayfly.get("/api/v1/previews", Listing)
    if as_json:
        print_json(listing)
        return
    if alarm := mayfly.get("/api/v1/status", Status).alarm:
        say(f"{alarm}\n`mayfly approve-removals` lets it go on.")
    if not listing.previews:
        say("No pull request is open: `git push preview my-branch` opens one.")
        return
    out().print(tables.listing(listing.previews, datetime.now(UTC)))


def show(home: Path | None, key: str, *, as_json: bool) -> None:
    mayfly = client.connect(home)
    named = _card(mayfly, key)
    card = mayfly.get(preview_path(named.repo, named.number), Card)
    timeline = mayfly.get(preview_path(card.repo, card.number, "timeline", limit=15), Timeline)
    if as_json:
        print(json.dumps(card.model_dump(mode="json") | {"timeline": timeline.model_dump(mode="json")["events"]}))
        return
    console = out()
    console.print(tables.details(card))
    console.print()
    console.print(tables.timeline(timeline.events))


def logs(home: Path | None, key: str, service: str | None, *, lines: int, follow: bool, as_json: bool) -> None:
    """As JSON, an object a line. A target's where no preview has that name."""
    mayfly = client.connect(home)
    query: dict[str, str | int] = {"lines": lines, "follow": "true" if follow else "false"}
    if service:
        query["service"] = service
    for line in mayfly.lines(_log_path(mayfly, key, query), follow=follow):
        print(json.dumps({"line": line}) if as_json else line, flush=follow)


def open_(home: Path | None, key: str | None, *, print_only: bool, as_json: bool) -> None:
    """A preview in the browser; the dashboard where none is named."""
    mayfly = client.connect(home)
    url = mayfly.url if key is None else _card(mayfly, key).url
    if not url:
        raise Failure(f"`{key}` has no URL yet: `mayfly show {key}` tells why", UNKNOWN)
    print(json.dumps({"url": url}) if as_json else url)
    if not print_only and not webbrowser.open(url):
        say("There is no browser to open it with here.")


def run(home: Path | None, key: str, words: str, *, as_json: bool) -> None:
    """Exit code 1 where the command was not taken."""
    mayfly = client.connect(home)
    card = _card(mayfly, key)
    body = {"command": words, "actor": person()}
    answer = mayfly.post(preview_path(card.repo, card.number, "commands"), body, Answered, refused=True)
    if as_json:
        print_json(answer)
    elif answer.accepted:
        print(answer.answer)
    if not answer.accepted:
        raise Failure("" if as_json else answer.answer, FAILED)


def approve_removals(home: Path | None, *, as_json: bool) -> None:
    approved = client.connect(home).post("/api/v1/removals/approve", {"actor": person()}, Approved)
    if as_json:
        print_json(approved)
    else:
        count = approved.approved
        print("Nothing waits for approval." if not count else f"{count} removal{'s' * (count > 1)} may go on.")


def person() -> str:
    """Who asks, for the timeline."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "somebody"


def print_json(model: BaseModel) -> None:
    print(model.model_dump_json())


def _log_path(mayfly: client.Client, key: str, query: dict[str, str | int]) -> str:
    try:
        card = _card(mayfly, key)
    except Failure:
        if key not in {target.name for target in mayfly.get("/api/v1/targets", Targets).targets}:
            raise
        return client.target_path(key, "logs", **query)
    return preview_path(card.repo, card.number, "logs", **query)


def _card(mayfly: client.Client, key: str) -> Card:
    return keys.pick(key, mayfly.get("/api/v1/previews", Listing).previews)
