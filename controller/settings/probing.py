"""What is checked on a schedule, from where, against which objective, and who is told."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from controller.probes import slo
from controller.settings import cron
from controller.settings.names import LABEL
from smoke.documents import Duration, Strict, parse_duration
from smoke.spec import Suite

HERE = "here"
"""The location of the controller itself."""
REMOTE = frozenset({"http", "journey", "dns", "tcp", "tls"})
"""Kinds of checks that agents run."""
_OBJECTIVE = re.compile(r"(\d{1,2}(?:\.\d{1,4})?)% over (.+)")
_X_OF_Y = re.compile(r"([1-9]\d?) of ([1-9]\d?)")


def objective(text: str) -> tuple[float, timedelta]:
    """`99.9% over 30 days` as 0.999 and 30 days. Raises ValueError."""
    found = _OBJECTIVE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no objective, like `99.9% over 30 days`")
    share, window = float(found[1]) / 100, parse_duration(found[2])
    if not 0 < share < 1 or not timedelta(days=1) <= window <= timedelta(days=90):
        raise ValueError("an objective is above 0% and below 100%, over 1 to 90 days")
    return share, window


def x_of_y(text: str) -> tuple[int, int]:
    """`3 of 5`: as many failed among the latest. Raises ValueError."""
    found = _X_OF_Y.fullmatch(text.strip())
    if not found or int(found[1]) > int(found[2]):
        raise ValueError(f"{text!r} is not X of Y, like `3 of 5`")
    return int(found[1]), int(found[2])


def _is_cron(text: str) -> str:
    cron.pace(text)
    return text


CronLine = Annotated[str, AfterValidator(_is_cron)]


def _is_objective(text: str) -> str:
    objective(text)
    return text


def _is_x_of_y(text: str) -> str:
    x_of_y(text)
    return text


class Alerting(Strict):
    """When somebody is told. Burn rates are those of the SRE workbook, chapter 5."""

    burn: bool = True
    """Pages at 14.4 times the allowed rate over 1 h and 5 m, at 6 over 6 h and 30 m; a ticket at 1 over 3 d and 6 h."""
    failures: int = Field(3, ge=1)
    """Fewer failed samples in the long window alert nobody, whatever the rate."""
    rule: Annotated[str, AfterValidator(_is_x_of_y)] | None = None
    """`3 of 5`: pages when so many of the latest samples failed; besides, or instead of, `burn`."""
    remind: Duration = Field(timedelta(hours=4), ge=timedelta(minutes=1))
    """How often somebody is told again while it goes on."""
    silent_after: Duration | None = None
    """No sample for so long is told of itself; three intervals, and at least 5 minutes, where unset."""


class Probe(Strict):
    """Checks on a schedule."""

    name: Annotated[str, Field(pattern=LABEL)]
    title: str = Field("", max_length=80)
    """For people; the name where empty."""
    url: str = Field(pattern=r"^https?://")
    checks: Suite = []
    """As in `.preview.yaml`; that the URL answers below 400 where empty."""
    every: Duration = Field(timedelta(seconds=30), ge=timedelta(seconds=1))
    cron: CronLine | None = None
    """Instead of `every`: `*/5 8-18 * * mon-fri`, in UTC."""
    locations: list[Annotated[str, Field(pattern=LABEL)]] = Field([HERE], min_length=1)
    """`here` is the controller; others are agents (`mayfly agent --location NAME`)."""
    objective: Annotated[str, AfterValidator(_is_objective)] | None = None
    """`99.9% over 30 days`."""
    alerts: Alerting = Alerting()
    target: str | None = None
    """The target whose releases may be the cause; its soak counts these samples."""
    depends_on: list[str] = []
    """Probes without which this one says nothing: while one of them alerts, this one does not."""
    notify: list[str] = []
    """Names of routes; all of them where none are named."""
    public: bool = True
    """Whether the status page shows it, where that is public."""

    @property
    def pace(self) -> timedelta:
        """The usual time between two samples of one location."""
        return cron.pace(self.cron) if self.cron else self.every

    @model_validator(mode="after")
    def _runs_in_process(self) -> "Probe":
        for check in self.checks:
            if check.kind in {"command", "browser"}:
                raise ValueError(
                    f"check `{check.name}` is a `{check.kind}`: a probe starts no processes, as many run at once; "
                    "have your CI run it, or ask by `http` or `journey`"
                )
        return self

    @model_validator(mode="after")
    def _agents_can_run_it(self) -> "Probe":
        if away := next((location for location in self.locations if location != HERE), None):
            for check in self.checks:
                if check.kind not in REMOTE:
                    kinds = f"an agent runs {', '.join(sorted(REMOTE))}"
                    raise ValueError(f"check `{check.name}` is a `{check.kind}`, and `{away}` is an agent's: {kinds}")
        return self

    @model_validator(mode="after")
    def _fits_its_objective(self) -> "Probe":
        if self.objective is None or not self.alerts.burn:
            return self
        good, period = objective(self.objective)
        problem = slo.unfit(good, period, self.pace, len(self.locations), self.alerts.failures)
        if not problem and self.alerts.rule is None:
            problem = slo.never_pages(good, period)
        if problem:
            raise ValueError(problem)
        return self


def circle(probes: Iterable[Probe]) -> str:
    """Probes that depend on each other in a circle, `a → b → a`; empty where none do."""
    try:
        TopologicalSorter({probe.name: probe.depends_on for probe in probes}).prepare()
    except CycleError as error:
        return " → ".join(error.args[1])
    return ""


class Maintenance(Strict):
    """A time in which alerts are not sent. Samples are taken all the same, and do not count against objectives."""

    begins: datetime
    ends: datetime
    probes: list[str] = []
    """All where none are named."""
    because: str = ""

    @model_validator(mode="after")
    def _has_length(self) -> "Maintenance":
        if self.begins.tzinfo is None or self.ends.tzinfo is None:
            raise ValueError("say the time zone: `2026-11-21T22:00:00Z`")
        if self.ends <= self.begins:
            raise ValueError("it ends before it begins")
        return self


class Probing(Strict):
    """How probes are run here."""

    canaries: list[Annotated[str, Field(pattern=r"^https?://")]] = []
    """URLs that always answer, and are nobody's we probe: where none of them does either, we are cut off ourselves."""
    at_once: int = Field(500, ge=1, le=10_000)
    """Most probes under way."""
    raw_for: Duration = timedelta(days=3)
    five_minutes_for: Duration = timedelta(days=30)
    hours_for: Duration = Field(timedelta(days=400), ge=timedelta(days=90))
    """How long samples are kept: each, in steps of 5 minutes, and of an hour."""
    maintenance: list[Maintenance] = []
    public_status: bool = False
    """Whether `/status` is shown to everybody."""
