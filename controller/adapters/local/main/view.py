"""What is said about a target, made from what is kept and what runs. Nothing here changes anything."""

from controller.adapters.local import view
from controller.adapters.local.main.site import ReleaseCrew, Site
from controller.adapters.shared.orders import service_host
from controller.common.nouns import Phase, PreviewKey, Route, Service, ServiceState
from controller.deploys.model import RolloutState, Seen


def seen(site: Site, url: str) -> Seen:
    kept, live = site.kept, site.live
    if not kept.version:
        return Seen(kept.record, "")
    return Seen(
        record=kept.record,
        version=site.version,
        makings=kept.makings,
        rollout=kept.rollout,
        jobs=kept.jobs,
        services=tuple(_service(site, live, name) for name in live.spec.services) if live is not None else (),
        migrated=kept.changed,
        url=url,
    )


def hosts(site: Site) -> dict[str, str]:
    """Services by their host labels: of the release that serves, else of the one that is to."""
    crew = site.serving or site.live
    if crew is None:
        return {}
    found = ((service_host(crew.spec, site.target.name, name), name) for name in crew.spec.services)
    return {host: name for host, name in found if host}


def route(site: Site, name: str) -> Route:
    """From memory alone: what was healthy when it was last looked at."""
    key, crew, rollout = PreviewKey(site.target.repository, 0), site.serving, site.kept.rollout
    if crew is not None:
        port = crew.ports.get(name)
        address = ("127.0.0.1", port) if port and name in crew.healthy else None
        return Route(key, name, Phase.READY, address)
    if rollout is not None and rollout.state is RolloutState.FAILED:
        return Route(key, name, Phase.FAILED, None, rollout.message)
    return Route(key, name, Phase.STARTING, None, step=rollout.message if rollout else "")


def _service(site: Site, crew: ReleaseCrew, name: str) -> Service:
    host = service_host(crew.spec, site.target.name, name)
    if site.failed:
        return Service(name, ServiceState.STOPPED, host)
    return view.running(crew, name, host)
