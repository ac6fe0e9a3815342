"""What a log says, for people: the line that matters, and never a secret. Pure."""

import re
from collections.abc import Iterable

_TELLING = re.compile(r"\w*(error|exception|violation|fatal)\w*", re.IGNORECASE)
_PREFIX = re.compile(r"^psql:.*?:\d+: |^(ERROR|FATAL): +")


def telling_line(lines: Iterable[str]) -> str:
    """The one line that says what went wrong: the last that names an error, else the last that says anything."""
    said = [line.strip() for line in lines if line.strip() and not line.startswith("mayfly: ")]
    line = next((line for line in reversed(said) if _TELLING.search(line)), said[-1] if said else "")
    return _PREFIX.sub("", _PREFIX.sub("", line))[:300]


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without any of the secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "•••")
    return text
