"""What a kustomization of a pull request reaches for, before it is built: files of the repository, and nothing else.

Kustomize would clone and download what has an address, and take a folder from anywhere on this machine.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.adapters.kubernetes.own_yaml import documents
from controller.adapters.shared.disk import trouble
from controller.adapters.shared.sources import inside
from controller.errors import Refused

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MAX_FOLDERS = 50
MAX_BYTES = 256 * 1024
_REMOTE = re.compile(r"://|^[\w.-]*@|^git::|^gh:|^[\w.-]+\.(com|org|net|io|dev)[:/]|[?&]ref=", re.IGNORECASE)
_LISTS = ("resources", "bases", "components", "crds", "configurations", "patchesStrategicMerge")
_PATHS = ("patches", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_SAY_NOTHING = {
    *("apiVersion", "kind", "metadata", "namespace", "namePrefix", "nameSuffix", "labels", "commonLabels"),
    *("commonAnnotations", "images", "replicas", "vars", "generatorOptions", "sortOptions", "buildMetadata"),
}


def mind(tree: Path, path: str) -> Path:
    """The folder to build. Raises Refused, naming the kustomization and what in it is not allowed."""
    folder = inside(tree, path)
    seen: set[Path] = set()
    todo = [folder]
    while todo:
        next_one = todo.pop()
        if next_one not in seen:
            seen.add(next_one)
            todo += _bases(tree, next_one)
        if len(seen) > MAX_FOLDERS:
            raise Refused(f"`{path}`: it has more than {MAX_FOLDERS} folders")
    return folder


def _bases(tree: Path, folder: Path) -> list[Path]:
    """The folders that a kustomization builds on."""
    root = tree.resolve()
    shown = folder.relative_to(root)
    file = next((inside(tree, str(shown / name)) for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise Refused(f"`{shown}` has no kustomization.yaml")
    where = str(shown / file.name)
    found: list[Path] = []
    for entry in _entries(_read(file, where), where):
        if _REMOTE.search(entry):
            raise Refused(f"{where}: `{entry[:120]}` is not in the repository; nothing is fetched for a preview")
        if Path(entry).is_absolute():
            raise Refused(f"{where}: `{entry[:120]}` leads out of the repository")
        target = inside(tree, str(shown / entry))
        found += [target] if target.is_dir() else []
    return found


def _read(file: Path, where: str) -> dict[str, Any]:
    with trouble("read a file"):
        if file.stat().st_size > MAX_BYTES:
            raise Refused(f"{where}: it has more than {MAX_BYTES:,} bytes")
        text = file.read_text(errors="replace")
    found = documents(text, where)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise Refused(f"{where}: it is not one mapping")
    return found[0]


def _entries(kustomization: dict[str, Any], where: str) -> Iterator[str]:
    """Every path or address in it."""
    for key, value in kustomization.items():
        if key in _LISTS:
            yield from _words(value, f"{where}: `{key}`")
        elif key in _PATHS:
            for one in _mappings(value, f"{where}: `{key}`"):
                yield from _words([one["path"]] if "path" in one else None, f"{where}: `{key}`")
        elif key in _GENERATORS:
            for one in _mappings(value, f"{where}: `{key}`"):
                yield from _sources(one, f"{where}: `{key}`")
        elif key == "openapi":
            yield from _words([value.get("path")] if isinstance(value, dict) else value, f"{where}: `openapi`")
        elif key not in _SAY_NOTHING:
            raise Refused(f"{where}: `{key[:80]}` is not allowed in a preview")


def _sources(generator: dict[str, Any], where: str) -> Iterator[str]:
    """A file may be `KEY=PATH`."""
    single = [generator["env"]] if "env" in generator else None
    for word in (*_words(generator.get("files"), where), *_words(generator.get("envs"), where), *_words(single, where)):
        yield word.partition("=")[2] or word


def _words(value: object, where: str) -> Iterator[str]:
    """Those that are paths: what has several lines is a patch itself."""
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(f"{where} is not a list of paths")
    yield from (item for item in value if "\n" not in item)


def _mappings(value: object, where: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Refused(f"{where} is not a list of mappings")
    return value
