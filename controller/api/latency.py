"""A plot of latencies as SVG: three lines, and where samples failed. Pure; nothing in it is a stranger's text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from controller.probes.model import Point
from smoke.documents import format_duration

WIDTH, HEIGHT = 600, 90
"""Of the drawing, in its own units."""
SHARES = ("p50", "p95", "p99")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a plot looks. `fine` is the step where only one probe is shown, `coarse` where many are."""

    key: str
    words: str
    lasts: timedelta
    fine: timedelta
    coarse: timedelta


SPANS = (
    Span("24h", "24 hours", DAY, timedelta(minutes=5), timedelta(hours=1)),
    Span("7d", "7 days", 7 * DAY, timedelta(hours=1), timedelta(hours=6)),
    Span("90d", "90 days", 90 * DAY, DAY, DAY),
)


def span(key: str) -> Span:
    """The shortest where there is no such."""
    return next((one for one in SPANS if one.key == key), SPANS[0])


@dataclass(frozen=True, slots=True)
class Latency:
    """`top` is what the plot's upper edge stands for; `lines` belong into an SVG of WIDTH by HEIGHT."""

    top: str
    summary: str
    """All of it for those who see no plot."""
    lines: Markup


def latency(
    points: Sequence[Point], since: datetime, until: datetime, step: timedelta, *, titled: bool = True
) -> Latency | None:
    """None where nothing passed. `titled`: each step has words to point at."""
    longest = max((took for point in points for took in (point.p99, point.p95, point.p50) if took), default=None)
    if longest is None:
        return None
    scale = _Scale(since, (until - since) / WIDTH, step, longest)
    failed = (scale.failed(point) for point in points if point.counts.failed)
    paths = (f'<path class="{share}" d="{scale.path(points, share)}"></path>' for share in SHARES)
    titles = (scale.titled(point) for point in points) if titled else ()
    return Latency(format_duration(longest), _summary(points), Markup("".join([*failed, *paths, *titles])))  # noqa: S704 - numbers and dates of our own


def _summary(points: Sequence[Point]) -> str:
    """`now p50 80 ms, p95 120 ms, p99 210 ms`: of the last step in which anything passed."""
    last = next(point for point in reversed(points) if point.p50 is not None)
    return f"lately {_words(last)}"


def _words(point: Point) -> str:
    known = ((share, getattr(point, share)) for share in SHARES)
    return ", ".join(f"{share} {format_duration(took)}" for share, took in known if took is not None)


@dataclass(frozen=True, slots=True)
class _Scale:
    since: datetime
    unit: timedelta
    """Of time, as wide as one of the drawing."""
    step: timedelta
    longest: timedelta

    def x(self, at: datetime) -> float:
        """Of the middle of its step."""
        return min(max(((at - self.since) + self.step / 2) / self.unit, 0), WIDTH)

    def y(self, took: timedelta) -> float:
        return HEIGHT - took / self.longest * (HEIGHT - 4)

    def path(self, points: Sequence[Point], share: str) -> str:
        """A line wherever steps follow each other; what is not known is left out, and alone it is a dot."""
        return "".join(self._strokes(points, share))

    def _strokes(self, points: Sequence[Point], share: str) -> Iterator[str]:
        before: datetime | None = None
        for point in points:
            took: timedelta | None = getattr(point, share)
            if took is None:
                before = None
                continue
            follows = before is not None and point.at - before <= self.step
            place = f"{self.x(point.at):.1f} {self.y(took):.1f}"
            yield f"L{place}" if follows else f"M{place}h0"
            before = point.at

    def failed(self, point: Point) -> str:
        """A mark at the lower edge, as high as the share that failed."""
        height = max(4.0, point.counts.failed / point.counts.total * HEIGHT)
        width = max(2.0, self.step / self.unit)
        place = f'x="{self.x(point.at) - width / 2:.1f}" y="{HEIGHT - height:.1f}"'
        return f'<rect class="failed" {place} width="{width:.1f}" height="{height:.1f}"></rect>'

    def titled(self, point: Point) -> str:
        """A place to point at."""
        width = self.step / self.unit
        failed = f"{point.counts.failed:,} of {point.counts.total:,} failed" if point.counts.failed else ""
        words = "; ".join(part for part in (_words(point), failed) if part) or "nothing is known"
        left = self.x(point.at) - width / 2
        shape = f'<rect class="hit" x="{left:.1f}" y="0" width="{width:.1f}" height="{HEIGHT}">'
        return f"{shape}<title>{point.at:%d %B, %H:%M}: {words}</title></rect>"
