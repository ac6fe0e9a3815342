"""Whether a webhook comes from whom we share a secret with: HMAC-SHA256 of its bytes, as they came.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

`X-Hub-Signature-256`                     proves it
----------------------------------------  ---------------------------------------
sha256= and 64 small hex digits           where any of our secrets made them
missing, malformed, in other letters      no
only `X-Hub-Signature` (SHA-1)            no: it is never looked at
"""

import hmac
import re
from collections.abc import Mapping

from controller.errors import Refused
from controller.settings import WEBHOOK_SECRET, WEBHOOK_SECRET_BEFORE

HEADER = "x-hub-signature-256"
_WELL_FORMED = re.compile(r"sha256=[0-9a-f]{64}")


class Signatures:
    """Two secrets at once, while one is replaced by the other; `before` is empty where there is one only.

    Raises Refused where a secret is blank, or has blanks around it that GitHub's form would not have kept.
    """

    def __init__(self, secret: str, before: str = "") -> None:
        secrets = {WEBHOOK_SECRET: secret} | ({WEBHOOK_SECRET_BEFORE: before} if before else {})
        for variable, value in secrets.items():
            _check(variable, value)
        self._keys = [value.encode() for value in secrets.values()]

    @staticmethod
    def of(env: Mapping[str, str]) -> "Signatures":
        return Signatures(env.get(WEBHOOK_SECRET, ""), env.get(WEBHOOK_SECRET_BEFORE, ""))

    def prove(self, header: str, body: bytes) -> bool:
        """Takes as long whichever secret fits, and whatever the header has in it."""
        if not _WELL_FORMED.fullmatch(header):
            return False
        made = [f"sha256={hmac.digest(key, body, 'sha256').hex()}" for key in self._keys]
        return any([hmac.compare_digest(one, header) for one in made])  # noqa: C419  # a list: all are compared


def _check(variable: str, secret: str) -> None:
    if not secret.strip():
        raise Refused(f"set {variable} to the webhook's secret: without one anybody could ring")
    if secret != secret.strip():
        raise Refused(f"{variable} has blanks or a line break around the secret: take them away")
