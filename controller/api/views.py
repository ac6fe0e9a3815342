"""What the pages say of a card: pure functions from what is known to words, tones and shapes.

A tone is one of `good`, `bad`, `warn`, `busy`, `rest`: how a state looks, never all that tells it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.common.nouns import CheckJob, Phase, ServiceState, StepState, short
from controller.common.words import CheckStatus, DeploymentState
from controller.previews.desk import Card
from controller.previews.model import Database, Preview, Verb
from smoke.documents import format_duration
from smoke.model import CheckResult, Outcome, SuiteRun

OUTCOME_TONES = {Outcome.PASSED: "good", Outcome.FAILED: "bad", Outcome.BROKEN: "warn"}
STEP_TONES = {StepState.RUNNING: "busy", StepState.DONE: "good", StepState.REUSED: "rest", StepState.FAILED: "bad"}
SERVICE_TONES = {
    ServiceState.WAITING: "rest",
    ServiceState.STARTING: "busy",
    ServiceState.HEALTHY: "good",
    ServiceState.CRASHED: "bad",
    ServiceState.STOPPED: "rest",
}
CHECK_TONES = {
    CheckStatus.QUEUED: "rest",
    CheckStatus.IN_PROGRESS: "busy",
    CheckStatus.SUCCESS: "good",
    CheckStatus.FAILURE: "bad",
    CheckStatus.ACTION_REQUIRED: "warn",
    CheckStatus.NEUTRAL: "rest",
}
DEPLOYMENT_TONES = {
    DeploymentState.QUEUED: "rest",
    DeploymentState.IN_PROGRESS: "busy",
    DeploymentState.SUCCESS: "good",
    DeploymentState.FAILURE: "bad",
    DeploymentState.ERROR: "warn",
    DeploymentState.INACTIVE: "rest",
}
STATE_TONES = {"starting": "busy", "failed": "bad", "ready": "good", "waiting": "busy"}


def tone(card: Card) -> str:
    """How the whole card looks: a ready preview whose checks failed does not look well."""
    if card.state != Phase.READY or card.preview is None:
        return STATE_TONES.get(card.state, "rest")
    jobs = [job for job in latest_jobs(card.preview) if job.revision == card.preview.revision]
    tones = [job_tone(job) for job in jobs]
    return next((worst for worst in ("bad", "warn", "busy") if worst in tones), "good")


def latest_jobs(preview: Preview) -> tuple[CheckJob, ...]:
    """The newest job of each suite, in the order the suites first ran."""
    latest: dict[str, CheckJob] = {}
    for job in preview.jobs:
        known = latest.get(job.suite)
        if known is None or (job.order, job.started_at) >= (known.order, known.started_at):
            latest[job.suite] = job
    return tuple(latest.values())


def job_tone(job: CheckJob) -> str:
    return run_tone(job.run) if job.run else "busy"


def run_tone(run: SuiteRun) -> str:
    if run.outcome is Outcome.PASSED and any(result.flaky for result in run.results):
        return "warn"
    return OUTCOME_TONES[run.outcome]


def result_tone(result: CheckResult) -> str:
    if result.skipped is not None:
        return "rest"
    return "warn" if result.flaky else OUTCOME_TONES[result.outcome]


def result_words(result: CheckResult) -> str:
    """`passed`, `failed`, `skipped`, `flaky: passed on attempt 2`."""
    if result.skipped is not None:
        return "skipped"
    if not result.flaky:
        return str(result.outcome)
    failed_before = any(attempt.outcome is not Outcome.PASSED for attempt in result.attempts)
    return f"flaky: passed on attempt {len(result.attempts)}" if failed_before else "passed with flaky tests"


def worst_first(results: Iterable[CheckResult]) -> list[CheckResult]:
    """At most 100: what did not pass, what was flaky, and then the rest in its order."""
    order = ("bad", "warn", "good", "rest")
    return sorted(results, key=lambda result: order.index(result_tone(result)))[:100]


def run_words(run: SuiteRun) -> str:
    """`3 of 4 passed in 1.2 s, 1 flaky`; a skipped check is not counted."""
    ran = [result for result in run.results if result.skipped is None]
    passed = sum(result.outcome is Outcome.PASSED for result in ran)
    flaky = sum(result.flaky for result in ran)
    if not ran:
        return "nothing was run"
    return f"{passed} of {len(ran)} passed in {format_duration(run.took)}" + (f", {flaky} flaky" if flaky else "")


def headline(card: Card) -> str:
    """The card's line without the state, which stands beside it."""
    for mark in (" · ", ": "):
        card_state = f"{card.state}{mark}"
        if card.headline.startswith(card_state):
            return card.headline.removeprefix(card_state)
    return card.headline


def title(card: Card) -> str:
    """What the pull request is called, or else its branch, or else its key."""
    return (card.pull and (card.pull.title or card.pull.branch)) or str(card.key)


