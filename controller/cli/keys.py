"""What a person calls a preview: `7`, `repo#7`, or its branch. Pure."""

import difflib
import re
from collections.abc import Sequence

from controller.cli.console import Failure
from controller.cli.seen import Card


def pick(key: str, cards: Sequence[Card]) -> Card:
    """Raises Failure with the nearest name where it is none, or more than one."""
    found = [card for card in cards if _is(key, card)]
    if not found and (folded := [card for card in cards if card.branch.casefold() == key.casefold()]):
        found = folded
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise Failure(f"`{key}` is more than one: say which, {_list([card.key for card in found])}")
    raise Failure(f"there is no preview `{key}`. {_advice(key, cards)}")


def _is(key: str, card: Card) -> bool:
    if card.branch == key:
        return True
    match = re.fullmatch(r"(?:(.*)#)?(\d{1,9})", key)
    return match is not None and int(match[2]) == card.number and match[1] in {None, "", card.repo}


def _advice(key: str, cards: Sequence[Card]) -> str:
    known = [name for card in cards for name in (card.branch, card.key) if name]
    if near := difflib.get_close_matches(key, known, n=1, cutoff=0.5):
        return f"Did you mean `{near[0]}`?"
    if cards:
        return f"There are {_list([card.key for card in cards[:10]])}."
    return "There are none yet: `git push preview my-branch` makes one."


def _list(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
