"""A webhook in the shape of Alertmanager's (version 4), so that what takes those takes ours.

`X-Mayfly-Signature-256: sha256=…` is the HMAC-SHA256, with the route's secret, of `X-Mayfly-Timestamp`, a dot, and the
body as it was sent: whoever checks it, and that the timestamp (seconds since 1970) is recent, takes no old or foreign
one. `Idempotency-Key` is the same whenever the same notice is sent again.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable

import aiohttp

from controller.adapters.notify.posting import TIMEOUT, post
from controller.common.notices import Notice, Status

_NEVER = "0001-01-01T00:00:00Z"
"""Alertmanager's zero: it is not over."""


class Webhook:
    def __init__(
        self,
        name: str,
        url: str,
        secret: str,
        session: aiohttp.ClientSession,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Unsigned where the secret is empty."""
        self.name = name
        self._url = url
        self._secret = secret.encode()
        self._session = session
        self._timeout = timeout
        self._clock = clock

    async def tell(self, notice: Notice) -> None:
        body = payload(notice, self.name)
        headers = {"Idempotency-Key": _ascii(notice.id), **signed(self._secret, body, self._clock())}
        await post(self._session, self._url, body, headers, self._timeout)


def signed(secret: bytes, body: bytes, at: float) -> dict[str, str]:
    """The headers that prove it; without a secret, only when it was sent (`at`: seconds since 1970)."""
    headers = {"X-Mayfly-Timestamp": f"{int(at)}"}
    return headers | ({"X-Mayfly-Signature-256": signature(secret, f"{int(at)}", body)} if secret else {})


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    return f"sha256={hmac.new(secret, timestamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def payload(notice: Notice, route: str) -> bytes:
    labels = {"alertname": notice.labels.get("alarm", notice.about), "severity": str(notice.severity), **notice.labels}
    annotations = {"summary": notice.title, "description": notice.text}
    at, over = notice.at.isoformat(), notice.status is Status.RESOLVED
    alert = {
        "status": str(notice.status),
        "labels": labels,
        "annotations": annotations,
        "startsAt": at,
        "endsAt": at if over else _NEVER,
        "generatorURL": notice.link,
        "fingerprint": hashlib.sha256(json.dumps([notice.about, labels["alertname"]]).encode()).hexdigest()[:16],
    }
    return json.dumps(
        {
            "version": "4",
            "groupKey": notice.about,
            "truncatedAlerts": 0,
            "status": str(notice.status),
            "receiver": route,
            "groupLabels": {"about": notice.about},
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": notice.link,
            "alerts": [alert],
        }
    ).encode()


def _ascii(text: str) -> str:
    return text if text.isascii() and text.isprintable() else hashlib.sha256(text.encode()).hexdigest()
