"""The few verbs that Mayfly needs of a Kubernetes API server, with its answers turned into ours.

Objects are raw JSON; no model of the client library is built for them. Reads are repeated with back-off where the
server says 429 or 5xx (`Retry-After` is obeyed) or the connection breaks; so are writes, as each can be repeated.
`connect` makes one.
"""

import json
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from controller.adapters.kubernetes import answers
from controller.adapters.kubernetes.answers import Conflict, Expired, Refusal, Stale
from controller.adapters.kubernetes.kinds import (
    DEPLOYMENT,
    JOB,
    KINDS,
    LEASE,
    NAMESPACE,
    POD,
    STATEFUL_SET,
    Kind,
    kind_of,
    path,
    whereabouts,
)
from controller.adapters.kubernetes.names import MANAGER
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.kubernetes.wire import Request, Wire
from controller.errors import Unavailable

__all__ = [
    "DEPLOYMENT",
    "JOB",
    "KINDS",
    "LEASE",
    "NAMESPACE",
    "POD",
    "STATEFUL_SET",
    "Api",
    "Change",
    "Conflict",
    "Expired",
    "Kind",
    "Stale",
    "kind_of",
]

Query = dict[str, str]
_OURS = {"fieldManager": MANAGER}
_PAGE = 500
_MOST_LOG = 16 * 2**20
_SILENCE_SECONDS = 180.0
"""A watch that says nothing for so long is dead: the server sends a bookmark about every minute."""
_WATCH_SECONDS = (240, 480)
_NOT_BEGUN = ("is waiting to start", "previous terminated container", "does not have a host assigned", "not available")
_NO_LOG = "unable to retrieve container logs for "
"""What a kubelet answers, as if it were the log, where the file is gone."""


Objs = list[Obj]
"""A name for what `list` would mean but within the class, where it is a method."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch: `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`."""

    type: str
    object: Obj


class Api:
    """One API server, as one account. Every method raises Unavailable (try later) or Refused (with the server's words),
    and besides only what it says."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Obj | None:
        return await self._found(_request("GET", kind, namespace, name))

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> tuple[Objs, str]:
        """All of them, in pages, and the version to watch from."""
        for limit in (_PAGE, _PAGE, 0):  # the last one in a single answer, which no 410 can cut short
            query = {"labelSelector": labels, "limit": str(limit or "")}
            try:
                return await self._pages(_request("GET", kind, namespace, "", query), kind)
            except Expired:
                continue
        raise Unavailable(f"the list of {kind.plural} expires faster than it can be read")

    async def create(self, obj: Obj) -> Obj | None:
        """None where one of this name is there already."""
        kind, namespace, name = whereabouts(obj)
        request = _sending(_request("POST", kind, namespace, "", _OURS), obj)
        answer = await self.wire.ask(replace(request, what=f"{request.what}: {name}"))
        if isinstance(answer, Refusal) and answer.code == 409 and answer.reason == "AlreadyExists":
            return None
        return _object(answer, request)

    async def apply(self, obj: Obj, *, force: bool = False) -> Obj:
        """Server-side apply under our one field manager. Raises Conflict, Stale where it carries a version or uid."""
        query = _OURS | {"force": "true" if force else "false"}
        request = _sending(_request("PATCH", *whereabouts(obj), query), obj, "application/apply-patch+yaml")
        return _object(await self.wire.ask(request), request)

    async def patch(self, kind: Kind, name: str, namespace: str, change: Obj) -> Obj | None:
        """A merge patch. With `metadata.resourceVersion` or `metadata.uid` in it only on that very one: raises Stale.
        None where there is none."""
        request = _request("PATCH", kind, namespace, name, _OURS)
        return await self._found(_sending(request, change, "application/merge-patch+json"))

    async def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "") -> None:
        """With everything it owns, in the background. Gone already is fine, and so is another uid."""
        options = {"propagationPolicy": "Background"} | ({"preconditions": {"uid": uid}} if uid else {})
        request = _sending(_request("DELETE", kind, namespace, name), options)
        answer = await self.wire.ask(request)
        if isinstance(answer, Refusal) and answer.code not in {404, 409}:
            raise answers.error(answer, request.what)

    async def watch(
        self, kind: Kind, since: str, labels: str = "", *, namespace: str = "", name: str = ""
    ) -> AsyncGenerator[Change, None]:
        """What changes from there on, until the server ends it. Raises Expired.

        Bookmarks are included; the first one (at `since`) comes when the server has accepted the watch.
        """
        seconds = str(random.randint(*_WATCH_SECONDS))
        query = {"watch": "true", "resourceVersion": since, "allowWatchBookmarks": "true", "timeoutSeconds": seconds}
        only = {"labelSelector": labels, "fieldSelector": f"metadata.name={name}" if name else ""}
        request = _request("GET", kind, namespace, "", query | only)
        async with self.wire.stream(request, _SILENCE_SECONDS) as lines:
            if isinstance(lines, Refusal):
                raise _why_it_ended(lines, request.what)
            yield Change("BOOKMARK", {"kind": kind.kind, "metadata": {"resourceVersion": since}})
            async for line in lines:
                if line.strip():
                    yield _change(line, request.what)

    async def logs(
        self, namespace: str, pod: str, container: str, *, lines: int | None = None, previous: bool = False
    ) -> str:
        """At most 16 MiB, without the pod's own say in it; empty where the container has not begun."""
        tail = {"tailLines": "" if lines is None else str(lines), "previous": "true" if previous else ""}
        request = _log(namespace, pod, {"container": container, "limitBytes": str(_MOST_LOG)} | tail)
        answer = await self.wire.ask(request)
        if isinstance(answer, Refusal):
            if _has_no_log(answer):
                return ""
            raise answers.error(answer, request.what)
        text = answer.decode(errors="replace")
        return "" if text.startswith(_NO_LOG) and text.count("\n") <= 1 else text

    async def follow(self, namespace: str, pod: str, container: str, *, lines: int) -> AsyncGenerator[str, None]:
        """The last lines, then every new one, until the container ends."""
        request = _log(namespace, pod, {"container": container, "tailLines": str(lines), "follow": "true"})
        async with self.wire.stream(request, None) as streamed:
            if isinstance(streamed, Refusal):
                if _has_no_log(streamed):
                    return
                raise answers.error(streamed, request.what)
            async for line in streamed:
                yield line.decode(errors="replace")

    async def close(self) -> None:
        await self.wire.session.close()

    async def _found(self, request: Request) -> Obj | None:
        answer = await self.wire.ask(request)
        return None if isinstance(answer, Refusal) and answer.code == 404 else _object(answer, request)

    async def _pages(self, first: Request, kind: Kind) -> tuple[Objs, str]:
        found: Objs = []
        request = first
        while True:
            answer = await self.wire.ask(request)
            if isinstance(answer, Refusal) and answer.code == 410:
                raise Expired(answer.message)
            page = _object(answer, request)
            found += [{"apiVersion": kind.api_version, "kind": kind.kind} | item for item in page.get("items") or []]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return found, str(metadata.get("resourceVersion") or "")
            request = replace(first, query={**first.query, "continue": metadata["continue"]})


