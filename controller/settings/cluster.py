"""Previews on a cluster."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from controller.settings.names import LABEL, network
from smoke.documents import Duration, Size, Strict


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

    cidr: Annotated[str, AfterValidator(network)]
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
