"""Manifests from what is wanted: templates of `manifests/`, filled and read back as objects. Pure.

Every value is quoted by the templates (`| json`), so that nothing a person wrote changes what kind of thing it is.
"""

import base64
import json
import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import cache
from importlib.resources import files

import yaml
from jinja2 import Environment, FunctionLoader, StrictUndefined

from controller.adapters.kubernetes import blocks, names
from controller.adapters.kubernetes.shapes import CheckTask, Container, Obj, Place, SecretKey, Server, Task, Workload
from controller.errors import Refused
from controller.settings import Kubernetes

REVISION = "mayfly.dev/revision"
CONFIG, RUN, SHARED_MEMORY = ("config", "/mayfly/config"), ("run", "/mayfly/run"), ("shared-memory", "/dev/shm")  # noqa: S108
MAX_CONFIG = 2**20
"""Most bytes of all values of a ConfigMap or Secret together (Kubernetes API, `MaxSecretSize`)."""
_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def namespace(place: Place, annotations: Mapping[str, str]) -> Obj:
    """With Pod Security `restricted` enforced."""
    labels = names.labels(place) | _RESTRICTED
    return _one("preview/namespace", place=place, labels=labels, annotations=annotations)


def fences(
    place: Place,
    kubernetes: Kubernetes,
    database_port: int | None,
    database_at: Collection[str] = blocks.ANYWHERE,
) -> tuple[Obj, ...]:
    """A ServiceAccount `preview` without a token, ResourceQuota, LimitRange and NetworkPolicy.

    In: from the namespace itself and the controller's. Out: to the namespace itself, DNS, and where the policy says.
    `database_port`: of a PostgreSQL outside the namespace that the preview may reach, in the blocks `database_at` but
    for the metadata service's.
    """
    values = {"dns": blocks.dns(), "egress": blocks.egress(kubernetes.egress, database_port, database_at)}
    return _all("preview/fences", place=place, labels=names.labels(place), kubernetes=kubernetes, **values)


def config(place: Place, name: str, data: Mapping[str, str], binary: Mapping[str, bytes] | None = None) -> Obj:
    """An immutable ConfigMap; its name ends with a digest of its content. Raises Refused above 1 MiB."""
    encoded = {key: base64.b64encode(value).decode() for key, value in (binary or {}).items()}
    _fits(name, [*(value.encode() for value in data.values()), *(binary or {}).values()])
    return _kept(place, "ConfigMap", names.hashed(name, [dict(data), encoded]), data, encoded)


def secret(place: Place, name: str, data: Mapping[str, str]) -> Obj:
    """An immutable Secret; its name ends with a digest of its content. Raises Refused above 1 MiB."""
    values = {key: value.encode() for key, value in data.items()}
    _fits(name, list(values.values()))
    encoded = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return _kept(place, "Secret", names.hashed(name, encoded), encoded, {})


def workload(place: Place, workload: Workload, kubernetes: Kubernetes) -> tuple[Obj, ...]:
    """Deployment, and Service where it has a port."""
    selector = names.whose(place) | {names.SERVICE: workload.name}
    values = {
        "labels": _labels(place, workload.name, {names.SERVICE: workload.name}),
        "selector": selector,
        "annotations": {REVISION: workload.revision, names.DEPLOY: str(workload.deploy)},
    }
    return _all("preview/workload", place=place, workload=workload, kubernetes=kubernetes, **values)


def account(place: Place, kubernetes: Kubernetes) -> Obj:
    """What pods of a target run as: a ServiceAccount without a token, with the pull secrets."""
    return _one("targets/account", place=place, labels=names.labels(place), kubernetes=kubernetes)


def released(place: Place, workload: Workload, deadline: timedelta, kubernetes: Kubernetes) -> tuple[Obj, ...]:
    """One service of a release: a Deployment of its own (`web-r7`), and the Service that leads to it (`web`) where it
    has a port. `deadline` is for its rollout."""
    number, name = str(workload.deploy), workload.name
    mine = {names.SERVICE: name, names.RELEASE: number}
    values = {
        "name": f"{name}-r{number}",
        "labels": _labels(place, name, mine),
        "selector": names.whose(place) | mine,
        "annotations": {REVISION: workload.revision, names.DEPLOY: number, names.SERVES: name},
        "deadline": _seconds(deadline),
    }
    return _all("targets/workload", place=place, workload=workload, kubernetes=kubernetes, **values)


def entrance(place: Place, service: str, port: int, host: str, kubernetes: Kubernetes) -> tuple[Obj, ...]:
    """An Ingress or an HTTPRoute for the full host name `host`, and the NetworkPolicy that lets it in; or nothing where
    the gateway is the only way in.

    The NetworkPolicy admits pods of any namespace that is no preview, on `port` alone, which is the pods' port as well.
    """
    if kubernetes.entrance.kind == "gateway":
        return ()
    values = {"service": service, "port": port, "host": host, "entrance": kubernetes.entrance}
    labels = _labels(place, service, {names.SERVICE: service})
    return _all("preview/entrance", place=place, labels=labels, preview_label=names.PREVIEW, **values)


