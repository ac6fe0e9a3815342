"""All that is applied for a release that is made from `services`: what rolls back with it is in it. Pure.

| service | objects |
| --- | --- |
| each | a Deployment of this release's own, `web-r7` |
| with a port | the Service `web`, which selects the pods of one release |
| with a host | an Ingress or HTTPRoute, where the policy has an entrance besides the gateway |

Releases run side by side: the next one's Deployments are there, and available, before the Services lead to them. So
going live and going back are both a change of selectors, and `warm` is a matter of what is not removed.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from controller.adapters.kubernetes import environment, names, render
from controller.adapters.kubernetes.record import Record
from controller.adapters.kubernetes.shapes import Container, Obj, Place, SecretKey, Workload
from controller.adapters.shared.orders import service_host
from controller.settings import Policy

LEAD = frozenset({"Service", "Ingress", "HTTPRoute"})
"""Kinds that lead people to a release: applied last."""
CONFIGURATION = frozenset({"ConfigMap", "Secret", "ServiceAccount"})
"""Kinds that are applied first, as they change nothing."""
_ROLLED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def of_services(
    place: Place, record: Record, url: str, secrets: Mapping[str, SecretKey], deadline: timedelta, policy: Policy
) -> tuple[Obj, ...]:
    """In the order that they start in. Raises Refused."""
    made: list[Obj] = []
    for name in record.order.spec.start_order():
        container = about(environment.of_service(record, name, url, policy.kubernetes), place, secrets)
        workload = Workload(container, record.order.revision, record.deployed)
        made += render.released(place, workload, deadline, policy.kubernetes)
        host = service_host(record.order.spec, record.order.host, name)
        if host and container.port is not None:
            ways = render.entrance(place, name, container.port, f"{host}.{policy.domain}", policy.kubernetes)
            made += [way for way in ways if way["kind"] in LEAD]
    return tuple(made)


def about(container: Container, place: Place, secrets: Mapping[str, SecretKey]) -> Container:
    """With what it should know of where it runs, and the operator's secrets."""
    where = {"MAYFLY_TARGET": place.target, "MAYFLY_RELEASE": str(place.key.number)}
    return replace(container, env={**container.env, **where}, secrets={**container.secrets, **secrets})


def stamped(obj: Obj, number: int) -> Obj:
    """One of the repository's own, as a part of this release."""
    if obj["kind"] not in _ROLLED:
        return obj
    template = obj["spec"]["template"]
    for metadata in (obj["metadata"], template["metadata"]):
        metadata["labels"] = metadata["labels"] | {names.RELEASE: str(number)}
    return obj


def is_workload(obj: Obj) -> bool:
    return obj["kind"] in _ROLLED
