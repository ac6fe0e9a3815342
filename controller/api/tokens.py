"""`/api/v1/tokens` and `/api/v1/audit`: who may ask what, and what was asked. For admins only; see `needs`."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from controller.access.desk import AccessDesk
from controller.api import token_schemas as schemas
from controller.api.calls import TheCall

TokenId = Annotated[str, Path(pattern=r"^[a-z0-9]{1,40}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Before = Annotated[schemas.Moment | None, Query()]
SOMEBODY = "somebody"
"""Who made a token where access is open, and nobody has to say who they are."""


def create_tokens(desk: AccessDesk) -> APIRouter:
    router = APIRouter()

    @router.get("/tokens")
    async def tokens() -> schemas.TokensOut:
        return schemas.TokensOut(tokens=[schemas.TokenOut.of(token) for token in await desk.tokens()])

    @router.post("/tokens", status_code=201)
    async def make(wanted: schemas.TokenIn, call: TheCall) -> schemas.MadeTokenOut:
        """A new token. The answer is the only place where it is ever shown."""
        lasts = timedelta(seconds=wanted.expires_after) if wanted.expires_after else None
        kept, secret = await desk.make(wanted.name, wanted.scope, call.actor(SOMEBODY), lasts)
        call.detail = f"token {kept.id} for {kept.name}: {kept.scope}"
        return schemas.MadeTokenOut(**schemas.TokenOut.of(kept).model_dump(), token=secret)

    @router.delete("/tokens/{token_id}", status_code=204)
    async def revoke(token_id: TokenId, call: TheCall) -> None:
        """From now on it is nobody's. Other replicas know it within seconds."""
        call.detail = f"revoke token {token_id}"
        await desk.revoke(token_id)

    @router.get("/audit")
    async def audit(limit: Limit = 200, before: Before = None) -> schemas.AuditOut:
        """Every call that changed something, or tried to."""
        entries = await desk.audited(limit, before)
        return schemas.AuditOut(entries=[schemas.EntryOut.of(entry) for entry in entries])

    return router
