"""DORA's four figures of a target, from its releases. Pure.

The definitions are those of DORA's own guide to the four keys (dora.dev/guides/dora-metrics-four-keys), as far as a
controller can see:

figure                           here
-------------------------------  --------------------------------------------------------------------------------
deployment frequency             releases that became live
change lead time                 from the commit to the moment that it was live, the median
change fail rate                 of those with a verdict, the share that was rejected after it was live
failed deployment recovery time  from the moment that a failed one was live to the moment that the target worked
                                 again, the median of those that recovered

A release counts where it became live within the window. One that was superseded while it was live says nothing of
changes that fail; one that never was live says nothing at all. The median of an even number is the middle of the two.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median

from controller.deploys.desk import Dora
from controller.deploys.model import Deed, Verdict


def dora(deeds: Iterable[Deed], window: timedelta, now: datetime) -> Dora:
    """`window` ends at `now`, and both its ends belong to it."""
    live = [(deed, deed.live_at) for deed in deeds if deed.live_at is not None and now - window <= deed.live_at <= now]
    judged = [deed for deed, _ in live if deed.verdict in {Verdict.VERIFIED, Verdict.REJECTED}]
    failed = [deed for deed in judged if deed.verdict is Verdict.REJECTED]
    return Dora(
        window=window,
        deploys=len(live),
        lead_time=_median(since - deed.committed_at for deed, since in live),
        failure_rate=len(failed) / len(judged) if judged else None,
        recovery_time=_median(
            deed.restored_at - since
            for deed, since in live
            if deed.verdict is Verdict.REJECTED and deed.restored_at is not None
        ),
    )


def _median(durations: Iterable[timedelta]) -> timedelta | None:
    known = list(durations)
    return timedelta(seconds=median(one.total_seconds() for one in known)) if known else None
