"""What people ask, from their words to what they want now.

words                          decision                  wish
-----------------------------  ------------------------  -----------------------------------
/preview pin until the demo    pin, because …            the clock stands still
/preview extend 2 days         extend, 2 days            not removed for idleness before then
/preview redeploy              redeploy                  a deploy newer than this order
/preview rediploy              none: Misunderstood       the nearest word is suggested
> /preview pin, or in a fence  none                      it quotes somebody
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from controller.common.markdown import code
from controller.common.nouns import short
from controller.previews.model import Decision, Permission, PullRequest, Rules, Verb, Wishes
from smoke.documents import parse_duration

PREFIX = "/preview"
MAX_COMMANDS = 5
"""Of one comment; more are not read."""

HELP = {
    Verb.UP: "bring the preview back after it was removed",
    Verb.DOWN: "remove it until someone says `up`",
    Verb.REDEPLOY: "deploy this revision again, and check it again",
    Verb.RESEED: "the same, with the database made anew from the seed",
    Verb.CHECKS: "run the checks again, or one suite of them: `checks e2e`",
    Verb.EXTEND: "keep it for so long from now, like `extend 2d`",
    Verb.PIN: "stop the clock",
    Verb.UNPIN: "let the clock run again",
    Verb.SLEEP: "stop its processes; the next visit wakes it",
    Verb.WAKE: "start them again",
    Verb.LOGS: "the last lines of its log, or of one service: `logs web`",
    Verb.APPROVE: "let this revision of a fork run: `approve` and the whole revision",
    Verb.HELP: "this list",
}
SUITES = ("smoke", "e2e")
_REVISION = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Request:
    """A command that was understood. `because` is whatever the person wrote behind it."""

    verb: Verb
    argument: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Misunderstood:
    text: str
    """What to answer, in Markdown."""


def read(body: str) -> tuple[Request | Misunderstood, ...]:
    """The commands in a comment: lines that begin with `/preview`, outside quotes and code fences."""
    found: list[Request | Misunderstood] = []
    fenced = False
    for line in body.splitlines():
        stripped = line.strip()
        if stripped.startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and stripped.split(maxsplit=1)[:1] == [PREFIX]:
            found.append(understand(stripped))
    return tuple(found[:MAX_COMMANDS])


def understand(line: str) -> Request | Misunderstood:
    """One command; the leading `/preview` may be left out, and alone it asks for help."""
    words = line.split()
    if words[:1] == [PREFIX]:
        words = words[1:]
    if not words:
        return Request(Verb.HELP)
    name, rest = words[0].lower(), words[1:]
    if name not in HELP:
        nearest = difflib.get_close_matches(name, list(HELP), n=1)
        hint = f"Did you mean `{PREFIX} {nearest[0]}`?" if nearest else f"`{PREFIX} help` lists what there is."
        return Misunderstood(f"{code(f'{PREFIX} {name}', 60)} is not a command. {hint}")
    match Verb(name):
        case Verb.EXTEND:
            return _extend(rest)
        case Verb.LOGS:
            return Request(Verb.LOGS, argument=" ".join(rest[:1]))
        case Verb.CHECKS if rest[:1] and rest[0] in SUITES:
            return Request(Verb.CHECKS, rest[0], " ".join(rest[1:]))
        case Verb.APPROVE:
            return _approve(rest)
        case verb:
            return Request(verb, because=" ".join(rest))


def _extend(rest: list[str]) -> Request | Misunderstood:
    for count in (2, 1):  # `2 days` before `2d`
        try:
            parse_duration(" ".join(rest[:count]))
        except ValueError:
            continue
        return Request(Verb.EXTEND, " ".join(rest[:count]), " ".join(rest[count:]))
    return Misunderstood(f"`{PREFIX} extend` needs to know for how long: `{PREFIX} extend 2d`.")


def _approve(rest: list[str]) -> Request | Misunderstood:
    """Only a whole revision: one with the same first characters can be made on purpose."""
    revision = rest[0].lower() if rest else ""
    if not _REVISION.fullmatch(revision):
        return Misunderstood(f"`{PREFIX} approve` needs the whole revision, all 40 characters of it.")
    return Request(Verb.APPROVE, revision, " ".join(rest[1:]))


def why_not(request: Request, actor: str, permission: Permission, pull: PullRequest | None, rules: Rules) -> str:
    """Why this person may not give this command now, in Markdown; empty where they may.

    An author is only believed to be one where the policy lets authors give it; how they are associated with the
    repository is nothing that GitHub promises about the next minute.
    """
    is_author = pull is not None and pull.author.lower() == actor.lower()
    if not permission.may_write and not (is_author and request.verb in rules.author_may):
        return f"`{PREFIX} {request.verb}` needs write permission in this repository."
    if request.verb is not Verb.APPROVE or pull is None:
        return ""
    if not pull.from_fork:
        return "It does not come from a fork: there is nothing to approve."
    if request.argument != pull.head:
        return f"`{short(request.argument)}` is not the head. Look at `{short(pull.head)}`, then approve that one."
    return ""


def fold(decisions: Iterable[Decision]) -> Wishes:
    """What people want now, from all they decided, in order."""
    wishes = Wishes()
    for decision in decisions:
        wishes = _apply(wishes, decision)
    return wishes


def _apply(wishes: Wishes, decision: Decision) -> Wishes:
    order = decision.order
    if decision.verb not in {Verb.LOGS, Verb.HELP, Verb.APPROVE_REMOVAL}:
        wishes = replace(wishes, last_at=decision.at)
    match decision.verb:
        case Verb.LOGS | Verb.HELP:
            return wishes
        case Verb.DOWN:
            return replace(wishes, down=True, down_by=decision.actor)
        case Verb.UP:
            return replace(wishes, down=False, up_order=order)
        case Verb.REDEPLOY | Verb.RESEED as verb:
            seed = order if verb is Verb.RESEED else wishes.reseed_order
            wishes = replace(wishes, down=False, up_order=order, check_order=order)
            return replace(wishes, deploy_order=order, reseed_order=seed)
        case Verb.CHECKS if decision.argument:
            return replace(wishes, suite_orders={**wishes.suite_orders, decision.argument: order})
        case Verb.CHECKS:
            return replace(wishes, check_order=order)
        case Verb.APPROVE:
            return replace(wishes, approved=wishes.approved | {decision.argument})
        case Verb.EXTEND:
            until = decision.at + _duration(decision.argument)
            return replace(wishes, extended_until=max(until, wishes.extended_until or until))
        case Verb.PIN | Verb.UNPIN as verb:
            return replace(wishes, pinned_by=decision.actor if verb is Verb.PIN else "")
        case Verb.SLEEP:
            return replace(wishes, rest_order=order, resting=True)
        case Verb.WAKE:
            return replace(wishes, rest_order=order, resting=False, up_order=order)
        case Verb.APPROVE_REMOVAL:
            return replace(wishes, removal_approved=order)


def _duration(argument: str) -> timedelta:
    try:
        return parse_duration(argument)
    except ValueError:  # kept by an older version that read it differently
        return timedelta()


def confirm(request: Request) -> str:
    """What to answer a command that was taken."""
    done = {
        Verb.UP: "It comes back.",
        Verb.DOWN: f"It is removed, and stays so until `{PREFIX} up`.",
        Verb.REDEPLOY: "It is deployed again.",
        Verb.RESEED: "It is deployed again on a new database.",
        Verb.CHECKS: f"The {request.argument} checks run again." if request.argument else "The checks run again.",
        Verb.APPROVE: f"`{short(request.argument)}` may run. The next push asks again.",
        Verb.EXTEND: f"It stays for {request.argument} from now at least.",
        Verb.PIN: f"Pinned: idleness does not remove it until `{PREFIX} unpin`.",
        Verb.UNPIN: "The clock runs again.",
        Verb.SLEEP: "It goes to sleep; the next visit wakes it.",
        Verb.WAKE: "It wakes up.",
        Verb.HELP: help_text(),
    }
    return done.get(request.verb, "")


def order_at(moment: datetime) -> int:
    """The order of a decision taken at `moment`: microseconds since 1970."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def help_text() -> str:
    rows = [f"| `{PREFIX} {verb}` | {words} |" for verb, words in HELP.items()]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])
