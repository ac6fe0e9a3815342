"""What a person sees where no application answers.

no such label                 404, with a way to the dashboard
starting, ready but not yet   503, what it is doing; looks again every second
sleeping                      503, the visit wakes it; likewise
failed                        502, the reason and the last lines of its log
terminating                   410
ready, refuses connections    502; looks again every second
ready, breaks the connection  502
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import assert_never

from jinja2 import Environment, PackageLoader, StrictUndefined

from controller.common import markdown
from controller.common.nouns import Phase, Route
from controller.gateway.headers import Raw

STATE_PATH = "/.mayfly/state"
"""On every preview's host: what the page asks, to know when to look again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A page, told to browsers as HTML and to programs as JSON or text. `again_in` is in seconds; 0: not by itself."""

    status: int
    phase: str
    title: str
    text: str
    step: str = ""
    logs: str = ""
    again_in: int = 0

    @property
    def retry_after(self) -> int:
        """Seconds; 0 where waiting alone does not help."""
        return self.again_in if self.again_in == 1 else 0


def unknown(label: str) -> Notice:
    return Notice(404, "none", "No preview lives here", f"Nothing is known as {label}.", again_in=5)


def of(route: Route) -> Notice | None:
    """None where the application should answer."""
    who = f"{route.service or 'The preview'} of {route.key}"
    match route.phase:
        case Phase.READY if route.address is not None:
            return None
        case Phase.READY:
            return Notice(503, "starting", "Not yet", route.reason or f"{who} is not up.", route.step, again_in=1)
        case Phase.STARTING:
            text = route.reason or f"{who} is on its way."
            return Notice(503, "starting", "Starting", text, route.step, again_in=1)
        case Phase.SLEEPING:
            return Notice(503, "sleeping", "Waking up", f"{who} was asleep.", route.step, again_in=1)
        case Phase.FAILED:
            text = markdown.plain(route.reason) or f"{who} failed."
            return Notice(502, "failed", "It failed", text, logs=markdown.plain(route.logs), again_in=5)
        case Phase.TERMINATING:
            return Notice(410, "terminating", "Gone", f"{who} is being removed.")
        case _:
            assert_never(route.phase)


def refused(route: Route) -> Notice:
    text = f"{route.service or 'The preview'} of {route.key} does not take connections at the moment."
    return Notice(502, "ready", "Not answering", text, again_in=1)


def cut_off(route: Route, why: str) -> Notice:
    text = f"{route.service or 'The preview'} of {route.key} took the request and gave no proper answer."
    return Notice(502, "ready", "No answer", text, logs=why)


def state(route: Route | None) -> bytes:
    """JSON for the page that waits: `{"phase": "starting", "step": "migrate"}`."""
    notice = of(route) if route else unknown("")
    return json.dumps({"phase": notice.phase if notice else "ready", "step": notice.step if notice else ""}).encode()


def html(notice: Notice, dashboard: str) -> bytes:
    page = _ENVIRONMENT.get_template("notice.html.j2")
    return page.render(notice=notice, dashboard=dashboard, css=_CSS, js=_JS, state_path=STATE_PATH).encode()


def plain(notice: Notice, accept: str) -> tuple[bytes, bytes]:
    """For programs: the content type, and the content."""
    if "json" in accept:
        words = {"phase": notice.phase, "title": notice.title, "detail": notice.text, "step": notice.step}
        return b"application/json", json.dumps(words | {"logs": notice.logs}).encode()
    lines = [f"{notice.title}: {notice.text}", notice.step, notice.logs]
    return b"text/plain; charset=utf-8", "\n".join([line for line in lines if line] + [""]).encode()


def _source(name: str) -> str:
    assert _ENVIRONMENT.loader is not None
    return _ENVIRONMENT.loader.get_source(_ENVIRONMENT, name)[0]


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


_ENVIRONMENT = Environment(loader=PackageLoader("controller.gateway"), autoescape=True, undefined=StrictUndefined)
_CSS = _source("notice.css")
_JS = _source("notice.js")
HTML_HEADERS: Raw = [
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src {_digest(_CSS)}; script-src {_digest(_JS)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'".encode(),
    ),
]
