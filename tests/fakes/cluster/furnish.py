"""What a container finds when it starts: its variables, its files, its folders."""

import base64
import re
from collections.abc import Iterator

from tests.fakes.cluster.programs import Folder
from tests.fakes.cluster.resources import CONFIG_MAP, SECRET, Obj, Resource
from tests.fakes.cluster.store import Store

SOURCES = {"secretKeyRef": SECRET, "configMapKeyRef": CONFIG_MAP, "secretRef": SECRET, "configMapRef": CONFIG_MAP}


class Missing(Exception):
    """`reason` is what the container waits with."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def content(store: Store, resource: Resource, name: str, namespace: str) -> Folder | None:
    obj = store.get(resource, name, namespace)
    if obj is None:
        return None
    encoded = obj.get("data") if resource is SECRET else obj.get("binaryData")
    plain = {} if resource is SECRET else obj.get("data") or {}
    decoded = {key: base64.b64decode(value) for key, value in (encoded or {}).items()}
    return decoded | {key: value.encode() for key, value in plain.items()}


def variables(store: Store, pod: Obj, container: Obj) -> dict[str, str]:
    """Raises Missing where a Secret or ConfigMap that is named is not there."""
    namespace = pod["metadata"]["namespace"]
    env: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        [(kind, ref)] = [(kind, source[kind]) for kind in ("secretRef", "configMapRef") if kind in source]
        found = _wanted(store, SOURCES[kind], ref, namespace)
        env |= {source.get("prefix", "") + key: value.decode() for key, value in found.items()}
    for variable in container.get("env") or ():
        value = _value(store, pod, variable, namespace)
        if value is not None:
            env[variable["name"]] = expanded(value, env) if "value" in variable else value
    return env


def _value(store: Store, pod: Obj, variable: Obj, namespace: str) -> str | None:
    source = variable.get("valueFrom") or {}
    if not source:
        return str(variable.get("value", ""))
    [(kind, ref)] = source.items()
    if kind == "fieldRef":
        return str(_field(pod, ref["fieldPath"]))
    found = _wanted(store, SOURCES[kind], ref, namespace)
    if ref["key"] in found:
        return found[ref["key"]].decode()
    if ref.get("optional"):
        return None
    told = f"couldn't find key {ref['key']} in {SOURCES[kind].kind} {namespace}/{ref['name']}"
    raise Missing("CreateContainerConfigError", told)


def _wanted(store: Store, resource: Resource, ref: Obj, namespace: str) -> Folder:
    found = content(store, resource, ref["name"], namespace)
    if found is not None:
        return found
    if ref.get("optional"):
        return {}
    raise Missing("CreateContainerConfigError", f'{resource.kind.lower()} "{ref["name"]}" not found')


def _field(pod: Obj, path: str) -> object:
    value: object = pod
    for word in path.split("."):
        value = value.get(word, "") if isinstance(value, dict) else ""
    return value


def expanded(text: str, env: dict[str, str]) -> str:
    """`$(NAME)` is the variable where there is one, `$$(NAME)` never is."""
    return re.sub(
        r"\$\$|\$\(([^)]*)\)",
        lambda found: "$" if found[0] == "$$" else env.get(found[1], found[0]),
        text,
    )


def words(container: Obj, env: dict[str, str]) -> tuple[str, ...]:
    said = [*(container.get("command") or ()), *(container.get("args") or ())]
    return tuple(expanded(word, env) for word in said)


def files(store: Store, pod: Obj, container: Obj) -> dict[str, bytes]:
    """Those of mounted ConfigMaps and Secrets. Raises Missing where one is not there: the pod waits for it."""
    return dict(_files(store, pod, container))


def _files(store: Store, pod: Obj, container: Obj) -> Iterator[tuple[str, bytes]]:
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    for mount in container.get("volumeMounts") or ():
        folder = _mounted(store, volumes.get(mount["name"], {}), pod["metadata"]["namespace"])
        path, part = mount["mountPath"].rstrip("/"), mount.get("subPath")
        for name, data in folder.items():
            if part is None:
                yield f"{path}/{name}", data
            elif part == name:
                yield path, data


def _mounted(store: Store, volume: Obj, namespace: str) -> Folder:
    if "projected" in volume:
        parts = [_mounted(store, source, namespace) for source in volume["projected"].get("sources") or ()]
        return {name: data for part in parts for name, data in part.items()}
    for kind, resource, key in (("secret", SECRET, "secretName"), ("configMap", CONFIG_MAP, "name")):
        if kind in volume:
            source = volume[kind]
            name = source.get(key) or source["name"]
            found = content(store, resource, name, namespace)
            if found is None and not source.get("optional"):
                told = f'MountVolume.SetUp failed for volume "{volume.get("name", kind)}"'
                raise Missing("ContainerCreating", f'{told} : {resource.kind.lower()} "{name}" not found')
            return _chosen(found or {}, source.get("items"))
    return {}


def _chosen(folder: Folder, items: list[Obj] | None) -> Folder:
    return folder if items is None else {item["path"]: folder[item["key"]] for item in items if item["key"] in folder}


def shared(pod: Obj, container: Obj, volumes: dict[str, Folder]) -> dict[str, Folder]:
    """Folders that outlive a container, by where it finds them: `volumes` are the pod's by name."""
    mounts = container.get("volumeMounts") or ()
    return {mount["mountPath"]: volumes[mount["name"]] for mount in mounts if mount["name"] in volumes}
