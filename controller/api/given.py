"""What the API gives that is not JSON: logs, files that checks left, and events. One way for previews and targets."""

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from controller.api.streams import begun, closing, flowing, merged

FIRST_LINE_WITHIN = 1.0
"""Seconds that a followed log may be silent before its answer begins."""
_INLINE = frozenset({"image/png", "image/jpeg", "image/webp"})
"""What browsers may show on the dashboard's origin; anything else that an application made is downloaded."""

Change = dict[str, str | int | None]
"""What to look at again: `{"repo": "shop", "number": 7}`, `{"target": "production"}`; null stands for any."""


def create_events(sources: Sequence[Callable[[], AsyncIterator[Change]]], stopping: asyncio.Event) -> APIRouter:
    router = APIRouter()

    @router.get("/events", response_class=StreamingResponse, responses=content("text/event-stream"))
    async def events() -> Response:
        """A server-sent event whenever something to show changed: `{"repo": "shop", "number": 7}`, or
        `{"target": "production"}`; nulls for any."""
        changes = merged([source() for source in sources])
        stream = flowing(_told(changes), stopping, opening="retry: 1000\n\n", beat=": beat\n\n")
        return _stream(stream, "text/event-stream")

    return router


async def log(lines: AsyncIterator[str], stopping: asyncio.Event) -> Response:
    """Raises what the first line raises."""
    texts = await begun(_ended(lines), FIRST_LINE_WITHIN)
    return _stream(flowing(texts, stopping), "text/plain; charset=utf-8")


def file(name: str, data: bytes) -> Response:
    """One that checks left: whatever it holds, it does nothing here."""
    kind = mimetypes.guess_type(name)[0] or ""
    headers = {"Content-Security-Policy": "sandbox; default-src 'none'"}
    if kind in _INLINE:
        return Response(data, headers=headers, media_type=kind)
    headers["Content-Disposition"] = "attachment"
    return Response(data, headers=headers, media_type="application/octet-stream")


def content(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}, "description": "OK"}}


def _stream(texts: AsyncIterator[str], media_type: str) -> Response:
    return StreamingResponse(texts, media_type=media_type, headers={"X-Accel-Buffering": "no"})


async def _ended(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async with closing(lines):
        async for line in lines:
            yield line + "\n"


async def _told(changes: AsyncIterator[Change]) -> AsyncIterator[str]:
    async with closing(changes):
        async for change in changes:
            yield f"data: {json.dumps(change)}\n\n"
