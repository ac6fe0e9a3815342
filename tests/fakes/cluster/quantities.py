"""`512Mi`, `100m`: what a ResourceQuota and a LimitRange count in. Pure."""

import re
from fractions import Fraction

_UNITS = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000)}
_UNITS |= {name: Fraction(1000) ** power for power, name in enumerate("MGTPE", 2)}
_UNITS |= {f"{name}i": Fraction(1024) ** power for power, name in enumerate("KMGTPE", 1)}


def quantity(text: object) -> Fraction:
    """Raises ValueError."""
    found = re.match(r"^([+-]?[0-9.]+(?:[eE][0-9]+)?)([a-zA-Z]*)$", str(text))
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"{text} is no quantity")
    return Fraction(found[1]) * _UNITS[found[2]]


def written(amount: Fraction) -> str:
    if amount.denominator != 1:
        return f"{int(amount * 1000)}m"
    for unit in ("Gi", "Mi", "Ki"):
        if amount and amount % _UNITS[unit] == 0:
            return f"{amount / _UNITS[unit]}{unit}"
    return str(amount)
