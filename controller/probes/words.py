"""What somebody is told about a probe. Pure functions; one notice, whole.

A notice is named by the probe, the alarm and the moment at which it began, so that the same one is told once.
"""

from datetime import datetime

from controller.common.markdown import one_line
from controller.common.notices import Notice, Severity, Status
from controller.probes.judge import SEVERITY, Deed, Step
from controller.probes.model import Alarm, Health, Sample
from controller.settings import Probe
from smoke.documents import format_duration

PROBER = "(prober)"
"""Stands for all of us where a probe's name stands: no probe can be called so."""
_WHAT = {
    Alarm.FAILING: "fails",
    Alarm.FAST_BURN: "burns its error budget fast",
    Alarm.SLOW_BURN: "burns its error budget",
    Alarm.TICKET_BURN: "uses up its error budget",
    Alarm.SILENT: "is silent",
}


def notice(probe: Probe, step: Step, now: datetime, sample: Sample | None, link: str) -> Notice:
    """Of TELL, REMIND and END."""
    health = step.health if step.deed is not Deed.END else step.before
    over = step.deed is Deed.END
    labels = {"probe": probe.name, "alarm": str(step.alarm), **({"target": probe.target} if probe.target else {})}
    return Notice(
        id=notice_id(probe.name, step),
        at=now,
        severity=SEVERITY[step.alarm],
        status=Status.RESOLVED if over else Status.FIRING,
        about=f"probe:{probe.name}",
        title=one_line(f"{probe.title or probe.name} {_title(step, health, now)}", 200),
        text=health.because if over else _text(health, sample),
        link=link,
        labels=labels | ({"suspect": health.suspect} if health.suspect else {}),
        routes=tuple(probe.notify),
    )


def notice_id(probe: str, step: Step) -> str:
    """The same for the same step of the same alarm, whoever takes it. That of TELL names the alert."""
    since = step.health.firing_since or step.before.firing_since
    alert = f"probe/{probe}/{step.alarm}/{since.isoformat() if since else ''}"
    told = step.before.told_at
    return f"{alert}/{step.deed}" + (f"/{told.isoformat()}" if step.deed is Deed.REMIND and told else "")


def cut_off(began: datetime, now: datetime, because: str, link: str, *, over: bool) -> Notice:
    """Said once instead of everything that we cannot know meanwhile, and once when it is over."""
    lasted = f"no longer cut off, after {format_duration(now - began)}"
    return Notice(
        id=f"probe/{PROBER}/{began.isoformat()}/{'end' if over else 'tell'}",
        at=now,
        severity=Severity.PAGE,
        status=Status.RESOLVED if over else Status.FIRING,
        about="prober",
        title=f"The prober is {lasted}" if over else "The prober itself is cut off: nothing is known of any probe",
        text=because,
        link=link,
        labels={"alarm": "cut-off"},
    )


def _title(step: Step, health: Health, now: datetime) -> str:
    lasted = format_duration(now - health.firing_since) if health.firing_since else ""
    match step.deed:
        case Deed.END:
            return (
                f"is heard of again, after {lasted}" if step.alarm is Alarm.SILENT else f"works again, after {lasted}"
            )
        case Deed.REMIND:
            return f"still {_WHAT[step.alarm]}, since {lasted}"
        case _:
            return _WHAT[step.alarm]


def _text(health: Health, sample: Sample | None) -> str:
    latest = f"Latest from {sample.location}: {sample.message}" if sample and sample.message else ""
    suspect = f"It began after {health.suspect} became live." if health.suspect else ""
    return "\n".join(line for line in (_sentence(health.because), suspect, latest) if line)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
