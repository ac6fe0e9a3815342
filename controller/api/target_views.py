"""What the pages and the API say of a target: pure functions from its card to words, tones and shapes."""

from dataclasses import dataclass
from datetime import timedelta

from controller.common.nouns import CheckJob, Step, short
from controller.deploys.back import can_go_back_to, last_good
from controller.deploys.desk import Dora, TargetCard
from controller.deploys.fate import Fate, Stage, fate, runs_of
from controller.deploys.model import Case, Release, Verb
from controller.deploys.wishes import why_held
from smoke.documents import format_duration

TONES = {
    "deploying": "busy",
    "checking": "busy",
    "soaking": "busy",
    "verified": "good",
    "rolling-back": "warn",
    "restored": "warn",
    "stopped": "bad",
    "held": "warn",
}
"""By the target's state; an empty one is at rest."""
STAGE_TONES = {
    Stage.MAKING: "busy",
    Stage.ROLLOUT: "busy",
    Stage.CHECKING: "busy",
    Stage.UNKNOWN: "warn",
    Stage.SOAKING: "busy",
    Stage.VERIFIED: "good",
    Stage.RETIRED: "rest",
    Stage.RESTORING: "busy",
    Stage.NOT_RESTORED: "bad",
    Stage.SUPERSEDED: "rest",
    Stage.NOT_MADE: "bad",
    Stage.BAD: "bad",
    Stage.ROLLED_BACK: "bad",
}
UNKNOWN = "not yet"
"""A figure that nothing is known of."""


@dataclass(frozen=True, slots=True)
class Row:
    """One release in the list."""

    release: Release
    fate: Fate
    tone: str
    durations: str
    """`live 2 min after the commit, verified 40 s later`."""


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: str
    meaning: str


def case_of(card: TargetCard) -> Case:
    return Case(card.name, card.seen, card.rules, None, card.wishes, card.probed)


def tone(card: TargetCard) -> str:
    return TONES.get(card.state, "rest")


def headline(card: TargetCard) -> str:
    """Without the state, which stands beside it."""
    return card.headline.removeprefix(f"{card.state}: ")


def haystack(card: TargetCard) -> str:
    """What a filter looks through."""
    return " ".join((card.name, card.repository, card.branch, card.state, card.headline)).lower()


def rows(card: TargetCard) -> list[Row]:
    """Newest first."""
    case = case_of(card)
    became = [(release, fate(case, release)) for release in reversed(card.seen.record.releases)]
    return [Row(release, how, STAGE_TONES[how.stage], durations(release)) for release, how in became]


def durations(release: Release) -> str:
    live, judged = to_live(release), to_verdict(release)
    said = [f"live {format_duration(live)} after the commit"] if live is not None else []
    said += [f"{release.verdict} {format_duration(judged)} later"] if judged is not None else []
    return ", ".join(said)


def to_live(release: Release) -> timedelta | None:
    """From the commit. Clocks differ: it is never less than nothing."""
    return max(release.live_at - release.commit.committed_at, timedelta()) if release.live_at else None


def to_verdict(release: Release) -> timedelta | None:
    """Since it was live first."""
    return release.decided_at - release.live_at if release.live_at and release.decided_at else None


def live_job(card: TargetCard) -> CheckJob | None:
    """The latest run of checks that the live release is judged by."""
    live = card.seen.record.running
    return next(reversed(runs_of(case_of(card), live)), None) if live else None


def making(card: TargetCard) -> tuple[Step, ...]:
    """Of the newest release."""
    releases = card.seen.record.releases
    made = card.seen.makings.get(releases[-1].number) if releases else None
    return made.steps if made else ()


def verbs(card: TargetCard) -> tuple[Verb, ...]:
    """What can be asked now, what is most urgent first."""
    record, held = card.seen.record, why_held(card.wishes)
    can = {
        Verb.RELEASE: bool(held) or record.stop is not None,
        Verb.ROLLBACK: card.rules.may_roll_back and record.running is not None and bool(can_go_back_to(record)),
        Verb.REDEPLOY: not held and not card.rules.watched and bool(record.releases),
        Verb.HOLD: not held,
    }
    return tuple(verb for verb, possible in can.items() if possible)


def choices(card: TargetCard, verb: Verb) -> list[tuple[int, str]]:
    """The releases that can be meant, the likeliest first. Each is named: the same form twice asks for the same."""
    record = card.seen.record
    if verb is Verb.REDEPLOY:
        return [(0, f"the head of {card.branch}"), *((one.number, _choice(one)) for one in reversed(record.releases))]
    likely = last_good(record)
    there = sorted(can_go_back_to(record), key=lambda one: one is not likely)
    return [(one.number, _choice(one)) for one in there]


def _choice(release: Release) -> str:
    return f"#{release.number} ({short(release.revision)}) {release.commit.title}".strip()


def soaked(card: TargetCard) -> str:
    """What the probes said since the release is live; empty where there are none."""
    probed = card.probed
    if not probed.known:
        return "Its probes said nothing yet, and that is not success."
    if not probed.total:
        return ""
    worst = f" {probed.worst}" if probed.worst else ""
    bound = f"more than {card.rules.soak_failures} while it soaks, and it is rolled back"
    return f"{probed.failed} of {probed.total} samples failed ({bound}).{worst}"


def figures(known: Dora) -> list[Figure]:
    """DORA's four, with what each means here."""
    share = f"{known.failure_rate:.0%}" if known.failure_rate is not None else UNKNOWN
    return [
        Figure("Deploys", str(known.deploys), f"became live in {format_duration(known.window)}"),
        Figure("Lead time", _took(known.lead_time), "from commit to live, the median"),
        Figure("Failed", share, "of those with a verdict were rejected after they were live"),
        Figure("Recovery", _took(known.recovery_time), "from live to working again, the median"),
    ]


def _took(duration: timedelta | None) -> str:
    return format_duration(duration) if duration is not None else UNKNOWN
