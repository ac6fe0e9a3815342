"""What the API server's answers mean in our words. Pure.

The shape of a refusal is `Status` of
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.shapes import Obj
from controller.errors import MayflyError, Refused, Unavailable

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_MESSAGE = 2_000


class Stale(Refused):
    """Somebody changed it since it was read (409): read it again, and decide anew."""


class Conflict(Refused):
    """Another manager owns fields that we would change; the reason names both.

    `with_ourselves`: it is what we own by a patch, which counts as another manager of the same name.
    """

    with_ourselves = False


class Expired(Exception):
    """The version that a watch began at is gone (410): list again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success. `status` is the body where it was a Status, else empty."""

    code: int
    status: Obj
    text: str
    retry_after: timedelta | None = None

    @property
    def message(self) -> str:
        return str(self.status.get("message") or self.text or f"HTTP {self.code}")[:_LONGEST_MESSAGE]

    @property
    def reason(self) -> str:
        return str(self.status.get("reason") or "")

    @property
    def about(self) -> Mapping[str, Any]:
        return self.status.get("details") or {}

    @property
    def causes(self) -> list[Obj]:
        return self.about.get("causes") or []


def read(code: int, body: bytes, headers: Mapping[str, str]) -> Refusal:
    text = body[:_LONGEST_MESSAGE].decode(errors="replace").strip()
    wait = headers.get("Retry-After", "")
    return Refusal(code, _as_status(body), text, timedelta(seconds=int(wait)) if wait.isdecimal() else None)


def of_status(status: Obj) -> Refusal:
    """An `ERROR` event of a watch."""
    return Refusal(int(status.get("code") or 500), status, "")


def may_pass(refusal: Refusal) -> bool:
    """Whether the same request may succeed in a moment."""
    if "typed patch object" in refusal.message:  # a field that the schema does not have answers 500
        return False
    return refusal.code in TRANSIENT or _is_quota_race(refusal)


def is_missing_kind(refusal: Refusal) -> bool:
    """A 404 of the whole kind, not of one object or its namespace."""
    return refusal.code == 404 and not refusal.about.get("name")


def error(refusal: Refusal, what: str) -> MayflyError:
    """`what` was asked for: `Deployment web in preview-pr-7`."""
    if refusal.code == 409:
        return _conflict(refusal, what)
    if may_pass(refusal):
        return Unavailable(f"the API server cannot answer ({what}): {refusal.message}", refusal.retry_after)
    if _says(refusal, "NamespaceTerminating") or (refusal.code == 404 and refusal.about.get("kind") == "namespaces"):
        return Unavailable(f"{what}: its namespace is being removed or gone: {refusal.message}")
    if is_missing_kind(refusal):
        return Refused(f"the cluster does not know this kind ({what}): {refusal.message}")
    if refusal.code == 401:
        return Refused(f"the API server does not accept who we are (401): {refusal.message}")
    if any(cause.get("field") == "metadata.uid" for cause in refusal.causes):
        return Stale(refusal.message)
    return Refused(refusal.message)


_OURS = f'conflict with "{names.MANAGER}"'


def _conflict(refusal: Refusal, what: str) -> MayflyError:
    owned = [cause for cause in refusal.causes if cause.get("reason") == "FieldManagerConflict"]
    if not owned:
        return Stale(refusal.message)
    parts = ", ".join(f"{cause.get('field', '')} ({cause.get('message', '')})" for cause in owned)
    conflict = Conflict(f"another manager owns fields that we would change ({what}): {parts}")
    conflict.with_ourselves = all(str(cause.get("message", "")).startswith(_OURS) for cause in owned)
    return conflict


def _is_quota_race(refusal: Refusal) -> bool:
    """Two objects that were made at once both wanted to count themselves in the quota."""
    return refusal.code == 409 and refusal.about.get("kind") == "resourcequotas"


def _says(refusal: Refusal, reason: str) -> bool:
    return any(cause.get("reason") == reason for cause in refusal.causes)


def _as_status(body: bytes) -> Obj:
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}
