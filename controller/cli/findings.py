"""What `mayfly doctor` says of one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is `ok`, `missing` (Mayfly does not work without it) or `absent` (something else does not)."""

    what: str
    state: str
    seen: str
    advice: str = ""
