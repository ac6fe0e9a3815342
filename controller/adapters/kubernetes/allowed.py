"""What a pull request's own manifests may be. Pure.

Namespaced kinds of a list, in the preview's own namespace, with pods that ask nothing of the node, ways in to its own
hosts only, and images from the registries of the policy. No fences, roles or quotas: those are the operator's. Whoever
may push can write these, so every piece is hostile until it is read.
"""

import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from controller.adapters.kubernetes import allowed_pods as pods
from controller.adapters.kubernetes import allowed_ways as ways
from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.allowed_pods import Reach
from controller.adapters.kubernetes.allowed_shapes import NotAllowed, mapping, mappings, one_of, only, text
from controller.adapters.kubernetes.own_placing import ACCOUNT
from controller.adapters.kubernetes.shapes import Obj
from controller.common.images import images_allowed
from controller.settings import Kubernetes

__all__ = ["images_allowed", "why_not", "why_not_all"]

MAX_OBJECTS = 100
MAX_BYTES = 2**20
"""Of one object as JSON; the API server itself takes no more than 1.5 MiB."""
MAX_TOTAL = 8 * 2**20
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_METADATA = {"annotations", "creationTimestamp", "labels", "name", "namespace"}
_DOMAINS = {
    *("app.kubernetes.io", "checksum", "config.kubernetes.io", "helm.sh", "kubectl.kubernetes.io"),
    *("meta.helm.sh", "prometheus.io", "apps.kubernetes.io"),
}
"""Of labels and annotations that only say something. Others are orders to whatever runs in the cluster: to copy a
Secret from elsewhere, to make a DNS record, to lend an account of the cloud."""
_WAYS_IN = {"Ingress", "HTTPRoute"}
_WORDS = {"kubernetes.io/change-cause", "kubernetes.io/description", "kubernetes.io/metadata.name"}
_SECRETS = ["Opaque", "kubernetes.io/tls", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth"]
_SECRETS += ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg", ""]


def why_not(
    obj: object, namespace: str, kubernetes: Kubernetes, *, fork: bool = False, **reach: Collection[str]
) -> str:
    """What is against an object; empty where nothing is. `reach`: `hosts` and `accounts`, as `Reach` has them."""
    try:
        _object(obj, Reach(namespace, kubernetes, fork=fork, **reach))
    except NotAllowed as error:
        return f"{title(obj)}: {error.reason}"
    except RecursionError:
        return f"{title(obj)}: it nests too deeply"
    return ""


def why_not_all(
    objects: Sequence[object],
    namespace: str,
    kubernetes: Kubernetes,
    hosts: Collection[str] = (),
    taken: Collection[str] = (),
    *,
    fork: bool = False,
) -> str:
    """The same for a set: `hosts` are the preview's, in full; `taken` are `names.identity` of objects that are ours."""
    if len(objects) > MAX_OBJECTS:
        return f"these are {len(objects):,} objects; a preview may have {MAX_OBJECTS}"
    accounts = {name for obj in objects if (name := _account(obj))}
    for obj in objects:
        if refused := why_not(obj, namespace, kubernetes, fork=fork, hosts=hosts, accounts=accounts):
            return refused
    identities = [names.identity(obj) for obj in objects if isinstance(obj, dict)]
    secrets = (f"v1/Secret/{name}" for name in kubernetes.pull_secrets)
    ours = {*taken, *secrets, f"v1/ServiceAccount/{ACCOUNT}"}
    for number, identity in enumerate(identities):
        if identity in ours:
            return f"{title(objects[number])}: Mayfly has one of that name in every preview; name it otherwise"
        if identity in identities[:number]:
            return f"{title(objects[number])}: it is there twice"
    size = sum(len(json.dumps(obj)) for obj in objects)
    return f"these are {size:,} bytes; a preview may have {MAX_TOTAL:,}" if size > MAX_TOTAL else ""


def title(obj: object) -> str:
    """`Deployment web`, as far as it says."""
    kind = obj.get("kind") if isinstance(obj, dict) else None
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    words = [word[:80] for word in (kind, name) if isinstance(word, str) and word.isprintable()]
    return " ".join(words) or "an object"


def _account(obj: object) -> str:
    if not isinstance(obj, dict) or obj.get("kind") != "ServiceAccount" or not isinstance(obj.get("metadata"), dict):
        return ""
    name = obj["metadata"].get("name")
    return name if isinstance(name, str) else ""


def _object(obj: object, reach: Reach) -> None:
    if not isinstance(obj, dict) or not obj:
        raise NotAllowed("it is not an object of Kubernetes")
    found = mapping(obj, "the object")
    _size(found)
    kind = (text(found.get("apiVersion"), "apiVersion"), text(found.get("kind"), "kind"))
    if kind not in _KINDS:
        raise NotAllowed(
            f"a {kind[1][:80] or 'thing'} of {kind[0][:80] or 'no apiVersion'} is not allowed in a preview"
        )
    if reach.fork and kind[1] in _WAYS_IN:
        raise NotAllowed("a fork brings no way in of its own; leave it out, and the preview is reached all the same")
    keys, look = _KINDS[kind]
    only(found, {"apiVersion", "kind", "metadata", *keys}, kind[1])
    metadata(found.get("metadata"), "metadata", reach.namespace, ways.NGINX if kind[1] == "Ingress" else ())
    if not _NAME.fullmatch(text(mapping(found.get("metadata"), "metadata").get("name"), "metadata.name")):
        raise NotAllowed("`metadata.name` is not a name that Kubernetes takes")
    look(found, reach)


def _size(found: Obj) -> None:
    try:
        size = len(json.dumps(found, allow_nan=False))
    except (TypeError, ValueError):
        raise NotAllowed("it has a value that JSON does not have") from None
    if size > MAX_BYTES:
        raise NotAllowed(f"it has {size:,} bytes; {MAX_BYTES:,} are allowed")


def metadata(value: object, where: str, namespace: str, more: Collection[str] = ()) -> None:
    """`more` are annotations that may be there besides, with plain values."""
    found = mapping(value, where)
    only(found, _METADATA, where)
    one_of(found.get("namespace"), ["", namespace], f"{where}.namespace", instead="leave it out")
    for part in ("labels", "annotations"):
        for key, word in mapping(found.get(part), f"{where}.{part}").items():
            plain = text(word, f"{where}.{part}.{key[:80]}")
            if part == "annotations" and key in more and ways.PLAIN.fullmatch(plain):
                continue
            _key(key, f"{where}.{part}")


def _key(key: str, where: str) -> None:
    domain, slash, _ = key.rpartition("/")
    if key.startswith("helm.sh/hook"):
        raise NotAllowed("it is a Helm hook, which is not run here; `database.postgres.migrate` runs migrations")
    if slash and domain not in _DOMAINS and key not in _WORDS:
        raise NotAllowed(f"`{where}` has `{key[:120]}`, which is not allowed in a preview")


def _config(obj: Obj, reach: Reach) -> None:
    for part in ("data", "binaryData", "stringData"):
        for key, word in mapping(obj.get(part), part).items():
            text(word, f"{part}.{key[:80]}")


def _secret(obj: Obj, reach: Reach) -> None:
    one_of(obj.get("type"), _SECRETS, "type")
    _config(obj, reach)


def _service_account(obj: Obj, reach: Reach) -> None:
    one_of(obj.get("automountServiceAccountToken"), [False], "automountServiceAccountToken")


def _pod(obj: Obj, reach: Reach) -> None:
    pods.pod(obj.get("spec"), "spec", reach)


def _workload(obj: Obj, reach: Reach) -> None:
    spec = mapping(obj.get("spec"), "spec")
    one_of(spec.get("managedBy"), [], "spec.managedBy")
    _template(spec.get("template"), "spec.template", reach)
    for template, at in mappings(spec.get("volumeClaimTemplates"), "spec.volumeClaimTemplates"):
        metadata(template.get("metadata"), f"{at}.metadata", reach.namespace)
        pods.claim(template.get("spec"), f"{at}.spec")


def _cron_job(obj: Obj, reach: Reach) -> None:
    job = mapping(mapping(obj.get("spec"), "spec").get("jobTemplate"), "spec.jobTemplate")
    metadata(job.get("metadata"), "spec.jobTemplate.metadata", reach.namespace)
    spec = mapping(job.get("spec"), "spec.jobTemplate.spec")
    one_of(spec.get("managedBy"), [], "spec.jobTemplate.spec.managedBy")
    _template(spec.get("template"), "spec.jobTemplate.spec.template", reach)


def _template(value: object, where: str, reach: Reach) -> None:
    found: dict[str, Any] = mapping(value, where)
    metadata(found.get("metadata"), f"{where}.metadata", reach.namespace)
    pods.pod(found.get("spec"), f"{where}.spec", reach)


def _plain(obj: Obj, reach: Reach) -> None:
    mapping(obj.get("spec"), "spec")


_KINDS: dict[tuple[str, str], tuple[frozenset[str], Callable[[Obj, Reach], None]]] = {
    ("v1", "ConfigMap"): (frozenset({"data", "binaryData", "immutable"}), _config),
    ("v1", "Secret"): (frozenset({"data", "stringData", "type", "immutable"}), _secret),
    ("v1", "ServiceAccount"): (frozenset({"automountServiceAccountToken", "imagePullSecrets"}), _service_account),
    ("v1", "Service"): (frozenset({"spec"}), lambda obj, _: ways.service(obj.get("spec"), "spec")),
    ("v1", "PersistentVolumeClaim"): (frozenset({"spec"}), lambda obj, _: pods.claim(obj.get("spec"), "spec")),
    ("v1", "Pod"): (frozenset({"spec"}), _pod),
    ("apps/v1", "Deployment"): (frozenset({"spec"}), _workload),
    ("apps/v1", "StatefulSet"): (frozenset({"spec"}), _workload),
    ("batch/v1", "Job"): (frozenset({"spec"}), _workload),
    ("batch/v1", "CronJob"): (frozenset({"spec"}), _cron_job),
    ("policy/v1", "PodDisruptionBudget"): (frozenset({"spec"}), _plain),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): (frozenset({"spec"}), _plain),
    ("networking.k8s.io/v1", "Ingress"): (
        frozenset({"spec"}),
        lambda obj, reach: ways.ingress(obj.get("spec"), "spec", reach),
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): (
        frozenset({"spec"}),
        lambda obj, reach: ways.http_route(obj.get("spec"), "spec", reach),
    ),
}
