"""What the platform says of a target, from what is written down and what the cluster has. Changes nothing."""

from controller.adapters.kubernetes import names, results, services, view
from controller.adapters.kubernetes.api import JOB
from controller.adapters.kubernetes.main.hand import Hand
from controller.adapters.kubernetes.main.main import Main
from controller.adapters.kubernetes.shapes import Obj
from controller.common.nouns import CheckJob, Phase, PreviewKey, Route, Service
from controller.deploys.model import Making, MakingState, Rollout, RolloutState, Seen


async def seen(main: Main, live: Hand | None, making: Hand | None, url: str) -> Seen:
    """Of what was just read. `live` and `making`: the releases that are worked on."""
    if not main.version:
        return Seen(main.record, "")
    mine = live if live is not None and live.number == main.record.live else None
    return Seen(
        main.record,
        main.version,
        makings=await _makings(main, making),
        rollout=_rollout(main, mine),
        jobs=jobs(main),
        services=_services(mine),
        migrated=frozenset(main.state.migrated),
        url=url,
    )


async def _makings(main: Main, making: Hand | None) -> dict[int, Making]:
    known = {release.number: main.state.failed.get(release.number) for release in main.record.releases}
    found = {number: failed for number, failed in known.items() if failed is not None}
    for number in known.keys() - found.keys():
        if (kept := await main.kept(number) if number in main.state.begun else None) is not None:
            found[number] = Making(MakingState.DONE, steps=kept.steps, digest=kept.digest)
        elif making is not None and making.number == number:
            found[number] = Making(MakingState.RUNNING, making.record.reason, steps=making.record.steps)
    return dict(sorted(found.items()))


def _rollout(main: Main, live: Hand | None) -> Rollout | None:
    number = main.record.live
    if not number:
        return None
    if main.rollout is not None and main.rollout.release == number:
        return main.rollout
    return Rollout(number, RolloutState.PROGRESSING, live.record.reason if live else "it is not made yet")


def jobs(main: Main) -> tuple[CheckJob, ...]:
    found = main.means.cache.of(JOB, main.namespace)
    return results.jobs_of([job for job in found if _is_check(job)])


def _is_check(job: Obj) -> bool:
    return bool(job["metadata"].get("labels", {}).get(names.TASK) == "check")


def _services(live: Hand | None) -> tuple[Service, ...]:
    return tuple(view.service(live, name) for name in live.record.order.spec.services) if live else ()


def route(serving: Hand, name: str, repository: str) -> Route:
    """From memory alone."""
    crashed, trouble = services.why_crashed(serving)
    phase = Phase.FAILED if crashed is not None else Phase.READY
    reason = serving.redact(trouble.reason) if trouble is not None else ""
    return Route(PreviewKey(repository, 0), name, phase, serving.addresses.get(name), reason)