def _request(method: str, kind: Kind, namespace: str, name: str, query: Query | None = None) -> Request:
    """A Lease never waits for its turn: who holds one must not lose it to the queue of their own requests."""
    what = " ".join(part for part in (method, kind.kind, name, f"in {namespace}" if namespace else "") if part)
    filled = {key: value for key, value in (query or {}).items() if value}
    return Request(method, path(kind, namespace, name), what, filled, paced=kind is not LEASE)


def _sending(request: Request, body: Obj, content_type: str = "application/json") -> Request:
    return replace(request, body=json.dumps(body).encode(), content_type=content_type)


def _log(namespace: str, pod: str, query: Query) -> Request:
    request = _request("GET", POD, namespace, pod, query)
    what = f"the log of {query['container']} of pod {pod} in {namespace}"
    return replace(request, path=f"{request.path}/log", what=what)


def _has_no_log(refusal: Refusal) -> bool:
    return refusal.code == 404 or (refusal.code == 400 and any(words in refusal.message for words in _NOT_BEGUN))


def _object(answer: bytes | Refusal, request: Request) -> Obj:
    if isinstance(answer, Refusal):
        raise answers.error(answer, request.what)
    return _parsed(answer, request.what)


def _change(line: bytes, what: str) -> Change:
    event = _parsed(line, what)
    if event.get("type") == "ERROR":
        raise _why_it_ended(answers.of_status(event.get("object") or {}), what)
    return Change(str(event["type"]), event["object"])


def _why_it_ended(refusal: Refusal, what: str) -> Exception:
    return Expired(refusal.message) if refusal.code == 410 else answers.error(refusal, what)


def _parsed(raw: bytes, what: str) -> Obj:
    try:
        parsed = json.loads(raw)
    except ValueError as error:
        raise Unavailable(f"what the API server answers is no JSON ({what}): {error}") from error
    if not isinstance(parsed, dict):
        raise Unavailable(f"what the API server answers is no object ({what})")
    return parsed
