"""Answers of the API, as it makes them."""

from dataclasses import replace

from controller.api.schemas import PreviewOut
from controller.cli.seen import Card
from controller.common.nouns import PreviewKey
from tests.fakes.desk import READY, example_cards
from tests.fakes.examples import NOON

EXAMPLES = {card.key: card for card in example_cards(NOON)}


def card_json(like: PreviewKey = READY, *, repo: str = "", number: int = 0, branch: str = "") -> dict[str, object]:
    """What the API says of an example, under another name."""
    card = EXAMPLES[like]
    key = PreviewKey(repo or card.key.repo, number or card.key.number)
    pull = replace(card.pull, key=key, branch=branch or card.pull.branch) if card.pull else None
    return PreviewOut.of_card(replace(card, key=key, pull=pull)).model_dump(mode="json")


def a_card(like: PreviewKey = READY, *, repo: str = "", number: int = 0, branch: str = "") -> Card:
    return Card.model_validate(card_json(like, repo=repo, number=number, branch=branch))
