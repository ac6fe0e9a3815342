"""What the server refuses of an object itself (422), whoever sends it. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator

from tests.fakes.cluster.problems import ApiError, invalid
from tests.fakes.cluster.resources import CONFIG_MAP, DEPLOYMENT, JOB, LEASE, POD, SECRET, SERVICE, Obj, Resource

SUBDOMAIN = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")
LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")
MOST_DATA = 2**20
MOST_ANNOTATIONS = 256 * 1024
FROZEN = "field is immutable when `immutable` is set"


def check(resource: Resource, before: Obj | None, after: Obj) -> None:
    """Raises ApiError."""
    name = after["metadata"]["name"]
    for field, kind, why in (
        *_metadata(resource, after),
        *_content(resource, after),
        *_frozen(resource, before, after),
    ):
        raise invalid(resource, name, field, kind, why)


def _metadata(resource: Resource, obj: Obj) -> Iterator[tuple[str, str, str]]:
    metadata = obj["metadata"]
    pattern = LABEL if resource.kind in {"Namespace", "Service"} else SUBDOMAIN
    if not pattern.match(metadata["name"]):
        yield (
            "metadata.name",
            "Invalid value",
            f'"{metadata["name"]}": a lowercase RFC 1123 subdomain must consist of ...',
        )
    for value in (metadata.get("labels") or {}).values():
        if not isinstance(value, str) or not VALUE.match(value):
            yield (
                "metadata.labels",
                "Invalid value",
                f'"{value}": a valid label must be an empty string or consist of ...',
            )
    annotations = metadata.get("annotations") or {}
    if sum(len(key) + len(value) for key, value in annotations.items()) > MOST_ANNOTATIONS:
        yield "metadata.annotations", "Too long", "may not be more than 262144 bytes"


def _content(resource: Resource, obj: Obj) -> Iterator[tuple[str, str, str]]:
    if resource in {SECRET, CONFIG_MAP}:
        yield from _data(resource, obj)
    if resource is POD:
        yield from _containers(obj["spec"], "spec")
    if resource in {DEPLOYMENT, JOB}:
        yield from _containers(obj["spec"]["template"]["spec"], "spec.template.spec")
    if resource is DEPLOYMENT:
        selector = obj["spec"].get("selector", {}).get("matchLabels") or {}
        labels = obj["spec"]["template"].get("metadata", {}).get("labels") or {}
        if not selector or not selector.items() <= labels.items():
            yield (
                "spec.template.metadata.labels",
                "Invalid value",
                f"{labels}: `selector` does not match template `labels`",
            )
    if resource is JOB and obj["spec"]["template"]["spec"].get("restartPolicy") not in {"Never", "OnFailure"}:
        yield "spec.template.spec.restartPolicy", "Required value", 'valid values: "OnFailure", "Never"'


def _data(resource: Resource, obj: Obj) -> Iterator[tuple[str, str, str]]:
    encoded = obj.get("data") if resource is SECRET else obj.get("binaryData")
    size = sum(len(_decoded(value)) for value in (encoded or {}).values())
    if resource is CONFIG_MAP:
        size += sum(len(value.encode()) for value in (obj.get("data") or {}).values())
    if size > MOST_DATA:
        yield "data" if resource is SECRET else "[]", "Too long", f"may not be more than {MOST_DATA} bytes"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ApiError(400, f"illegal base64 data: {error}") from error


def _containers(spec: Obj, at: str) -> Iterator[tuple[str, str, str]]:
    if not spec.get("containers"):
        yield f"{at}.containers", "Required value", ""
    volumes = {volume["name"] for volume in spec.get("volumes") or ()}
    for name in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(name) or ()):
            here = f"{at}.{name}[{index}]"
            if not container.get("image"):
                yield f"{here}.image", "Required value", ""
            for mount in container.get("volumeMounts") or ():
                if mount["name"] not in volumes:
                    yield f"{here}.volumeMounts[0].name", "Not found", f'"{mount["name"]}"'


def _frozen(resource: Resource, before: Obj | None, after: Obj) -> Iterator[tuple[str, str, str]]:
    if before is None:
        return
    if resource in {SECRET, CONFIG_MAP} and before.get("immutable"):
        for field in ("immutable", "data", "binaryData"):
            if (before.get(field) or {}) != (after.get(field) or {}):
                yield field, "Forbidden", FROZEN
    for field in FIELDS.get(resource, ()):
        old, new = _at(before, field), _at(after, field)
        if old != new:
            yield field, "Invalid value", f"{new}: field is immutable"
    if resource is POD and _fixed(before) != _fixed(after):
        yield "spec", "Forbidden", "pod updates may not change fields other than `spec.containers[*].image`"


FIELDS = {
    SECRET: ("type",),
    DEPLOYMENT: ("spec.selector",),
    JOB: ("spec.template", "spec.selector", "spec.completions"),
    SERVICE: ("spec.clusterIP",),
}
NEEDS_VERSION = {LEASE}
"""Not updated without `metadata.resourceVersion`."""


def _at(obj: Obj, dotted: str) -> object:
    value: object = obj
    for word in dotted.split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return value


def _fixed(pod: Obj) -> Obj:
    changing = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"}
    spec = {name: value for name, value in pod["spec"].items() if name not in changing}
    return spec | {"containers": [container | {"image": ""} for container in spec["containers"]]}
