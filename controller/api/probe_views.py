"""What the pages say of probes: pure functions from what is known to words, tones and shapes."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from markupsafe import Markup

from controller.api.probe_schemas import shown_url
from controller.probes import cards
from controller.probes.desk import BurnRate, ProbeCard
from controller.probes.model import Alarm, Counts, Day, Incident
from smoke.documents import format_duration
from smoke.model import Outcome

STATE_TONES = {
    "up": "good",
    "failing": "bad",
    "burning": "bad",
    "silent": "bad",
    "cut-off": "warn",
    "maintenance": "rest",
    "unknown": "rest",
}
DAY_TONES = {"up": "good", "degraded": "warn", "down": "bad", "unknown": "rest"}
OUTCOME_TONES = {Outcome.PASSED: "good", Outcome.FAILED: "bad", Outcome.BROKEN: "warn"}
_WORST = ("bad", "warn", "rest", "good")
ALARM_WORDS = {
    Alarm.FAILING: "fails",
    Alarm.FAST_BURN: "burns its error budget fast",
    Alarm.SLOW_BURN: "burns its error budget",
    Alarm.TICKET_BURN: "uses up its error budget",
    Alarm.SILENT: "is silent",
}
NOTHING = "nothing is known"
CALM = "nothing failed on these days"
PITCH, TALL = 4, 30
"""Of one day's bar: how far the next one is, and how tall it is."""

address = shown_url


def title(card: ProbeCard) -> str:
    return card.probe.title or card.probe.name


def tone(card: ProbeCard) -> str:
    return STATE_TONES.get(card.state, "rest")


def headline(card: ProbeCard) -> str:
    """The card's line without the state, which stands beside it."""
    return card.headline.partition(" · ")[2] or card.headline


def worst_first(found: Iterable[ProbeCard]) -> list[ProbeCard]:
    return sorted(found, key=lambda card: _WORST.index(tone(card)))


def page_tone(found: Iterable[ProbeCard]) -> str:
    tones = {tone(card) for card in found}
    return next((worst for worst in _WORST if worst in tones), "rest")


def share(days: Sequence[Day]) -> str:
    """`99.97%` of all of them; cut, not rounded."""
    total, failed = sum(day.counts.total for day in days), sum(day.counts.failed for day in days)
    return cards.percent(Counts(total, failed)) if total else ""


def bars(days: Sequence[Day]) -> Markup:
    """A stroke for each day, oldest on the left, and words for each that has news; all the others are one path. Built
    here, as there are thousands of them; none of it is a stranger's."""
    calm = "".join(_stroke(place, day) for place, day in enumerate(days) if not _is_news(day))
    news = (_news(place, day) for place, day in enumerate(days) if _is_news(day))
    return Markup("".join([f'<path class="calm" d="{calm}"><title>{CALM}</title></path>' if calm else "", *news]))  # noqa: S704 - see above


def _is_news(day: Day) -> bool:
    return bool(day.counts.failed or not day.counts.total)


def _news(place: int, day: Day) -> str:
    tone = f' class="{DAY_TONES[day.worst]}"' if day.worst != "up" else ""
    return f'<path{tone} d="{_stroke(place, day)}"><title>{day.at:%d %B}: {day_words(day)}</title></path>'


def _stroke(place: int, day: Day) -> str:
    tall = TALL if day.worst != "unknown" else TALL // 3
    return f"M{place * PITCH + PITCH // 2} {TALL - tall}v{tall}"


def day_words(day: Day) -> str:
    """`99.97% of 2,880 passed, 1 failed`."""
    counts = day.counts
    return f"{cards.percent(counts)} of {counts.total:,} passed, {counts.failed:,} failed" if counts.total else NOTHING


def summary(days: Sequence[Day]) -> str:
    """`90 days: 88 up, 2 down`, for those who see no bars."""
    worst = [day.worst for day in days]
    tally = ((worst.count(word), word) for word in DAY_TONES)
    return f"{len(days)} days: " + ", ".join(f"{count} {word}" for count, word in tally if count)


def lasted(incident: Incident, now: datetime) -> str:
    """`12 min`, `12 min so far`."""
    took = format_duration(max((incident.ended or now) - incident.began, timedelta()))
    return took if incident.ended else f"{took} so far"


def what(incident: Incident, public: bool) -> str:
    """For everybody: that it did not work. For operators: which alarm, and why."""
    if not public:
        return f"{ALARM_WORDS[incident.alarm]}: {incident.because}"
    return "nothing was known" if incident.alarm is Alarm.SILENT else "did not work as it should"


def budget(left: float) -> str:
    """`64.2% left`, `overspent by 12.1%`."""
    return f"{left * 100:.1f}% left" if left >= 0 else f"overspent by {-left * 100:.1f}%"


def budget_tone(left: float) -> str:
    return "good" if left >= 0.25 else "warn" if left >= 0 else "bad"


def times(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.3g}×"  # noqa: RUF001 - a sign for people


def burns(rate: BurnRate) -> bool:
    return all(now is not None and now >= rate.rate for now in (rate.in_long, rate.in_short))


def pace(card: ProbeCard) -> str:
    return f"at `{card.probe.cron}`" if card.probe.cron else f"every {format_duration(card.probe.every)}"
