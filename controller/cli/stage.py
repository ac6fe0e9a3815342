"""What the demo plays on: a fresh folder with a checkout of the shop, its forge, and a Mayfly of its own beside it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from controller.cli import operator
from controller.cli.chapters import SHOP
from controller.cli.checkout import Checkout
from controller.cli.client import Client, preview_path
from controller.cli.console import UNKNOWN, Failure
from controller.cli.hubs import Hub
from controller.cli.itself import mayfly
from controller.cli.pager import SECRET, Pager
from controller.cli.proof import Unmet, tail, until
from controller.cli.seen import Card, Listing, Status
from controller.cli.serve import with_changes
from controller.cli.traces import Left, Traces
from controller.errors import MayflyError
from controller.settings import Home, Policy

STOP_WITHIN = 20
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    body: str

    def __str__(self) -> str:
        return f"{self.status} {self.body[:400]}"


class Stage:
    """Everything is below `folder`; `close` leaves nothing of it, and no process."""

    def __init__(self, listen: str | None, place: Traces, hub: Hub, *, any_port: bool) -> None:
        if not SHOP.is_dir():
            raise Failure(f"{SHOP} is not there: the demo needs a checkout of Mayfly's repository")
        self.policy = Policy(listen=_address(listen, any_port=any_port))
        self.folder = Path(tempfile.mkdtemp(prefix="mayfly-demo-"))
        self.folder.chmod(0o755)  # PostgreSQL runs as another user, and has to get in
        self.checkout = Checkout(self.folder / "shop")
        self.home = Home(self.checkout.path / ".mayfly")
        self.hub = hub
        self.client = Client(self.policy)
        self.pager = Pager()
        self._place = place
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What `mayfly serve` said."""
        return self.folder / "serve.log"

    def prepare(self) -> None:
        """The shop as a repository, its forge, and a policy that names both places, and production."""
        self.checkout.make()
        host, port = self.client.address
        self.hub.open(self.checkout, self.home, f"http://{host}:{port}/webhooks/github")
        self.configure(operator.FIRST_NOTICE)

    def configure(self, notice: str, *, watched: bool = False) -> None:
        """Writes the policy, which is read with the next start; `watched`: a probe of production and a pager too."""
        policy = {"listen": self.policy.listen, **self._place.policy, **self.hub.policy}
        policy |= operator.main(self.hub.repo, notice, self._place.target)
        if watched:
            policy |= operator.watching(self.production, self.pager.url)
        self.home.policy_file.write_text(json.dumps(policy, indent=2))

    @property
    def production(self) -> str:
        """Its URL."""
        return self.policy.url(operator.TARGET)

    def push(self, branch: str) -> int:
        """The number of its pull request."""
        return self.hub.push(branch)

    def start(self) -> None:
        """`mayfly serve`, as a process of its own. Raises Failure where it does not come up."""
        words = [sys.executable, "-m", "controller", "serve", "--home", str(self.home.path)]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                env=os.environ | self.hub.environment | {SECRET: self.pager.secret},
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
        """SIGTERM, and SIGKILL where that is not enough. Previews and main go on running."""
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
        return None if number is None else self.client.get(preview_path(self.hub.repo, number), Card)

    def mayfly(self, *words: str) -> str:
        """One of its commands. Raises Unmet."""
        return mayfly(self.home, *words)

    def page(self, url: str, path: str = "/", method: str = "GET") -> Page:
        """What a person sees there. The host is in the header: not every resolver knows *.localhost."""
        with closing(HTTPConnection(*self.client.address, timeout=15)) as connection:
            try:
                connection.request(method, path, headers={"Host": url.removeprefix("http://").rstrip("/")})
                response = connection.getresponse()
                return Page(response.status, response.read(2**20).decode(errors="replace"))
            except (OSError, HTTPException) as error:
                return Page(0, str(error))

    def shows(self, url: str, *texts: str, never: str = "") -> None:
        """In time; `never` is not there then. Raises Unmet."""

        def missing() -> str:
            page = self.page(url)
            held = page.status == 200 and all(text in page.body for text in texts)
            return "" if held and not (never and never in page.body) else str(page)

        told = " and ".join(f"“{text}”" for text in texts) + (f", and not “{never}”" if never else "")
        until(f"{url} shows {told}", 30, missing)

    def report(self, number: int) -> str:
        """The one comment of ours on the pull request; empty where there is none."""
        comments = self.hub.reports(number)
        if len(comments) > 1:
            raise Unmet("one comment, edited in place", "\n\n".join(comments))
        return comments[0] if comments else ""

    def left(self) -> Left:
        """What there is of previews now."""
        return self._place.left(self.home)

    def main(self) -> list[str]:
        """What runs of main."""
        return self._place.main(self.home)

    def end_main(self) -> None:
        """Raises Unmet, Failure or MayflyError."""
        if self.main():
            self._place.end(self.home)

    def close(self) -> None:
        """Ends what was started here, PostgreSQL included, and removes the folder."""
        self.stop()
        for end in (self.end_main, self.hub.stop):
            with suppress(Unmet, Failure, MayflyError):  # told already where it matters
                end()
        self.pager.close()
        self._place.clean(self.home)
        shutil.rmtree(self.folder, ignore_errors=True)


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
