"""GitHub as the policy names it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from smoke.documents import Duration, Strict


class GitHub(Strict):
    """The forge `github`: as an App (`app_id` and its key), or with the token in MAYFLY_GITHUB_TOKEN."""

    api: str = Field("https://api.github.com", pattern=r"^https?://[^\s/]+(/\S*[^\s/])?$")
    """Of Enterprise Server: `https://github.example.com/api/v3`."""
    app_id: int | None = Field(None, ge=1)
    private_key_file: str | None = None
    """PEM file with the App's key; where unset, the key itself in MAYFLY_GITHUB_PRIVATE_KEY."""
    repositories: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")]] = []
    """`OWNER/NAME`: only these get previews. Every one that the App is installed on where empty; a token needs some."""
    mode: Literal["webhook", "poll"] = "webhook"
    """`webhook`: GitHub tells at `/webhooks/github`, signed with MAYFLY_GITHUB_WEBHOOK_SECRET. `poll`: it is only
    asked."""
    fresh: Duration | None = None
    """How old an answer may be before it is asked for again (free, where nothing changed): 1 minute with webhooks,
    15 seconds without."""

    @property
    def fresh_for(self) -> timedelta:
        return self.fresh if self.fresh is not None else timedelta(seconds=60 if self.mode == "webhook" else 15)
