"""What people decided about a target, from all their decisions to what they want now."""

from collections.abc import Iterable
from dataclasses import replace

from controller.deploys.model import Decision, Verb, Wishes


def wishes(decisions: Iterable[Decision]) -> Wishes:
    """`decisions` in order; the latest of each verb counts."""
    folded = Wishes()
    for decision in decisions:
        match decision.verb:
            case Verb.HOLD:
                folded = replace(folded, held=decision)
            case Verb.RELEASE:
                folded = replace(folded, released=decision)
            case Verb.ROLLBACK:
                folded = replace(folded, rollback=decision)
            case Verb.REDEPLOY:
                folded = replace(folded, redeploy=decision)
    return folded


def why_held(wanted: Wishes) -> str:
    """Who holds it, and why; empty where nobody does."""
    held = wanted.held
    if held is None or (wanted.released is not None and wanted.released.order > held.order):
        return ""
    return f"held by {held.actor}: {held.because}"
