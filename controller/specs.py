"""Specs by revision, and what the policy or the platform has against one."""

from collections import OrderedDict
from weakref import WeakValueDictionary

import structlog

from controller.common import images
from controller.common.spec import FILE, SeedCommand, Spec, SpecProblem, parse
from controller.errors import MayflyError
from controller.ports import Forge
from controller.settings import Allowed, Kubernetes
from smoke.documents import MAX_BYTES, DocumentError

log = structlog.get_logger()
SPECS_KEPT = 2_000
"""About 12 KB each. Fewer than there are open pull requests, and every round would read them all again."""


class Specs:
    """Specs by revision. A revision never changes, so each is read once; what could not be read is tried again."""

    def __init__(self, forge: Forge, allowed: Allowed, kubernetes: Kubernetes | None = None) -> None:
        self._forge = forge
        self._allowed = allowed
        self._kubernetes = kubernetes
        self._known: OrderedDict[tuple[str, str], Spec | SpecProblem] = OrderedDict()
        self._alike: WeakValueDictionary[bytes, Spec] = WeakValueDictionary()
        """By what is written: most pull requests leave it as it is, and share one."""

    async def of(self, repo: str, revision: str) -> Spec | SpecProblem | None:
        """None where the forge could not say; that is for another round."""
        at = (repo, revision)
        if at not in self._known:
            try:
                self._known[at] = await self._read(*at)
            except MayflyError as error:
                log.warning("the spec could not be read", repository=repo, revision=revision, reason=error.reason)
                return None
            if len(self._known) > SPECS_KEPT:
                self._known.popitem(last=False)
        return self._known[at]

    async def _read(self, repo: str, revision: str) -> Spec | SpecProblem:
        source = await self._forge.read_file(repo, revision, FILE, MAX_BYTES)
        if source is None:
            return SpecProblem(f"There is no {FILE} at {revision[:7]}. `mayfly init` writes one.", absent=True)
        try:
            spec = self._alike.get(source) or parse(source, revision)
        except DocumentError as error:
            return SpecProblem(str(error))
        self._alike[source] = spec
        for path in spec.files():
            if await self._forge.read_file(repo, revision, path, 0) is None:
                return SpecProblem(
                    f"{FILE} at {revision[:7]} names {path}, which is not a file there (a link is none)."
                )
        if refused := why_refused(spec, self._allowed, self._kubernetes):
            return SpecProblem(f"{FILE} at {revision[:7]}: {refused}")
        return spec


def why_refused(spec: Spec, allowed: Allowed, kubernetes: Kubernetes | None = None) -> str:
    """What the policy does not allow of a spec, or the platform cannot do; empty where all is well.

    `kubernetes` is None on the embedded platform.
    """
    if refused := _not_allowed(spec, allowed):
        return refused
    return _not_local(spec) if kubernetes is None else _not_on_a_cluster(spec, kubernetes)


def _not_allowed(spec: Spec, allowed: Allowed) -> str:
    if len(spec.services) > allowed.services:
        return f"it has {len(spec.services)} services; the policy allows {allowed.services}"
    for name, service in spec.services.items():
        if service.build is not None and not allowed.build:
            return f"service `{name}` has a `build`, which the policy does not allow"
        if service.resources.memory > allowed.memory:
            return f"service `{name}` asks for more memory than the policy allows ({allowed.memory:,} bytes)"
    kinds = {check.kind for checks in spec.checks.suites().values() for check in checks}
    if "command" in kinds and not allowed.command_checks:
        return "it has `command` checks, which the policy does not allow"
    if "browser" in kinds and not allowed.browser_checks:
        return "it has `browser` checks, which the policy does not allow"
    return ""


def _not_local(spec: Spec) -> str:
    if spec.deploy is not None:
        return "it has a `deploy`; this platform applies no manifests"
    for name, service in spec.services.items():
        if service.command is None:
            return f"service `{name}` has no `command`; this platform does not run images"
    if named := _images_of_checks(spec):
        return f"check `{next(iter(named))}` has an `image`; this platform does not run images"
    if spec.postgres is not None and spec.postgres.image is not None and spec.postgres.seed is None:
        return "the database is an `image` without a `seed`; this platform does not run images"
    return ""


def _not_on_a_cluster(spec: Spec, kubernetes: Kubernetes) -> str:
    if spec.deploy is not None and not kubernetes.manifests:
        return "it has a `deploy`, which the policy does not allow (`kubernetes.manifests`)"
    for what, image in _images(spec):
        if refused := images.why_not(image, kubernetes.registries):
            return f"{what}: {refused}"
    if kubernetes.images.runner is None and (homeless := _without_image(spec)):
        return f"{homeless} has a `command` and no `image`, and the policy names none (`kubernetes.images.runner`)"
    postgres = spec.postgres
    if postgres and postgres.image and postgres.seed is None and kubernetes.databases.isolation == "server":
        return "the database is an `image` without a `seed`; here one server has all databases, and needs a `seed`"
    return ""


def _images(spec: Spec) -> list[tuple[str, str]]:
    """Every image that a spec names, after what it is for."""
    services = [(f"service `{name}`", service.image) for name, service in spec.services.items()]
    checks = [(f"check `{name}`", image) for name, image in _images_of_checks(spec).items()]
    database = [("the database", spec.postgres.image if spec.postgres else None)]
    return [(what, image) for what, image in (*services, *checks, *database) if image is not None]


def _images_of_checks(spec: Spec) -> dict[str, str]:
    """By check."""
    checks = [check for suite in spec.checks.suites().values() for check in suite]
    return {check.name: check.command.image for check in checks if check.command and check.command.image is not None}


def _without_image(spec: Spec) -> str:
    """The first thing that runs a command in a checkout, without saying in which image. Empty where nothing does.

    A migration and a seed run in the image of a service, where one has any. Where a repository brings manifests, its
    services run what stands there.
    """
    for name, service in spec.services.items():
        if spec.deploy is None and service.image is None:
            return f"service `{name}`"
    if spec.postgres is None or any(service.image is not None for service in spec.services.values()):
        return ""
    if spec.postgres.migrate is not None:
        return "`migrate`"
    return "`seed`" if isinstance(spec.postgres.seed, SeedCommand) else ""
