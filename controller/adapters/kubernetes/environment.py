"""What the containers of a preview get to see, and the containers themselves. Pure."""

from collections.abc import Mapping

from controller.adapters.kubernetes.record import Record
from controller.adapters.kubernetes.shapes import Container, SecretKey
from controller.common.spec import ServiceSpec, fill
from controller.errors import Refused
from controller.settings import Kubernetes

URL = "url"
"""The key of a database's URL in its Secret."""


def values(record: Record, url: str, port: int | None = None) -> dict[str, str]:
    """What `{…}` stands for in commands, images and variables."""
    known = {"sha": record.order.revision, "number": str(record.key.number), "url": url, "host": "0.0.0.0"}  # noqa: S104 - of a pod of its own
    return known | ({"port": str(port)} if port is not None else {})


def about(record: Record, url: str) -> dict[str, str]:
    return {
        "HOME": "/tmp",  # noqa: S108 - an empty folder of the pod's own
        "MAYFLY_URL": url,
        "MAYFLY_NUMBER": str(record.key.number),
        "MAYFLY_SHA": record.order.revision,
    }


def database(record: Record) -> dict[str, SecretKey]:
    postgres = record.order.spec.postgres
    return {postgres.env: SecretKey(record.database_secret, URL)} if postgres and record.database_secret else {}


def images(record: Record, url: str) -> tuple[str, ...]:
    """Every image that the repository names for this revision."""
    known = values(record, url)
    spec = record.order.spec
    named = [service.image for service in spec.services.values()]
    named += [check.command.image for checks in spec.checks.suites().values() for check in checks if check.command]
    named.append(spec.postgres.image if spec.postgres else None)
    return tuple(dict.fromkeys(fill(image, known) for image in named if image))


def image(record: Record, service: ServiceSpec | None, url: str, kubernetes: Kubernetes) -> str:
    """The service's own, pinned to the digest it was found under, or the operator's runner. Raises Refused."""
    if service is not None and service.image is not None:
        named = fill(service.image, values(record, url))
        return record.images.get(named, named)
    if kubernetes.images.runner is None:
        raise Refused("there is a `command` without an `image`, and the policy names no `images.runner` to run it in")
    return kubernetes.images.runner


def main_service(record: Record) -> ServiceSpec | None:
    """Whose image the seed and the migration run in: the main service's, else the first that has one."""
    services = record.order.spec.services
    with_image = [name for name, service in services.items() if service.image is not None]
    main = record.order.spec.main_service
    return services[main if main in with_image else with_image[0]] if with_image else None


def of_service(record: Record, name: str, url: str, kubernetes: Kubernetes) -> Container:
    """Where the service listens, where the others do (`WEB_URL`), the database, and what the spec says on top."""
    spec = record.order.spec
    service, port = spec.services[name], spec.services[name].port
    others = {
        f"{other.upper().replace('-', '_')}_URL": f"http://{other}:{one.port}"
        for other, one in spec.services.items()
        if one.port is not None
    }
    known = values(record, url, port)
    listening = {"PORT": str(port), "HOST": known["host"]} if port is not None else {}
    build = service.build.command if service.build and service.image is None else ()
    return Container(
        name=name,
        image=image(record, service, url, kubernetes),
        command=tuple(fill(word, known) for word in service.command or ()),
        env=others | about(record, url) | listening | {key: fill(text, known) for key, text in service.env.items()},
        secrets={key: value for key, value in database(record).items() if key not in service.env},
        port=port,
        health=service.health,
        memory=service.resources.memory,
        cpu=service.resources.cpu,
        source=record.sources.get("all", "") if service.image is None else "",
        build=tuple(fill(word, known) for word in build),
    )


def of_command(
    record: Record, command: tuple[str, ...], url: str, kubernetes: Kubernetes, secrets: Mapping[str, SecretKey]
) -> Container:
    """A seed or a migration: in the main service's image, or in the runner on a checkout."""
    service = main_service(record)
    return Container(
        name="run",
        image=image(record, service, url, kubernetes),
        command=tuple(fill(word, values(record, url)) for word in command),
        env=about(record, url),
        secrets=secrets,
        memory=kubernetes_memory(record),
        source="" if service is not None else record.sources.get("all", ""),
    )


def kubernetes_memory(record: Record) -> int:
    """Bytes for a seed or a migration: as much as the largest service has."""
    return max(service.resources.memory for service in record.order.spec.services.values())


def needs_checkout(record: Record) -> bool:
    """Whether anything runs on a checkout of the repository."""
    spec, without_image = record.order.spec, main_service(record) is None
    services = any(service.command is not None and service.image is None for service in spec.services.values())
    checks = [check.command for suite in spec.checks.suites().values() for check in suite if check.command]
    seed_command = spec.postgres is not None and spec.postgres.seed is not None and not spec.files()
    migrates = spec.postgres is not None and (spec.postgres.migrate is not None or seed_command)
    return services or any(check.image is None for check in checks) or (migrates and without_image)
