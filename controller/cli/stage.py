"""What the demo plays on: a fresh folder with a checkout of the shop, its forge, and a Mayfly of its own beside it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from controller.adapters.git.forge import GitForge
from controller.cli.beginning import init
from controller.cli.chapters import SHOP
from controller.cli.client import Client, preview_path
from controller.cli.console import UNKNOWN, Failure
from controller.cli.seen import Card, Listing, Status
from controller.cli.serve import with_changes
from controller.cli.traces import Left, Traces
from controller.previews.model import PreviewKey
from controller.settings import Home, Policy

PUSH_WITHIN = 60
STOP_WITHIN = 20
"""Seconds."""


class Unmet(Exception):
    """A step that did not hold: what was expected, and what was seen instead."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    body: str


class Stage:
    """Everything is below `folder`; `close` leaves nothing of it, and no process."""

    def __init__(self, listen: str | None, place: Traces, *, any_port: bool) -> None:
        if not SHOP.is_dir():
            raise Failure(f"{SHOP} is not there: the demo needs a checkout of Mayfly's repository")
        self.policy = Policy(listen=_address(listen, any_port=any_port))
        self.folder = Path(tempfile.mkdtemp(prefix="mayfly-demo-"))
        self.folder.chmod(0o755)  # PostgreSQL runs as another user, and has to get in
        self.checkout = self.folder / "shop"
        self.home = Home(self.checkout / ".mayfly")
        self.client = Client(self.policy)
        self._place = place
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What `mayfly serve` said."""
        return self.folder / "serve.log"

    def prepare(self) -> None:
        """The shop as a repository with one commit, and `mayfly init` in it, as a person would do."""
        shutil.copytree(SHOP, self.checkout, ignore=shutil.ignore_patterns("stories", "__pycache__", ".mayfly"))
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=Ridge & Rill opens")
        init(self.checkout, None, force=False)
        policy = {"listen": self.policy.listen, **self._place.policy}
        self.home.policy_file.write_text(json.dumps(policy, indent=2))

    def git(self, *words: str) -> str:
        """What it says, on both channels. Raises Unmet where it refuses."""
        person = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _PERSON.items()}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | person
        done = _run(
            ["git", "-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", *words],
            self.checkout,
            environment | {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull},
        )
        said = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise Unmet(f"`git {' '.join(words)}` works", said)
        return said

    def commit(self, patch: Path) -> str:
        """Applies a mailed patch as a commit; its revision."""
        self.git("am", "--quiet", "--keep-non-patch", str(patch))
        return self.git("rev-parse", "HEAD").strip()

    def push(self, branch: str) -> str:
        """What the push said."""
        return self.git("push", "preview", branch)

    def start(self) -> None:
        """`mayfly serve`, as a process of its own. Raises Failure where it does not come up."""
        words = [sys.executable, "-m", "controller", "serve", "--home", str(self.home.path)]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder
            )

        def answers() -> str:
            if self._server is None or self._server.poll() is not None:
                raise Failure(f"`mayfly serve` ended:\n{tail(self.log)}", UNKNOWN)
            with suppress(Failure):
                self.client.get("/api/v1/status", Status)
                return ""
            return tail(self.log) or "no answer yet"

        until("`mayfly serve` answers", 60, answers)

    @property
    def serves(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not enough. Previews go on running."""
        if self._server is None:
            return
        if self.serves:
            self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait(STOP_WITHIN)

    def cards(self) -> list[Card]:
        return self.client.get("/api/v1/previews", Listing).previews

    def card(self, branch: str) -> Card | None:
        """The open pull request of a branch."""
        number = next((card.number for card in self.cards() if card.branch == branch), None)
        return None if number is None else self.client.get(preview_path("shop", number), Card)

    def page(self, url: str, path: str = "/") -> Page:
        """What a person sees there. The host is in the header: not every resolver knows *.localhost."""
        with closing(HTTPConnection(*self.client.address, timeout=15)) as connection:
            try:
                connection.request("GET", path, headers={"Host": url.removeprefix("http://").rstrip("/")})
                response = connection.getresponse()
                return Page(response.status, response.read(2**20).decode(errors="replace"))
            except (OSError, HTTPException) as error:
                return Page(0, str(error))

    def report(self, number: int) -> str:
        """The one comment of ours on the pull request; empty where there is none."""
        conversation = asyncio.run(GitForge(self.home.forge).conversation(PreviewKey("shop", number)))
        comments = [entry.body for entry in conversation.entries if entry.sticky]
        if len(comments) > 1:
            raise Unmet("one comment, edited in place", "\n\n".join(comments))
        return comments[0] if comments else ""

    def left(self) -> Left:
        """What there is of previews now."""
        return self._place.left(self.home)

    def close(self) -> None:
        """Ends what was started here, PostgreSQL included, and removes the folder."""
        self.stop()
        self._place.clean(self.home)
        shutil.rmtree(self.folder, ignore_errors=True)


def _run(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PUSH_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.output or b"").decode(errors="replace")
        raise Unmet(f"`{' '.join(words)}` ends within {PUSH_WITHIN} s", said) from error


_PERSON = {"NAME": "Ada Bell", "EMAIL": "ada@example.com"}


def until(expected: str, seconds: float, missing: Callable[[], str]) -> None:
    """Looks until nothing is missing; `missing` tells what was seen instead. Raises Unmet at the deadline."""
    deadline = time.monotonic() + seconds
    while seen := missing():
        if time.monotonic() > deadline:
            raise Unmet(f"{expected}, within {seconds:.0f} s", seen)
        time.sleep(0.1)


def tail(file: Path, lines: int = 20) -> str:
    if not file.is_file():
        return ""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])


def _address(listen: str | None, *, any_port: bool) -> str:
    """What was asked for (port 0: any free one); otherwise 8080 where it is free, as it is easy to remember."""
    if listen is not None and (policy := with_changes(Policy(), {"listen": listen})).address[1] != 0:
        return policy.listen
    for port in (0,) if any_port or listen is not None else (8080, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return f"127.0.0.1:{probe.getsockname()[1]}"
    raise Failure("there is no free port on 127.0.0.1", UNKNOWN)
