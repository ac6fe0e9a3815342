"""The policy (`mayfly.yaml`, the operator's) and where the embedded parts keep what they know.

Read once at the start; a mistake stops the start, and says the line. `.preview.yaml` can tighten what stands here,
never loosen it.
"""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from controller.previews.model import Forks
from controller.settings.access import Access, Rates
from controller.settings.cluster import Egress, Entrance, Images, Kubernetes, KubernetesDatabases, Quota
from controller.settings.forge import GitHub
from controller.settings.names import (
    ADMIN_TOKEN,
    DATABASES_URL,
    FILE,
    GITHUB_KEY,
    GITHUB_TOKEN,
    HISTORY_URL,
    LABEL,
    WEBHOOK_SECRET,
    WEBHOOK_SECRET_BEFORE,
    host_and_port,
)
from controller.settings.notifying import Route
from controller.settings.previewing import Allowed, Limits, Local
from controller.settings.probing import HERE, REMOTE, Alerting, Maintenance, Probe, Probing, circle, objective, x_of_y
from controller.settings.targets import Target, Thresholds, Watched
from smoke.documents import Duration, Strict, load

__all__ = [
    "ADMIN_TOKEN",
    "DATABASES_URL",
    "FILE",
    "GITHUB_KEY",
    "GITHUB_TOKEN",
    "HERE",
    "HISTORY_URL",
    "LABEL",
    "REMOTE",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_BEFORE",
    "Access",
    "Alerting",
    "Allowed",
    "Egress",
    "Entrance",
    "GitHub",
    "Home",
    "Images",
    "Kubernetes",
    "KubernetesDatabases",
    "Limits",
    "Local",
    "Maintenance",
    "Policy",
    "Probe",
    "Probing",
    "Quota",
    "Rates",
    "Route",
    "Target",
    "Thresholds",
    "Watched",
    "objective",
    "x_of_y",
]


class Policy(Strict):
    listen: Annotated[str, AfterValidator(host_and_port)] = "127.0.0.1:8080"
    """HOST:PORT of the dashboard, the API and the previews."""
    domain: str = Field("localhost", pattern=r"^[a-z0-9.-]+$")
    """Previews answer at `http://pr-7-web.DOMAIN:PORT`, the dashboard at `http://DOMAIN:PORT`."""
    public_url: str | None = Field(None, pattern=r"^https?://[a-z0-9.-]+(:\d+)?$")
    """The dashboard's URL as people reach it (`https://previews.example.com`), where that is another: by an Ingress."""
    forge: Literal["git", "github"] = "git"
    platform: Literal["local", "kubernetes"] = "local"
    history: str | None = None
    """SQLAlchemy URL; where unset MAYFLY_HISTORY_URL, and a SQLite file in the home where that is unset too."""
    previews: Limits = Limits()
    allow: Allowed = Allowed()
    github: GitHub = GitHub()
    local: Local = Local()
    kubernetes: Kubernetes = Kubernetes()
    targets: list[Target] = []
    """Where main is deployed."""
    probes: list[Probe] = []
    probing: Probing = Probing()
    notify: list[Route] = []
    """Who is told of what needs a person."""
    stop_within: Duration = timedelta(seconds=20)
    """Longest a stop takes: what is under way then is gone on with by whoever starts next."""
    access: Access = Access()

    @property
    def tokens(self) -> bool:
        """Whether a token is needed."""
        if self.access.mode is not None:
            return self.access.mode == "token"
        return not self.is_private

    @property
    def is_private(self) -> bool:
        """Whether only this machine reaches it."""
        return _is_loopback(self.address[0]) and self.public_url is None

    @model_validator(mode="after")
    def _names_are_known(self) -> "Policy":
        targets, probes, routes = ([one.name for one in some] for some in (self.targets, self.probes, self.notify))
        for what, names in (("target", targets), ("probe", probes), ("route", routes)):
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise ValueError(f"there are two {what}s named `{twice}`")
        for probe in self.probes:
            known = {"target": (targets, [probe.target] if probe.target else []), "probe": (probes, probe.depends_on)}
            for what, (there, named) in {**known, "route": (routes, probe.notify)}.items():
                if lost := next((name for name in named if name not in there), None):
                    raise ValueError(f"probe `{probe.name}` names {what} `{lost}`, which is not there")
        if round_trip := circle(self.probes):
            raise ValueError(f"probes depend on each other in a circle: {round_trip}")
        for target in self.targets:
            if lost := next((name for name in target.notify if name not in routes), None):
                raise ValueError(f"target `{target.name}` names route `{lost}`, which is not there")
            if target.watch is not None and self.platform != "kubernetes":
                raise ValueError(f"target `{target.name}`: only what runs on a cluster can be watched (`watch`)")
        return self

    @property
    def forks(self) -> Forks:
        if self.allow.forks is not None:
            return self.allow.forks
        return Forks.OFF if self.platform == "local" else Forks.APPROVE

    @model_validator(mode="after")
    def _strangers_are_fenced(self) -> "Policy":
        if self.platform == "local" and self.forks is not Forks.OFF:
            needs = "needs `platform: kubernetes`: on one machine nothing fences strangers' code"
            raise ValueError(f"`allow.forks: {self.forks}` {needs}")
        return self

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @model_validator(mode="after")
    def _one_domain(self) -> "Policy":
        host = urlsplit(self.public_url).hostname if self.public_url else self.domain
        if host != self.domain:
            raise ValueError(f"`public_url` leads to {host}, and `domain` is {self.domain}: they have to be the same")
        return self

    def url(self, label: str = "") -> str:
        """Where a person reaches the dashboard, or (`label`) a preview."""
        port = self.address[1]
        known = self.public_url or (f"http://{self.domain}" if port == 80 else f"http://{self.domain}:{port}")
        return known.replace("://", f"://{label}.", 1) if label else known


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


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
    def targets(self) -> Path:
        """Main, where it runs on this machine."""
        return self.path / "targets"

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

    def policy(self, file: Path | None = None) -> Policy:
        """From the file, or the home's own; the defaults where that is not there. Raises DocumentError or OSError."""
        if file is None and not self.policy_file.exists():
            return Policy()
        found = file or self.policy_file
        return load(found.read_bytes(), Policy, str(found))
