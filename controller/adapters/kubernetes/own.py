"""A repository's own manifests: read from its files, refused or made part of a preview.

| `deploy` has | read |
| --- | --- |
| `manifests` | `*.yaml`, `*.yml` and Jinja2 `*.yaml.j2`, `*.yml.j2` right in the folder, in the order of their names |
| `kustomize` | what `kustomize build` makes of the folder |
| `helm` | what `helm template` makes of the chart; our values are under `mayfly` |

In all of them `{sha}` and the like in an image are filled in, as in `.preview.yaml`.
"""

import asyncio
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.adapters.kubernetes import allowed, names, own_kustomize, own_placing, tools
from controller.adapters.kubernetes.own_yaml import MAX_SOURCE, documents
from controller.adapters.kubernetes.shapes import Obj, Place
from controller.adapters.shared.disk import trouble
from controller.adapters.shared.sources import inside
from controller.common.spec import Deploy, Helm, fill
from controller.errors import Refused
from controller.settings import Kubernetes

MAX_FILES = 100
_ENDS = (".yaml", ".yml", ".yaml.j2", ".yml.j2")
TEMPLATE = ".j2"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a set of manifests belongs, and what it may reach for."""

    place: Place
    kubernetes: Kubernetes
    deploy: int
    """Which deploy it is of."""
    hosts: Collection[str] = ()
    """Full host names of the preview."""
    taken: Collection[str] = ()
    """`names.identity` of objects that are ours."""
    services: Mapping[str, int] = field(default_factory=dict)
    """Services with their ports that have to be among the manifests."""
    fork: bool = False
    """Strangers wrote them."""


@dataclass(frozen=True, slots=True)
class _Source:
    """YAML, and what to call it."""

    name: str
    text: str


async def wanted(tree: Path, deploy: Deploy, values: Mapping[str, str], bounds: Bounds) -> tuple[Obj, ...]:
    """What to apply, in this order. Raises Refused as `manifests` does, and where something in it is not allowed."""
    found = await _found(tree, deploy, values)
    objects, place = [obj for _, obj in found], bounds.place
    if refused := allowed.why_not_all(
        objects, place.namespace, bounds.kubernetes, bounds.hosts, bounds.taken, fork=bounds.fork
    ):
        titles = {allowed.title(obj): name for name, obj in reversed(found)}
        name = titles.get(refused.partition(":")[0])
        raise Refused(f"{name}: {refused}" if name else refused)
    _mind_services(objects, bounds.services)
    made = [own_placing.placed(obj, place, bounds.deploy, bounds.kubernetes, fork=bounds.fork) for obj in objects]
    return own_placing.in_order(made)


def _mind_services(objects: list[Obj], services: Mapping[str, int]) -> None:
    found = {obj["metadata"]["name"]: obj["spec"].get("ports") or [] for obj in objects if obj["kind"] == "Service"}
    for name, port in services.items():
        if name not in found:
            raise Refused(f"`services` names `{name}`, and there is no Service of that name in the manifests")
        if port not in (known := [one.get("port") for one in found[name]]):
            raise Refused(f"`services` has port {port} for `{name}`; the Service in the manifests has {known}")


async def manifests(tree: Path, deploy: Deploy, values: Mapping[str, str]) -> tuple[Obj, ...]:
    """As they stand in the files of `tree`. `values`: `sha`, `number`, `url`, `host`, `namespace` and so on.

    Raises Refused, naming the file, where they cannot be read or one is there twice; Unavailable where a program could
    not be run now.
    """
    return tuple(obj for _, obj in await _found(tree, deploy, values))


async def _found(tree: Path, deploy: Deploy, values: Mapping[str, str]) -> list[tuple[str, Obj]]:
    if deploy.manifests is not None:
        sources = await _folder(tree, deploy.manifests, values)
    elif deploy.kustomize is not None:
        folder = await asyncio.to_thread(own_kustomize.mind, tree, deploy.kustomize)
        sources = [_Source(f"kustomize {deploy.kustomize}", await tools.kustomize(folder))]
    elif deploy.helm is not None:
        sources = [await _chart(tree, deploy.helm, values)]
    else:
        raise Refused("`deploy` names no manifests")
    return await asyncio.to_thread(_objects, sources, values)


async def _folder(tree: Path, path: str, values: Mapping[str, str]) -> list[_Source]:
    texts = await asyncio.to_thread(_read, tree, path)
    templates = {name: text for name, text in texts.items() if name.endswith(TEMPLATE)}
    filled = await tools.fill(templates, values) if templates else {}
    return [_Source(name, filled.get(name, text)) for name, text in texts.items()]


def _read(tree: Path, path: str) -> dict[str, str]:
    """Text by name in the repository, in order."""
    folder = inside(tree, path)
    if not folder.is_dir():
        raise Refused(f"`{path}` is not a folder")
    with trouble("read a folder"):
        files = sorted(name for name in os.listdir(folder) if name.endswith(_ENDS))  # noqa: PTH208 - names, not paths
    if not files or len(files) > MAX_FILES:
        raise Refused(
            f"`{path}` has {len(files)} YAML files; {MAX_FILES} at most" if files else f"`{path}` has no YAML"
        )
    texts: dict[str, str] = {}
    for name in (f"{path}/{file}" for file in files):
        texts[name] = _text(tree, name, MAX_SOURCE - sum(map(len, texts.values())))
    return texts


def _text(tree: Path, name: str, most: int) -> str:
    file = inside(tree, name)
    if not file.is_file():
        raise Refused(f"`{name}` is not a file")
    with trouble(f"read {name}"), file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise Refused(f"{name}: with this one there are more than {MAX_SOURCE:,} bytes of manifests")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{name}: it is not UTF-8 (byte {error.start})") from None


async def _chart(tree: Path, helm: Helm, values: Mapping[str, str]) -> _Source:
    chart = await asyncio.to_thread(_closed, tree, helm.chart)
    files = [inside(tree, path) for path in helm.values]
    if missing := [path for path, file in zip(helm.values, files, strict=True) if not file.is_file()]:
        raise Refused(f"`{missing[0]}` is not a file")
    made = await tools.helm(chart, files, {"mayfly": dict(values)}, values.get("namespace", "default"))
    return _Source(f"helm {helm.chart}", made)


def _closed(tree: Path, path: str) -> Path:
    """A chart: a folder with no link that leads out, as Helm follows them all. Raises Refused."""
    folder, root = inside(tree, path), tree.resolve()
    if not (folder / "Chart.yaml").is_file():
        raise Refused(f"`{path}` has no Chart.yaml")
    for here, folders, files in os.walk(folder):
        for inner in (Path(here, name) for name in (*folders, *files)):
            if inner.is_symlink():
                inside(tree, str(inner.relative_to(root)))
    return folder


def _objects(sources: list[_Source], values: Mapping[str, str]) -> list[tuple[str, Obj]]:
    """Each with the name of its file."""
    found: list[tuple[str, Obj]] = []
    where: dict[str, str] = {}
    for source in sources:
        for obj in _each(source):
            identity = names.identity(obj)
            if identity in where:
                raise Refused(f"{source.name}: {allowed.title(obj)} is in {where[identity]} already")
            where[identity] = source.name
            found.append((source.name, _filled(obj, values)))
    return found


def _each(source: _Source) -> list[Obj]:
    """A `List` is what is in it. What only the cluster says (`status`) is left out."""
    found = documents(source.text, source.name)
    items = [item for one in found for item in (one["items"] if _is_list(one) else [one])]
    for obj in items:
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        known = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
        if not known or not all(isinstance(obj.get(key), str) for key in ("apiVersion", "kind")):
            raise Refused(f"{source.name}: an object needs an `apiVersion`, a `kind` and a `metadata.name`")
    return [{key: value for key, value in obj.items() if key != "status"} for obj in items]


def _is_list(value: object) -> bool:
    return isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list)


def _filled(obj: Obj, values: Mapping[str, str]) -> Obj:
    """With `{sha}` and the like in images; what is no pod is refused later, and left as it is here."""
    try:
        images = own_placing.images([obj])
        return own_placing.with_images([obj], {image: fill(image, values) for image in images})[0]
    except (AttributeError, KeyError, TypeError):
        return obj
