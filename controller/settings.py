"""The policy (`mayfly.yaml`, the operator's) and where the embedded parts keep what they know.

Read once at the start; a mistake stops the start, and says the line. `.preview.yaml` can tighten what stands here,
never loosen it.
"""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from controller.previews.model import Forks, Verb
from smoke.documents import Duration, Size, Strict, load

FILE = "mayfly.yaml"
DATABASES_URL = "MAYFLY_DATABASES_URL"
"""Variable with the URL of the PostgreSQL that holds every preview's database (`isolation: server`)."""
HISTORY_URL = "MAYFLY_HISTORY_URL"
"""Variable with the URL of History, so that its password is in no file."""
GITHUB_TOKEN = "MAYFLY_GITHUB_TOKEN"  # noqa: S105 - a variable's name
"""Variable with a token, where no App is used."""
GITHUB_KEY = "MAYFLY_GITHUB_PRIVATE_KEY"
"""Variable with the App's private key (PEM), where `github.private_key_file` names none."""
WEBHOOK_SECRET = "MAYFLY_GITHUB_WEBHOOK_SECRET"  # noqa: S105 - likewise
"""Variable with the secret that GitHub signs webhooks with."""
WEBHOOK_SECRET_BEFORE = "MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS"  # noqa: S105 - likewise
"""Variable with the secret before it: both are taken while one is replaced by the other."""
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A name in a cluster (RFC 1123, 2.1)."""


def _host_and_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{text!r} is not HOST:PORT, like `127.0.0.1:8080`")
    return text


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network, like `10.0.0.0/8`") from error


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
    forks: Forks | None = None
    """Whether pull requests from forks get previews: `off`; `approve`, each revision once somebody with write
    permission said so; or `on`. Unset: `approve` on a cluster. On one machine only `off`: nothing fences strangers'
    code there."""
    author_may: list[Verb] = []
    """Commands that the author of a pull request may give without write permission (`[checks, wake]`)."""

    @field_validator("author_may")
    @classmethod
    def _none_that_is_for_others(cls, verbs: list[Verb]) -> list[Verb]:
        if theirs := {Verb.APPROVE, Verb.APPROVE_REMOVAL} & set(verbs):
            raise ValueError(f"`{min(theirs)}` is never for the author to say")
        return verbs


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


class Images(Strict):
    """What runs in a preview besides the application."""

    mayfly: str = "mayfly"
    """This very image: runs the checks (`python -m smoke`)."""
    runner: str | None = None
    """Runs services, seeds and migrations that have a `command` and no `image`, in a checkout of the repository;
    has `sh`, `tar` and `gzip`. Where unset, every service names its image."""
    postgres: str = "postgres:18"
    """PostgreSQL's programs on `PATH`: loads seeds, and is the database where each preview has its own server."""
    postgres_user: int = Field(999, ge=1)
    """User id that PostgreSQL runs as; it has a name in the image's /etc/passwd."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"


class Quota(Strict):
    """Most that one preview takes of the cluster."""

    cpu: float = Field(4.0, gt=0)
    """Cores, of all containers' requests together."""
    memory: Size = 8 * 2**30
    """Bytes, of all containers' limits together."""
    pods: int = Field(30, ge=1)
    storage: Size = 10 * 2**30


class Egress(Strict):
    """Where previews may connect to, besides DNS and themselves. The cloud's metadata address never is."""

    cidr: Annotated[str, AfterValidator(_network)]
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = []
    """Any where none are named."""


class Entrance(Strict):
    """How people get in besides the gateway, which is always there, wakes what sleeps and says what it does."""

    kind: Literal["gateway", "ingress", "httproute"] = "gateway"
    """`ingress` and `httproute` also lead straight from the cluster's own entrance to the preview."""
    ingress_class: str | None = None
    tls_secret: str | None = None
    """Of the wildcard certificate, in the preview's namespace or the ingress controller's default."""
    gateway: str = "mayfly"
    """Name of the Gateway that an HTTPRoute attaches to."""
    gateway_namespace: str = "mayfly"


