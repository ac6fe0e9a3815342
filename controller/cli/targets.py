"""The commands about targets, for a running controller: targets, releases, rollback, redeploy, hold, release."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from controller.cli import client, target_tables
from controller.cli.ask import person, print_json
from controller.cli.client import Client, target_path
from controller.cli.console import FAILED, Failure, out, say
from controller.cli.target_following import Ending, after_redeploy, after_rollback
from controller.cli.target_seen import Asked, Releases, Target, Targets

EVERY = 0.5
"""Seconds between two looks at what was asked."""
NONE = "The policy names no `targets`: add one to mayfly.yaml, and main is deployed there."


def ls(home: Path | None, *, as_json: bool) -> None:
    found = client.connect(home).get("/api/v1/targets", Targets)
    if as_json:
        print_json(found)
    elif not found.targets:
        say(NONE)
    else:
        out().print(target_tables.targets(found.targets, datetime.now(UTC)))


def releases(home: Path | None, name: str, *, as_json: bool) -> None:
    mayfly = client.connect(home)
    kept = mayfly.get(target_path(name, "releases"), Releases)
    if as_json:
        print_json(kept)
        return
    if not kept.releases:
        say(f"Nothing was deployed at {name} yet: a push to its branch is.")
        return
    target = mayfly.get(target_path(name), Target)
    console = out()
    console.print(target_tables.releases(kept.releases, datetime.now(UTC)))
    console.print()
    console.print(target_tables.standing(target))


@dataclass(frozen=True, slots=True)
class Errand:
    """What is asked, of which target, and how it is told. `wait`: until it is known what came of it."""

    home: Path | None
    name: str
    reason: str
    as_json: bool
    wait: bool = False


def rollback(errand: Errand, *, to: int | None, force: bool) -> None:
    mayfly = client.connect(errand.home)
    before = mayfly.get(target_path(errand.name), Target)
    _ask(mayfly, errand, "rollback", {"to": to, "force": force})
    if errand.wait:
        _end(mayfly, errand, _follow(mayfly, errand.name, lambda now: after_rollback(before, now)))


def redeploy(errand: Errand, *, to: int | None) -> None:
    mayfly = client.connect(errand.home)
    before = mayfly.get(target_path(errand.name), Target)
    _ask(mayfly, errand, "redeploy", {"to": to})

    def ended(now: Target) -> Ending | None:
        return after_redeploy(before, now, mayfly.get(target_path(errand.name, "releases"), Releases).releases)

    if errand.wait:
        _end(mayfly, errand, _follow(mayfly, errand.name, ended))


def hold(errand: Errand) -> None:
    _ask(client.connect(errand.home), errand, "hold", {})


def release(errand: Errand) -> None:
    _ask(client.connect(errand.home), errand, "release", {})


def _ask(mayfly: Client, errand: Errand, verb: str, more: dict[str, JsonValue]) -> None:
    """Raises Failure where it is not taken, with what can be asked instead."""
    said: dict[str, JsonValue] = {"reason": errand.reason, "actor": person()}
    asked = mayfly.post(target_path(errand.name, verb), said | more, Asked)
    if errand.wait:
        say(f"{asked.answer}.")
    elif errand.as_json:
        print_json(asked)
    else:
        print(f"{asked.answer}.")


def _follow(mayfly: Client, name: str, ended: Callable[[Target], Ending | None]) -> Ending:
    """Tells how it goes, until it ended."""
    told = ""
    while True:
        now = mayfly.get(target_path(name), Target)
        if now.headline != told:
            say(f"  {target_tables.line(now.headline)}")
            told = now.headline
        if (ending := ended(now)) is not None:
            return ending
        time.sleep(EVERY)


def _end(mayfly: Client, errand: Errand, ending: Ending) -> None:
    """Exit code 1 where what was asked for is not so."""
    if errand.as_json:
        target = mayfly.get(target_path(errand.name), Target)
        print(json.dumps({"held": ending.held, "text": ending.text, "target": target.model_dump(mode="json")}))
    elif ending.held:
        print(f"{ending.text}.")
    if not ending.held:
        raise Failure("" if errand.as_json else ending.text, FAILED)
