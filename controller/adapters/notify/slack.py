"""Slack's incoming webhook. Whatever stands in a notice stays text: it mentions nobody, and links nowhere."""

import json
from datetime import UTC

import aiohttp
from pydantic import JsonValue

from controller.adapters.notify.posting import TIMEOUT, post
from controller.common.markdown import cut
from controller.common.notices import Notice, Severity, Status

TEXT_LIMIT = 2900
"""Characters of a section's text (Slack: 3,000), what is escaped included."""
_ICONS = {Severity.PAGE: "🔴", Severity.TICKET: "🟠", Severity.INFO: "🔵"}


class Slack:
    def __init__(self, name: str, url: str, session: aiohttp.ClientSession, *, timeout: float = TIMEOUT) -> None:
        self.name = name
        self._url = url
        self._session = session
        self._timeout = timeout

    async def tell(self, notice: Notice) -> None:
        await post(self._session, self._url, json.dumps(message(notice)).encode(), {}, self._timeout)


def message(notice: Notice) -> dict[str, JsonValue]:
    icon = "✅" if notice.status is Status.RESOLVED else _ICONS[notice.severity]
    title = f"{icon} {escaped(notice.title, 200)}"
    blocks: list[JsonValue] = [_section(f"*{title}*")]
    if notice.text:
        blocks.append(_section(escaped(notice.text, TEXT_LIMIT)))
    told = f"{notice.severity} · {notice.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    link = f" · <{escaped(notice.link, 1000).replace('|', '%7C')}|open>" if notice.link else ""
    blocks.append({"type": "context", "elements": [_mrkdwn(told + link)]})
    return {"text": title, "blocks": blocks}


def escaped(text: str, limit: int) -> str:
    """`&`, `<` and `>` are what begins a mention or a link in Slack; no entity is cut in half."""
    said = cut(text, limit)
    while len(safe := said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) > limit:
        said = cut(said, max(1, len(said) - (len(safe) - limit + 4) // 5 - 1))
    return safe


def _section(text: str) -> JsonValue:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> JsonValue:
    """`verbatim`: names and addresses are not made into links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}
