"""Which checks run together in one Job, so that all Jobs end at about the same time. Pure.

The longest group first, each to the shard that has the least to do so far: never more than 4/3 of the best there is
(Graham, "Bounds on multiprocessing timing anomalies", 1969). Checks that run `after` each other are one group.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from statistics import median

from smoke.spec import Check

_UNKNOWN = timedelta(seconds=1)


def balance(checks: Sequence[Check], times: Mapping[str, timedelta], shards: int) -> tuple[tuple[Check, ...], ...]:
    """At most `shards` of them, none empty, each in the order of `checks`; the same for the same arguments.

    `times`: how long each check took before, by its name. One that is not known counts as the median of the others.
    """
    usual = _usual([times[check.name] for check in checks if check.name in times])
    groups = [(sum((times.get(check.name, usual) for check in group), timedelta()), group) for group in _groups(checks)]
    count = min(shards, len(groups))
    loads = [(timedelta(), 0, number) for number in range(count)]
    places: list[set[str]] = [set() for _ in range(count)]
    for load, group in sorted(groups, key=lambda item: item[0], reverse=True):
        known, members, number = min(loads)  # of two that have as little to do, the one with fewer groups
        loads[number] = (known + load, members + 1, number)
        places[number] |= {check.name for check in group}
    return tuple(tuple(check for check in checks if check.name in names) for names in places)


def _usual(times: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(time.total_seconds() for time in times)) if times else _UNKNOWN


def _groups(checks: Sequence[Check]) -> list[list[Check]]:
    """Checks that wait for each other, over however many others; in the order of their first."""
    group_of: dict[str, list[Check]] = {check.name: [check] for check in checks}
    for check in checks:
        for other in check.after:
            mine, others = group_of[check.name], group_of[other]
            if mine is not others:
                mine += others
                group_of |= dict.fromkeys((member.name for member in others), mine)
    unique = {id(group): group for group in group_of.values()}
    return list(unique.values())
