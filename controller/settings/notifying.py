"""Whom the controller tells of what needs a person."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from controller.settings.names import LABEL
from controller.settings.targets import VARIABLE
from smoke.documents import Strict


class Route(Strict):
    """Somebody who is told: an HTTP endpoint that takes JSON, or Slack."""

    name: Annotated[str, Field(pattern=LABEL)]
    kind: Literal["webhook", "slack"] = "webhook"
    url: str | None = Field(None, pattern=r"^https?://")
    url_from: Annotated[str, Field(pattern=VARIABLE)] | None = None
    """Variable with the URL, where that is a secret (as Slack's is)."""
    secret_from: Annotated[str, Field(pattern=VARIABLE)] | None = None
    """Variable with the secret that a `webhook` is signed with (HMAC-SHA256)."""
    severities: list[Literal["page", "ticket", "info"]] = ["page", "ticket", "info"]
    """`page`: now. `ticket`: within days. `info`: a release was verified, a person rolled back. Whoever was told that
    something began is told that it is over."""

    @model_validator(mode="after")
    def _one_url(self) -> "Route":
        if (self.url is None) == (self.url_from is None):
            raise ValueError("a route has either `url` or `url_from`")
        if self.kind == "slack" and self.secret_from is not None:
            raise ValueError("Slack's messages are not signed: leave `secret_from` out")
        return self
