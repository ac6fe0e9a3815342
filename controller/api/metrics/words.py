"""Labels have few values: a word that is not known counts as `other`."""

from collections.abc import Iterable

OTHER = "other"
OUTCOMES = ("passed", "failed", "broken")
"""Of checks and of probes."""


def known(word: str, words: Iterable[str]) -> str:
    return word if word in words else OTHER
