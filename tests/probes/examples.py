"""Probes and samples; a test states what differs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from controller.probes.model import Sample
from controller.settings import Probe
from smoke.model import Outcome

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def a_probe(name: str = "shop", **said: Any) -> Probe:
    return Probe.model_validate({"name": name, "url": "http://127.0.0.1:9", "objective": "99.9% over 30 days"} | said)


def a_sample(at: datetime = NOON, outcome: Outcome = Outcome.PASSED, probe: str = "shop", **said: Any) -> Sample:
    took = timedelta(milliseconds=20)
    message = "" if outcome is Outcome.PASSED else "it answers: the status is 500, expected one below 400"
    told: dict[str, Any] = {"location": "here", "late": timedelta(), "took": took, "message": message} | said
    return Sample(probe=probe, at=at, outcome=outcome, **told)
