"""What the API says of tokens and of what was done with them, as OpenAPI shows it."""

import re
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from controller.access.model import Scope
from controller.access.tokens import NAME
from controller.api.schemas import Out, Time

TokenName = Annotated[str, Field(pattern=NAME)]
MOST_SECONDS = 10 * 366 * 86_400


class TokenIn(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: TokenName
    """Who it is: what the log, the timeline and the pull request say. An agent's is its location."""
    scope: Scope
    expires_after: Annotated[int, Field(ge=60, le=MOST_SECONDS)] | None = None
    """Seconds; null where it does not expire."""


class TokenOut(Out):
    id: str
    name: str
    scope: Scope
    created_at: Time
    created_by: str
    expires_at: Time | None
    revoked_at: Time | None
    used_at: Time | None
    """To the minute."""


class MadeTokenOut(TokenOut):
    token: str
    """`mayfly_ID_SECRET`: shown now, and never again."""


class TokensOut(Out):
    tokens: list[TokenOut]
    """Oldest first; those that are over included."""


class EntryOut(Out):
    at: Time
    actor: str
    """Empty where nobody was known."""
    token: str
    method: str
    path: str
    status: int
    address: str
    detail: str


class AuditOut(Out):
    entries: list[EntryOut]
    """Newest first."""


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*")


def _written_out(text: object) -> object:
    """RFC 3339; pydantic alone takes seconds since 1970 too, which no document says."""
    if isinstance(text, str) and not _MOMENT.fullmatch(text):
        raise ValueError("say it as RFC 3339 does: 2026-11-21T12:00:00Z")
    return text


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
