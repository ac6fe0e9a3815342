"""What checks run against, what they may reach, and what must not be repeated about it."""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from smoke.model import CheckResult, Outcome

MAX_MESSAGE = 500
MAX_DETAILS = 16 * 1024
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?|token|secret|key|credential|cookie|session|csrf|database_url|auth", re.IGNORECASE
)
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)")
_VARIABLE = re.compile(r"\{\{(\w+)\}\}|\$\{([A-Za-z_]\w*)\}|\{([a-z_][a-z0-9_]*)\}")
HIDDEN = "•••"


class Failed(Exception):
    """The application is wrong. `message` is one line; `details` are the lines that matter."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Broken(Exception):
    """Nothing is known: the check could not be run."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Missing(Broken):
    """Text uses a variable that has no value."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one attempt found out."""

    outcome: Outcome = Outcome.PASSED
    message: str = ""
    details: str = ""
    cases: tuple[CheckResult, ...] = ()
    screenshot: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the application answers, and the world around the checks.

    `external` is whether the checks are trusted to name hosts and to read the environment; checks from a pull request
    are not. Variables whose name sounds secret are never repeated in a report.
    """

    url: str
    variables: Mapping[str, str] = field(default_factory=dict)
    workdir: Path = field(default_factory=Path.cwd)
    output: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    external: bool = False
    parallel: int = 50
    """Most network checks at once; commands and browsers are two at once."""

    @property
    def host(self) -> str:
        return (urlsplit(self.url).hostname or "").lower()

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def why_not(self) -> str:
        """What is wrong with it; empty where nothing is."""
        try:
            parts = urlsplit(self.url)
            fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fine = False
        return "" if fine else f"{self.url!r} is not a URL like `http://localhost:8000`"


def fill(text: str, variables: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Puts variables in, in one pass, so that a value is never filled again. Raises Missing."""

    def value(match: re.Match[str]) -> str:
        literal, outer, name = match.groups()
        if literal is not None:
            return f"{{{literal}}}"
        known, key, shown = (environment, outer, f"${{{outer}}}") if outer else (variables, name, f"{{{name}}}")
        if key not in known:
            raise Missing(f"there is no value for `{shown}`")
        return known[key]

    return _VARIABLE.sub(value, text)


def secrets_in(variables: Mapping[str, str]) -> set[str]:
    """The values that must not be repeated: those with a secret name, and passwords inside of URLs."""
    found = {value for name, value in variables.items() if _SECRET_NAME.search(name)}
    passwords = {urlsplit(value).password or "" for value in found if "://" in value and _is_url(value)}
    return {secret for secret in found | passwords if len(secret) >= 4}


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, and without passwords in URLs."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _PASSWORD_IN_URL.sub(HIDDEN, text)


def one_line(text: str, secrets: Iterable[str] = ()) -> str:
    """A message: redacted, on one line, bounded."""
    flat = " ".join(redact(text[: 64 * MAX_MESSAGE], secrets).split())
    return flat if len(flat) <= MAX_MESSAGE else flat[: MAX_MESSAGE - 1] + "…"


def last_lines(text: str, secrets: Iterable[str] = (), limit: int = MAX_DETAILS) -> str:
    """Details: redacted, without control characters, the last `limit` characters where it is long."""
    # More than is kept is redacted, so that no secret is cut in half where the text is cut.
    clean = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]", "", redact(text[-4 * limit :], secrets))
    return clean.strip("\n") if len(clean) <= limit else "…" + clean[1 - limit :].strip("\n")


def outside_environment(target: Target) -> Mapping[str, str]:
    """What `${NAME}` may read: the environment for trusted checks, nothing for others."""
    return os.environ if target.external else {}
