"""What processes of previews and releases get to see: only what is written here, nothing of the controller's. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.adapters.local.store import Record
from controller.common.spec import ServiceSpec, Spec, fill

HOST = "127.0.0.1"
"""Where services listen: only the gateway leads there."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to tell. `known` is what `{…}` stands for in commands and variables, `told` goes to every service,
    `env` is on top of what the spec says, and `secrets` too: those no build gets to see."""

    spec: Spec
    known: Mapping[str, str]
    told: Mapping[str, str]
    ports: Mapping[str, int]
    database_url: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


def of_preview(record: Record, url: str) -> Facts:
    revision, number = record.order.revision, str(record.key.number)
    known = {"sha": revision, "number": number, "url": url, "host": HOST}
    told = {"MAYFLY_URL": url, "MAYFLY_NUMBER": number, "MAYFLY_SHA": revision}
    return Facts(record.order.spec, known, told, record.ports, record.database_url)


def base(path: str, folder: Path) -> dict[str, str]:
    """For everything that runs. `path` is the policy's; HOME and TMPDIR are in the folder."""
    return {
        "PATH": path,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
    }


def values(facts: Facts, port: int | None) -> dict[str, str]:
    """What `{…}` stands for where a service listens on the port."""
    return {**facts.known, **({"port": str(port)} if port is not None else {})}


def database(facts: Facts) -> dict[str, str]:
    postgres = facts.spec.postgres
    return {postgres.env: facts.database_url} if postgres and facts.database_url else {}


def of_build(facts: Facts, service: ServiceSpec) -> dict[str, str]:
    """Those of the service that can be known before it has a port. They decide the build, as its inputs do."""
    said = {name: fill(text, facts.known) for name, text in service.env.items() if "{port}" not in text}
    return {**said, **facts.env}


def of_job(facts: Facts) -> dict[str, str]:
    """For a migration, or what undoes one."""
    return {**facts.told, **database(facts), **facts.env, **facts.secrets}


def of_service(facts: Facts, name: str) -> dict[str, str]:
    """Where the service listens, where the others do (`WEB_URL`), the database, and what the spec says on top."""
    service, port = facts.spec.services[name], facts.ports.get(name)
    others = {
        f"{other.upper().replace('-', '_')}_URL": f"http://127.0.0.1:{number}" for other, number in facts.ports.items()
    }
    listening = {"PORT": str(port), "HOST": HOST} if port is not None else {}
    known = values(facts, port)
    said = {key: fill(text, known) for key, text in service.env.items()}
    return {**others, **facts.told, **listening, **database(facts), **said, **facts.env, **facts.secrets}


def command(argv: tuple[str, ...], known: Mapping[str, str]) -> tuple[str, ...]:
    """Filled after it was split, so that no value becomes a second word."""
    return tuple(fill(word, known) for word in argv)
