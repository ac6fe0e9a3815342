"""The policy (`mayfly.yaml`, the operator's) and where the embedded parts keep what they know.

Read once at the start; a mistake stops the start, and says the line. `.preview.yaml` can tighten what stands here,
never loosen it.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from smoke.documents import Duration, Size, Strict, load

FILE = "mayfly.yaml"


def _host_and_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{text!r} is not HOST:PORT, like `127.0.0.1:8080`")
    return text


class Limits(Strict):
    """How many previews, and for how long."""

    max_alive: int = Field(30, ge=0)
    """Most previews at once, sleeping ones included; more wait for a place and say so."""
    max_removals: int = Field(5, ge=0)
    """More removals than this in one round stop and ask: a forge that misreads looks like many closed at once."""
    sleep_after: Duration = timedelta(hours=2)
    """Longest idle time before the processes are stopped (the next visit wakes them)."""
    expire_after: Duration = timedelta(days=3)
    """Longest time without a push, command or visit before the preview is removed."""
    max_life: Duration = timedelta(days=14)
    """Nothing lives longer, pinned or not."""
    give_up_after: Duration = timedelta(minutes=15)
    """A preview that did not become ready for this long has failed."""
    quiet_period: Duration = timedelta(milliseconds=350)
    """A push waits this long for another one, so that ten in a row are one deploy."""
    resync: Duration = Field(timedelta(seconds=10), ge=timedelta(seconds=1))
    """How often everything is read again, in case a bell was lost."""


class Allowed(Strict):
    """What a spec may do here."""

    build: bool = True
    command_checks: bool = True
    browser_checks: bool = True
    memory: Size = 2 * 2**30
    """Most memory of one process, in bytes."""
    services: int = Field(10, ge=1)
    """Most services of one preview."""
    forks: bool = False
    """Whether pull requests from forks get previews: strangers' code runs on this machine."""


class Local(Strict):
    """The embedded platform."""

    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """`PATH` of every process of a preview; nothing else of the controller's environment reaches them.
    `mayfly init` writes the one of whoever runs it."""
    log_size: Size = 4 * 2**20
    """Most bytes of one service's log file; two are kept."""
    stop_within: Duration = timedelta(seconds=5)
    """From SIGTERM to SIGKILL."""
    step_timeout: Duration = timedelta(minutes=10)
    """Longest a build, a seed or a migration may take."""
    open_files: int = Field(1024, ge=64)
    file_size: Size = 2 * 2**30
    """Largest file a process may write."""


class Policy(Strict):
    listen: Annotated[str, AfterValidator(_host_and_port)] = "127.0.0.1:8080"
    """HOST:PORT of the dashboard, the API and the previews. There is no login: keep it on loopback."""
    domain: str = Field("localhost", pattern=r"^[a-z0-9.-]+$")
    """Previews answer at `http://pr-7-web.DOMAIN:PORT`, the dashboard at `http://DOMAIN:PORT`."""
    forge: Literal["git"] = "git"
    platform: Literal["local"] = "local"
    history: str | None = None
    """SQLAlchemy URL; a SQLite file in the home where unset."""
    previews: Limits = Limits()
    allow: Allowed = Allowed()
    local: Local = Local()

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    def url(self, label: str = "") -> str:
        """Where a person reaches the dashboard, or (`label`) a preview."""
        host = f"{label}.{self.domain}" if label else self.domain
        port = self.address[1]
        return f"http://{host}" if port == 80 else f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder (`.mayfly` beside `.preview.yaml`) that holds all state of an embedded Mayfly."""

    path: Path

    @property
    def policy_file(self) -> Path:
        return self.path / FILE

    @property
    def forge(self) -> Path:
        """Bare repositories, `NAME.git`, and the forge's own database."""
        return self.path / "forge"

    @property
    def platform(self) -> Path:
        return self.path / "platform"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def history(self) -> Path:
        return self.path / "history.sqlite3"

    @property
    def lock(self) -> Path:
        """Held by the one controller that acts."""
        return self.path / "controller.lock"

    def policy(self) -> Policy:
        """The defaults where there is no file. Raises DocumentError."""
        if not self.policy_file.exists():
            return Policy()
        return load(self.policy_file.read_bytes(), Policy, str(self.policy_file))