def verbs(card: Card) -> tuple[Verb, ...]:
    """The commands that make sense now, most useful first."""
    preview = card.preview
    if preview is None:
        return (Verb.UP,) if card.pull is None or card.pull.is_open else ()
    if preview.phase is Phase.TERMINATING:
        return ()
    rest = {Phase.READY: (Verb.SLEEP,), Phase.SLEEPING: (Verb.WAKE,)}.get(preview.phase, ())
    checks = (Verb.CHECKS,) if preview.phase is Phase.READY else ()
    reseed = (Verb.RESEED,) if preview.database else ()
    clock = Verb.UNPIN if card.wishes.pinned_by else Verb.PIN
    return (*rest[-1:], Verb.REDEPLOY, *reseed, *checks, clock, Verb.EXTEND, Verb.DOWN)


def database_words(database: Database) -> str:
    """How it was made and how long that took."""
    took = format_duration(database.cloned_in)
    if not database.seed:
        made = f"Empty, made in {took}"
    elif database.seeded_in is None:
        made = f"{size(database.size)}, cloned in {took} from seed {database.seed[:7]}, which was there already"
    else:
        seeded = format_duration(database.seeded_in)
        made = f"{size(database.size)}, seeded in {seeded} (seed {database.seed[:7]}), cloned in {took}"
    return made + (f", migrated in {format_duration(database.migrated_in)}" if database.migrated_in is not None else "")


def size(count: int) -> str:
    """Bytes for people: `104 MB`."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def matches(card: Card, query: str) -> bool:
    """Whether every word of the filter is somewhere in what the row shows. The script in the page does the same."""
    text = haystack(card)
    return all(word in text for word in query.lower().split())


def any_matches(cards: Iterable[Card], query: str) -> bool:
    return any(matches(card, query) for card in cards)


def haystack(card: Card) -> str:
    pull = card.pull
    words = [str(card.key), card.state, card.headline, title(card)]
    words += [pull.branch, pull.author, short(pull.head)] if pull else []
    return " ".join(words).lower()


def counts(cards: Iterable[Card]) -> dict[str, int]:
    """How many there are of each state, in the order met."""
    found: dict[str, int] = {}
    for card in cards:
        found[card.state] = found.get(card.state, 0) + 1
    return found


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def day(moment: datetime) -> str:
    """The whole moment for people: `21 November 2026, 04:51 UTC`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def age(moment: datetime, now: datetime) -> str:
    """`just now`, `40 s ago`, `3 min ago`, `in 2 days`. The script in the page says the same as time goes on."""
    seconds = int((now - moment).total_seconds())
    words = _roughly(abs(seconds))
    if not words:
        return "just now"
    return f"{words} ago" if seconds > 0 else f"in {words}"


def _roughly(seconds: int) -> str:
    if seconds < 5:
        return ""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3570:
        return f"{int(seconds / 60 + 0.5)} min"
    if seconds < 47.5 * 3600:
        return f"{int(seconds / 3600 + 0.5)} h"
    return f"{int(seconds / 86400 + 0.5)} days"


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in the plot; lengths in its own units."""

    x: int
    y: float
    height: float
    tone: str
    mark: str
    """A sign for those who do not see the colour; empty for a plain pass."""
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    suite: str
    width: int
    bars: tuple[Bar, ...]
    summary: str
    longest: str


PLOT_HEIGHT = 48
"""Of the tallest bar; the marks stand above."""
PLOT_TOP = 14
BAR_PITCH = 14
MARKS = {"bad": "✕", "warn": "!"}


def plot(suite: str, runs: Sequence[SuiteRun], now: datetime) -> Plot:
    """Oldest on the left; a bar's height is how long the run took."""
    longest = max((run.took for run in runs), default=timedelta())
    tally = {outcome: sum(run.outcome is outcome for run in runs) for outcome in Outcome}
    said = ", ".join(f"{count} {outcome}" for outcome, count in tally.items() if count)
    summary = f"{suite}: the last {len(runs)} runs: {said}" if len(runs) > 1 else f"{suite}: one run: {said}"
    bars = tuple(_bar(place, run, longest, now) for place, run in enumerate(runs))
    return Plot(suite, max(len(runs), 12) * BAR_PITCH, bars, summary, format_duration(longest))


def _bar(place: int, run: SuiteRun, longest: timedelta, now: datetime) -> Bar:
    share = run.took / longest if longest else 1.0
    height = round(max(3.0, PLOT_HEIGHT * share), 1)
    how = run_tone(run)
    flaky = run.outcome is Outcome.PASSED and how == "warn"
    outcome = "passed, flaky" if flaky else str(run.outcome)
    label = f"{outcome} in {format_duration(run.took)}, {age(run.started_at, now)}, at {short(run.revision)}"
    mark = "↻" if flaky else MARKS.get(how, "")
    return Bar(place * BAR_PITCH + 2, round(PLOT_TOP + PLOT_HEIGHT - height, 1), height, how, mark, label)
