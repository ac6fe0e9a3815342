"""`metadata.managedFields`: what an apply or an update means for those who own fields. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.fakes.cluster import fields
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import Obj


@dataclass(frozen=True, slots=True)
class Manager:
    """Entries of `managedFields` are one per each of these."""

    name: str
    operation: str = "Update"
    subresource: str = ""


Owners = dict[Manager, frozenset[fields.Path]]


def owners(obj: Obj | None) -> Owners:
    entries = (obj or {"metadata": {}})["metadata"].get("managedFields") or []
    return {
        Manager(entry["manager"], entry["operation"], entry.get("subresource", "")): frozenset(
            fields.decode(entry.get("fieldsV1") or {})
        )
        for entry in entries
    }


def entries(found: Owners, before: Obj | None, api_version: str, now: str) -> list[Obj]:
    """Times stay as they were where nothing changed."""
    known = owners(before)
    times = {
        Manager(entry["manager"], entry["operation"], entry.get("subresource", "")): entry["time"]
        for entry in (before or {"metadata": {}})["metadata"].get("managedFields") or []
    }
    return [
        _entry(manager, paths, api_version, times[manager] if known.get(manager) == paths else now)
        for manager, paths in found.items()
        if paths
    ]


def _entry(manager: Manager, paths: Iterable[fields.Path], api_version: str, time: str) -> Obj:
    entry = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.encode(paths),
    }
    return entry | {"subresource": manager.subresource} if manager.subresource else entry


def after_update(before: Obj | None, new: Obj, manager: Manager) -> Owners:
    """Whoever changes a field owns it alone from then on."""
    old, now = (fields.owned(_part(obj, manager)) for obj in (before or {}, new))
    changed = {path for path in now if path not in old or old[path] != now[path]}
    touched = changed | (old.keys() - now.keys())
    result = {known: paths - touched for known, paths in owners(before).items()}
    result[manager] = result.get(manager, frozenset()) | changed
    return result


def _part(obj: Obj, manager: Manager) -> Obj:
    """What of an object is looked at: who writes a status changes nothing else."""
    return {key: obj[key] for key in ("status",) if key in obj} if manager.subresource == "status" else obj


def apply(live: Obj | None, config: Obj, manager: Manager, *, force: bool) -> tuple[Obj, Owners]:
    """The object after an apply, and who owns what of it. Raises ApiError (409)."""
    wanted, found = fields.owned(config), owners(live)
    others = {known: paths for known, paths in found.items() if known != manager}
    if live is not None:
        clashes = _clashes(wanted, fields.owned(live), others)
        if clashes and not force:
            raise _conflict(clashes)
        taken = {path for _, path in clashes}
        others = {known: paths - taken for known, paths in others.items()}
    result = fields.merged(live or {}, config)
    kept = set(wanted).union(*others.values())
    result = fields.without(result, found.get(manager, frozenset()) - kept, kept)
    order = dict.fromkeys([*found, manager])
    return result, {known: others.get(known, frozenset(wanted)) for known in order}


def _clashes(
    wanted: dict[fields.Path, Any], live: dict[fields.Path, Any], others: Owners
) -> list[tuple[Manager, fields.Path]]:
    return [
        (known, path)
        for known, paths in others.items()
        for path in sorted(paths & wanted.keys())
        if path not in live or live[path] != wanted[path]
    ]


def _conflict(clashes: list[tuple[Manager, fields.Path]]) -> ApiError:
    causes = [("FieldManagerConflict", f"conflict with {_told(known)}", _dotted(path)) for known, path in clashes]
    which = f"{len(causes)} conflict" + ("s" if len(causes) > 1 else "")
    text = f"Apply failed with {which}: " + "; ".join(f"{message}: {field}" for _, message, field in causes)
    return ApiError(409, text, causes=causes)


def _told(manager: Manager) -> str:
    told = f'"{manager.name}"'
    if manager.subresource:
        told += f' with subresource "{manager.subresource}"'
    return told


def _dotted(path: fields.Path) -> str:
    """`.spec.containers[name="web"].image`"""
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += f".{step[2:]}"
        elif step.startswith("k:"):
            text += "[" + step[3:-1].replace('":', '"=').replace('"', "", 2) + "]"
        else:
            text += f"[={step[2:]}]"
    return text
