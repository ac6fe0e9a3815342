"""What became of something that was asked of a target. Pure: from the target before, and as it is now.

rollback   it was taken up, and is not over         it goes on
           what was restored works                  it holds
           it does not                              it failed
redeploy   a release came of it, without a verdict  it goes on
           verified                                 it holds
           rejected, or superseded                  it failed
either     the target stopped instead               it failed, with what can be said
           it was dismissed                         it failed
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.cli.target_seen import Release, Stop, Target

DISMISSED = "It was not carried out any more: `mayfly releases {name}` shows what is there."


@dataclass(frozen=True, slots=True)
class Ending:
    held: bool
    text: str


def after_rollback(before: Target, now: Target) -> Ending | None:
    """None while it goes on."""
    if now.order == before.order:
        return None
    back = now.rollback
    if back is not None and back.order == now.order:
        if back.restored is None:
            return None
        return Ending(back.restored, _stopped(now.stop) if now.stop and not back.restored else back.outcome)
    return Ending(False, _stopped(now.stop) if now.stop else DISMISSED.format(name=now.name))


def after_redeploy(before: Target, now: Target, releases: Sequence[Release]) -> Ending | None:
    """None while it goes on."""
    if now.order == before.order:
        return None
    made = min((one for one in releases if one.number > before.newest), key=lambda one: one.number, default=None)
    if now.stop:
        return Ending(False, _stopped(now.stop))
    if made is None:
        return Ending(False, DISMISSED.format(name=now.name))
    if made.verdict == "pending":
        return None
    return Ending(made.verdict == "verified", f"#{made.number} {made.line}")


def _stopped(stop: Stop) -> str:
    said = f"Stopped: {stop.because}"
    return f"{said}\nYou can say:\n" + "\n".join(f"  {command}" for command in stop.commands) if stop.commands else said