class KubernetesDatabases(Strict):
    isolation: Literal["namespace", "server"] = "namespace"
    """`namespace`: a PostgreSQL in each preview. `server`: one server, in MAYFLY_DATABASES_URL (a role that may create
    databases and roles): seeded once, cloned in well under a second."""
    host: str | None = None
    """HOST:PORT of that server as previews reach it, where the controller reaches it otherwise."""
    storage_class: str | None = None
    """Of a preview's own PostgreSQL; where unset, its data lives as long as its pod (emptyDir)."""


class Kubernetes(Strict):
    """Previews on a cluster."""

    kubeconfig: str | None = None
    """File; where unset, the pod's own account, $KUBECONFIG or ~/.kube/config."""
    context: str | None = None
    namespace: str = Field("mayfly", pattern=LABEL)
    """The controller's own: its Lease, and the pull secrets that are copied into previews."""
    instance: str = Field("mayfly", pattern=LABEL)
    """Tells this controller's previews from another's in the same cluster."""
    prefix: str = Field("preview-", pattern=r"^[a-z0-9-]{0,16}$")
    """Begins the name of every namespace."""
    images: Images = Images()
    registries: list[str] = []
    """Where images of a spec may come from (`ghcr.io/acme`); anywhere where empty."""
    pull_secrets: list[str] = []
    wait_for_image: Duration = timedelta(minutes=10)
    """How long a revision's image may take to appear in its registry; 0 deploys without asking the registry."""
    quota: Quota = Quota()
    fork_quota: Quota = Quota(cpu=2.0, memory=4 * 2**30, pods=15, storage=5 * 2**30)
    """The same of a preview of a fork, which also has no `egress` and no `pull_secrets`."""
    egress: list[Egress] = []
    entrance: Entrance = Entrance()
    databases: KubernetesDatabases = KubernetesDatabases()
    node_selector: dict[str, str] = {}
    runtime_class: str | None = None
    step_timeout: Duration = timedelta(minutes=10)
    """Longest a seed, a migration or a run of checks may take."""
    manifests: bool = True
    """Whether a repository may bring its own (`deploy` in the spec)."""
    force_conflicts: bool = False
    """Whether fields that another manager owns are taken from it."""
    reach: Literal["auto", "direct", "port-forward"] = "auto"
    """How the gateway reaches a pod: by its address within a cluster, through the API server from outside."""
    requests_per_second: float = Field(50.0, gt=0)
    """Most requests to the API server, with bursts of twice as many."""


class GitHub(Strict):
    """The forge `github`: as an App (`app_id` and its key), or with the token in MAYFLY_GITHUB_TOKEN."""

    api: str = Field("https://api.github.com", pattern=r"^https?://[^\s/]+(/\S*[^\s/])?$")
    """Of Enterprise Server: `https://github.example.com/api/v3`."""
    app_id: int | None = Field(None, ge=1)
    private_key_file: str | None = None
    """PEM file with the App's key; where unset, the key itself in MAYFLY_GITHUB_PRIVATE_KEY."""
    repositories: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")]] = []
    """`OWNER/NAME`: only these get previews. Every one that the App is installed on where empty; a token needs some."""
    mode: Literal["webhook", "poll"] = "webhook"
    """`webhook`: GitHub tells at `/webhooks/github`, signed with MAYFLY_GITHUB_WEBHOOK_SECRET. `poll`: it is only
    asked."""
    fresh: Duration | None = None
    """How old an answer may be before it is asked for again (free, where nothing changed): 1 minute with webhooks,
    15 seconds without."""

    @property
    def fresh_for(self) -> timedelta:
        return self.fresh if self.fresh is not None else timedelta(seconds=60 if self.mode == "webhook" else 15)


class Policy(Strict):
    listen: Annotated[str, AfterValidator(_host_and_port)] = "127.0.0.1:8080"
    """HOST:PORT of the dashboard, the API and the previews. There is no login: keep it on loopback."""
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

    def policy(self, file: Path | None = None) -> Policy:
        """From the file, or the home's own; the defaults where that is not there. Raises DocumentError or OSError."""
        if file is None and not self.policy_file.exists():
            return Policy()
        found = file or self.policy_file
        return load(found.read_bytes(), Policy, str(found))
