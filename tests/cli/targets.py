"""Answers of the API about targets, as it makes them."""

from dataclasses import replace

from controller.api.target_schemas import ReleaseOut, TargetOut
from controller.cli.target_seen import Release, Target
from controller.deploys.desk import TargetCard
from controller.deploys.model import Case
from controller.deploys.state import state
from tests.deploys.examples import a_case


def a_card(case: Case | None = None) -> TargetCard:
    """Production: #7 is live and pending, #6 is verified."""
    case = case or a_case()
    stands = state(case)
    return TargetCard(
        "production", "shop", "main", case.seen.url, stands.word, stands.line, case.seen, case.rules, case.wishes
    )


def target_json(case: Case | None = None, **record: object) -> dict[str, object]:
    case = case or a_case()
    case = replace(case, seen=replace(case.seen, record=replace(case.seen.record, **record)))
    return TargetOut.of_card(a_card(case)).model_dump(mode="json")


def releases_json(case: Case | None = None) -> list[dict[str, object]]:
    card = a_card(case)
    kept = reversed(card.seen.record.releases)
    return [ReleaseOut.of_release(card, one).model_dump(mode="json") for one in kept]


def a_target(case: Case | None = None, **record: object) -> Target:
    return Target.model_validate(target_json(case, **record))


def some_releases(case: Case) -> list[Release]:
    return [Release.model_validate(one) for one in releases_json(case)]
