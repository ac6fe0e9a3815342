"""What is rendered in these tests: builders where everything has a default, and a table of what occurs."""

from datetime import timedelta

from controller.adapters.kubernetes import render
from controller.adapters.kubernetes.shapes import (
    CheckTask,
    Container,
    Obj,
    Place,
    SecretKey,
    Server,
    Task,
    Workload,
)
from controller.settings import Kubernetes
from tests.examples import ABC, KEY

PLACE = Place("preview-pr-7-shop", KEY, "mayfly")
HOST = "pr-7-shop.previews.example.com"


def a_policy(**changes) -> Kubernetes:
    return Kubernetes.model_validate(changes)


def a_container(**changes) -> Container:
    return Container(**({"name": "web", "image": "ghcr.io/acme/web:1", "port": 8000} | changes))


def a_workload(**changes) -> Workload:
    return Workload(a_container(**changes), ABC, 3)


def a_task(container: Container | None = None, **changes) -> Task:
    container = container or a_container(name="run", port=None, command=("rake", "db:seed"))
    return Task(**({"name": "seed-3", "container": container, "timeout": timedelta(minutes=10)} | changes))


def a_check_task(**changes) -> CheckTask:
    smoke = Container("smoke", "mayfly", ("python", "-m", "smoke"), user=1000)
    values = {"name": "check-smoke-1", "smoke": smoke, "beside": (), "config": "checks-1"}
    return CheckTask(**(values | {"timeout": timedelta(minutes=5)} | changes))


def deployment(**changes) -> Obj:
    return render.workload(PLACE, a_workload(**changes), a_policy())[0]


def pod_of(obj: Obj) -> Obj:
    return obj["spec"]["template"]["spec"]


def simple() -> tuple[Obj, ...]:
    """One service from an image, nothing else."""
    kubernetes = a_policy()
    return (
        render.namespace(PLACE, {"mayfly.dev/record": "{}"}),
        *render.fences(PLACE, kubernetes, None),
        *render.workload(PLACE, a_workload(), kubernetes),
        render.check_task(PLACE, a_check_task(), kubernetes),
    )


EVERYTHING = a_policy(
    pull_secrets=["ghcr"],
    egress=[{"cidr": "10.0.0.0/8"}, {"cidr": "0.0.0.0/0", "ports": [443]}, {"cidr": "169.254.169.254/32"}],
    entrance={"kind": "ingress", "ingress_class": "nginx", "tls_secret": "wildcard"},
    databases={"storage_class": "fast"},
    node_selector={"pool": "previews"},
    runtime_class="gvisor",
    quota={"cpu": 1.5, "memory": "3Gi", "pods": 12, "storage": "20Gi"},
)


def everything() -> tuple[Obj, ...]:
    """All there is, in one preview."""
    source = render.config(PLACE, "source", {}, {"source.tar.gz": b"\x1f\x8b"})
    config = render.config(PLACE, "checks", {"checks.yaml": "checks: []\n"})
    secret = render.secret(PLACE, "database", {"url": "postgresql://postgres@postgres/app", "password": "xyz"})
    database = {"DATABASE_URL": SecretKey(secret["metadata"]["name"], "url")}
    checkout = {"image": "runner:1", "source": source["metadata"]["name"], "secrets": database, "user": 1000}
    web = a_workload(**checkout, command=("serve", "$PORT"), build=("make",), env={"PORT": "8000"}, health="/healthz")
    worker = a_workload(name="worker", port=None, command=("work",), memory=300_000_000, cpu=0.25)
    seed = a_container(**checkout, name="run", port=None, command=("rake", "db:seed"))
    smoke = Container("smoke", "mayfly", ("python", "-m", "smoke"), source=checkout["source"], user=1000)
    e2e = Container("e2e", "ghcr.io/acme/e2e:1", ("npx", "playwright", "test"))
    checks = {"smoke": smoke, "beside": (e2e,), "config": config["metadata"]["name"], "annotations": {"a": "b"}}
    return (
        render.namespace(PLACE, {"mayfly.dev/record": "{}"}),
        *render.fences(PLACE, EVERYTHING, 5432),
        source,
        config,
        secret,
        *render.server(PLACE, Server("postgres:18", secret["metadata"]["name"]), EVERYTHING),
        render.task(PLACE, a_task(seed, labels={"mayfly.dev/task": "seed"}, config="x"), EVERYTHING),
        *render.workload(PLACE, web, EVERYTHING),
        *render.workload(PLACE, worker, EVERYTHING),
        *render.entrance(PLACE, "web", 8000, HOST, EVERYTHING),
        render.check_task(PLACE, a_check_task(**checks, labels={"mayfly.dev/task": "check"}), EVERYTHING),
    )


HOSTILE = (
    "1e10000",
    "no",
    "~",
    "",
    "0x1F",
    "2026-01-01",
    "'\"\\",
    "a: b\n- c\n---\nkind: Secret",
    "{{ labels }}{% raw %}",
    "&a *a !!python/object:x <<",
    "$(HOME) $$ ${HOME} `id`",
    "tab\tnull\x00bell\x07del\x7fnel\x85line\u2028bom\ufeffno\ufffe",
    "çà 😀",
    "# comment",
    "%YAML 9",
)
"""What a person could write to be read as something else than text."""
