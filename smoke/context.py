"""What one attempt of a check has at hand: variables, a time limit, and the tools that all checks of a run share."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from smoke.documents import format_duration
from smoke.target import Broken, Failed, Target, fill, outside_environment, secrets_in

if TYPE_CHECKING:
    from smoke.tools import Tools


@dataclass(slots=True)
class Context:
    """Made anew for every attempt. `name` is the check's, `attempt` counts from 1."""

    target: Target
    tools: "Tools"
    name: str
    time_limit: timedelta
    attempt: int = 1
    captured: dict[str, str] = field(default_factory=dict)
    environment_used: set[str] = field(default_factory=set)

    @property
    def variables(self) -> Mapping[str, str]:
        return {"url": self.target.url.rstrip("/"), **self.target.variables, **self.captured}

    @property
    def secrets(self) -> set[str]:
        return secrets_in(self.variables) | self.environment_used

    def fill(self, text: str) -> str:
        """Raises Missing."""
        outside = outside_environment(self.target)
        filled = fill(text, self.variables, outside)
        names = re.findall(r"\$\{(\w+)\}", text)
        self.environment_used |= {outside[name] for name in names if len(outside.get(name, "")) >= 4}
        return filled

    def file_name(self, suffix: str) -> str:
        """Of a file in the output directory: this attempt's own, and plain."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:60] or "check"
        return f"{self.tools.number_of(self.name):03d}-{plain}-{self.attempt}{suffix}"

    def host(self, named: str | None) -> str:
        """The host that a check may reach. Raises Broken for another than the target's in an untrusted file."""
        if named is None:
            return self.target.host
        host = self.fill(named).lower()
        if host != self.target.host and not self.target.external:
            raise Broken(f"a check of a pull request may reach {self.target.host}, not {host}")
        return host


@asynccontextmanager
async def answering(limit: timedelta, what: str) -> AsyncIterator[None]:
    """Raises Failed where what is inside takes longer."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            yield
    except TimeoutError:
        raise Failed(f"{what} within {format_duration(limit)}") from None
