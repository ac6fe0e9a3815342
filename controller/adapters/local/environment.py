"""What the processes of a preview get to see: only what is written here, nothing of the controller's. Pure."""

from collections.abc import Mapping
from pathlib import Path

from controller.adapters.local.store import Record
from controller.common.spec import ServiceSpec, fill

HOST = "127.0.0.1"
"""Where services listen: only the gateway leads there."""


def values(record: Record, url: str, port: int | None = None) -> dict[str, str]:
    """What `{…}` stands for in commands and variables."""
    known = {"sha": record.order.revision, "number": str(record.key.number), "url": url, "host": HOST}
    return known | ({"port": str(port)} if port is not None else {})


def base(path: str, folder: Path) -> dict[str, str]:
    """For everything that runs for a preview. `path` is the policy's; HOME and TMPDIR are in the preview's folder."""
    return {
        "PATH": path,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
    }


def about(record: Record, url: str) -> dict[str, str]:
    return {
        "MAYFLY_URL": url,
        "MAYFLY_NUMBER": str(record.key.number),
        "MAYFLY_SHA": record.order.revision,
    }


def database(record: Record) -> dict[str, str]:
    postgres = record.order.spec.postgres
    return {postgres.env: record.database_url} if postgres and record.database_url else {}


def of_build(service: ServiceSpec, known: Mapping[str, str]) -> dict[str, str]:
    """Those of the service that can be known before it has a port. They decide the build, as its inputs do."""
    return {name: fill(text, known) for name, text in service.env.items() if "{port}" not in text}


def of_service(record: Record, name: str, url: str) -> dict[str, str]:
    """Where the service listens, where the others do (`WEB_URL`), the database, and what the spec says on top."""
    service, port = record.order.spec.services[name], record.ports.get(name)
    others = {
        f"{other.upper().replace('-', '_')}_URL": f"http://127.0.0.1:{number}" for other, number in record.ports.items()
    }
    listening = {"PORT": str(port), "HOST": HOST} if port is not None else {}
    known = values(record, url, port)
    said = {key: fill(text, known) for key, text in service.env.items()}
    return others | about(record, url) | listening | database(record) | said


def command(argv: tuple[str, ...], known: Mapping[str, str]) -> tuple[str, ...]:
    """Filled after it was split, so that no value becomes a second word."""
    return tuple(fill(word, known) for word in argv)
