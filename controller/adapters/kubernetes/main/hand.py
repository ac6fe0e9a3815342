"""One release of a target, as those who make previews handle a preview: the same steps bring both about."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.api import DEPLOYMENT, NAMESPACE, STATEFUL_SET, Kind
from controller.adapters.kubernetes.cell import Cell
from controller.adapters.kubernetes.main.main import Main
from controller.adapters.kubernetes.main.state import Kept
from controller.adapters.kubernetes.record import Record
from controller.adapters.kubernetes.shapes import Obj, Place, SecretKey
from controller.adapters.shared.orders import Aim, Order
from controller.adapters.shared.words import redact
from controller.common.nouns import Phase, PreviewKey
from controller.common.spec import Checks, Spec
from controller.deploys.model import Release
from controller.errors import Unavailable


class Hand(Cell):
    """Its Deployments are those of this release alone; all else is the target's."""

    def __init__(self, main: Main, namespace: Obj, known: Record, kept: Kept | None) -> None:
        self.main, self.values = main, _values(kept)
        self.secrets_of_operator = _secrets(kept)
        """By variable."""
        main.hands.add(self)
        super().__init__(main.means, namespace, known, lambda _: main.changed())

    @property
    def number(self) -> int:
        return self.record.deployed

    @property
    def place(self) -> Place:
        return self.main.place_of(self.number)

    @property
    def leaving(self) -> bool:
        return self.main.record.release(self.number) is None

    def objects(self, kind: Kind, **labels: str) -> list[Obj]:
        found = super().objects(kind, **labels)
        if kind not in {DEPLOYMENT, STATEFUL_SET}:
            return found
        return [one for one in found if one["metadata"]["labels"].get(names.RELEASE) == str(self.number)]

    async def save(self, known: Record) -> None:
        self.record = known
        await self.main.change(lambda state: state.noting(known))

    async def confirm(self) -> None:
        await self.main.confirm()

    def redact(self, text: str) -> str:
        return redact(super().redact(text), self.values)

    def recall(self) -> None:
        """What is known of the database by now."""
        state = self.main.state
        database = {"database_secret": state.database_secret, "server_pod": state.server_pod, "seeded": state.seeded}
        self.record = replace(self.record, **database)  # type: ignore[arg-type]  # all of them are texts


async def hand(main: Main, release: Release, kept: Kept | None) -> Hand:
    """Raises Unavailable while its namespace is not there."""
    namespace = await main.means.api.get(NAMESPACE, main.namespace)
    if namespace is None:
        raise Unavailable(f"the namespace {main.namespace} is gone")
    return Hand(main, namespace, _known(main, release, kept), kept)


def _known(main: Main, release: Release, kept: Kept | None) -> Record:
    state = main.state
    return Record(
        key=PreviewKey(main.target.repository, release.number),
        order=Order(release.revision, spec(release), main.target.name, release.number),
        aim=Aim.RUN,
        phase=Phase.READY,
        phase_since=datetime.now(UTC),
        deployed=release.number,
        images=dict(kept.images) if kept else {},
        sources=dict(kept.sources) if kept else {},
        database_secret=state.database_secret,
        server_pod=state.server_pod,
        seeded=state.seeded,
    )


def spec(release: Release) -> Spec:
    """As it is applied: with the operator's configuration, and the checks that are the target's."""
    services = {
        name: service.model_copy(update={"env": {**service.env, **release.env}})
        for name, service in release.spec.services.items()
    }
    checks = Checks(smoke=list(release.checks), shards=release.spec.checks.shards)
    return release.spec.model_copy(update={"services": services, "checks": checks})


def secret_values(secret: Obj | None) -> tuple[str, ...]:
    """To be taken out of what people read."""
    return tuple(b64decode(value).decode() for value in (secret or {}).get("data", {}).values())


def _values(kept: Kept | None) -> tuple[str, ...]:
    return secret_values(_environment(kept)) if kept else ()


def _secrets(kept: Kept | None) -> Mapping[str, SecretKey]:
    found = _environment(kept) if kept else None
    return {variable: SecretKey(found["metadata"]["name"], variable) for variable in found["data"]} if found else {}


def _environment(kept: Kept) -> Obj | None:
    """The Secret with the operator's secrets."""
    return next((one for one in kept.objects if names.identity(one) == f"v1/Secret/{kept.environment}"), None)
