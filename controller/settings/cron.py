"""Cron lines, read as APScheduler does, in UTC. What it is written without types for stays in here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from statistics import median_high

_EXAMPLE = "`*/5 8-18 * * mon-fri`"
_SOME_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
_RUNS = 60


def runs(line: str, after: datetime) -> Iterator[datetime]:
    """Later than `after`, one by one; none where it never comes. Raises ValueError where it is no such line."""
    # 50 ms that only those pay who use it; and it has no types.
    from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]  # noqa: PLC0415

    fields = line.split()
    if len(fields) == 5 and any(sign.isdigit() for sign in fields[4]):
        raise ValueError(f"{line!r}: write days of the week by name, {_EXAMPLE}; their numbers mean two things")
    try:
        trigger = CronTrigger.from_crontab(line, timezone=UTC)
    except ValueError as error:
        raise ValueError(f"{line!r} is no cron line, like {_EXAMPLE}: {error}") from error
    following: datetime | None = after
    while following is not None:
        following = trigger.get_next_fire_time(following, following + timedelta(microseconds=1))
        if following is not None:
            yield following


@lru_cache(maxsize=1000)
def pace(line: str) -> timedelta:
    """The usual time between two runs. Raises ValueError where it is no such line, or never comes."""
    times = list(islice(runs(line, _SOME_MONDAY), _RUNS))
    if len(times) < 2:
        raise ValueError(f"{line!r} never comes")
    return median_high(later - sooner for sooner, later in pairwise(times))