def task(place: Place, task: Task, kubernetes: Kubernetes) -> Obj:
    """A Job: one try, no restarts."""
    values = {
        "labels": _labels(place, task.name, task.labels),
        "seconds": _seconds(task.timeout),
        "mounts": [CONFIG] if task.config else [],
    }
    return _one("preview/task", place=place, task=task, kubernetes=kubernetes, **values)


def server(place: Place, server: Server, kubernetes: Kubernetes) -> tuple[Obj, ...]:
    """A preview's own PostgreSQL: Deployment, Service, and a PersistentVolumeClaim where the policy names a class.

    An image with its data inside starts as it is, as user id `images.postgres_user`. It is told the password the way
    the official image is (`POSTGRES_PASSWORD`, `POSTGRES_DB=app`): data that is there already must let it in.
    """
    label = names.whose(place) | {names.SERVICE: "postgres"}
    own = [("password", "/mayfly/password"), ("data", "/mayfly/data")]
    values = {
        "it": _postgres(server, kubernetes.images.postgres_user, lasting=bool(place.target)),
        "labels": _labels(place, "postgres", {names.SERVICE: "postgres"}),
        "selector": label,
        "mounts": [SHARED_MEMORY, *([] if server.seeded else own)],
        "storage": size(kubernetes.quota.storage // 2),
    }
    return _all("preview/server", place=place, server=server, kubernetes=kubernetes, **values)


def check_task(place: Place, task: CheckTask, kubernetes: Kubernetes) -> Obj:
    """A Job: one try, no restarts. It ends when all its containers have.

    They have one checkout, of the first that wants one, unpacked by its image.
    """
    values = {
        "checkout": next((it for it in (task.smoke, *task.beside) if it.source), task.smoke),
        "labels": _labels(place, task.name, task.labels),
        "seconds": _seconds(task.timeout),
        "mounts": [CONFIG, RUN, SHARED_MEMORY],
    }
    return _one("checks/task", place=place, task=task, kubernetes=kubernetes, **values)


def _postgres(server: Server, user: int, *, lasting: bool) -> Container:
    """`lasting`: what it said is kept when a node goes down."""
    if server.seeded:
        env = {"POSTGRES_USER": "postgres", "POSTGRES_DB": "app"}
        password = {"POSTGRES_PASSWORD": SecretKey(server.secret, "password")}
        return Container("postgres", server.image, env=env, secrets=password, user=user)
    env = {"PGDATA": "/mayfly/data/pgdata", "PASSWORD_FILE": "/mayfly/password/password"}
    beginning, end = _text("preview/postgres.sh"), _text("targets/serve.sh" if lasting else "preview/serve.sh")
    script = (beginning.replace(" --no-sync", "") if lasting else beginning) + end
    return Container("postgres", server.image, ("sh", "-ec", script), env, user=user)


def _labels(place: Place, name: str, more: Mapping[str, str]) -> dict[str, str]:
    return names.labels(place) | {names.NAME: name} | dict(more)


def _kept(place: Place, kind: str, name: str, data: Mapping[str, str], binary: Mapping[str, str]) -> Obj:
    values = {"kind": kind, "name": name, "data": data, "binary": binary}
    return _one("preview/config", place=place, labels=names.labels(place), **values)


def _fits(name: str, values: list[bytes]) -> None:
    if (total := sum(map(len, values))) > MAX_CONFIG:
        raise Refused(f"`{name}` has {total / 2**20:.1f} MiB, and a cluster keeps at most 1 MiB in one")


def _seconds(timeout: timedelta) -> int:
    return max(1, round(timeout.total_seconds()))


def size(count: int) -> str:
    """Bytes as Kubernetes writes them: `512Mi`."""
    return f"{count // 2**20}Mi" if count and count % 2**20 == 0 else str(count)


def _cores(count: float) -> str:
    return f"{max(1, round(count * 1000))}m"


def _tenth(count: float) -> str:
    return _cores(count / 10)


def _quoted(value: object) -> str:
    """JSON that YAML reads as the same. They disagree on what may stand in a string unescaped, above all beyond ASCII,
    and on escapes of what is beyond 16 bits."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e]", lambda found: f"\\U{ord(found[0]):08x}", text)


def _literal(text: str) -> str:
    """Of a command or a variable: Kubernetes puts variables in for `$(NAME)`, and reads `$$` as `$`."""
    return text.replace("$", "$$")


def _one(template: str, **values: object) -> Obj:
    (obj,) = _all(template, **values)
    return obj


def _all(template: str, **values: object) -> tuple[Obj, ...]:
    text = _environment().get_template(f"{template}.yaml.j2").render(values)
    return tuple(yaml.load_all(text, Loader=_LOADER))


def _text(name: str) -> str:
    return files("manifests").joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    """Not a page, so nothing is escaped for HTML; `json` quotes."""
    environment = Environment(  # noqa: S701
        loader=FunctionLoader(_text), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    environment.filters |= {"json": _quoted, "literal": _literal, "size": size, "cores": _cores, "tenth": _tenth}
    return environment
