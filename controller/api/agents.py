"""`/api/v1/agent`: what agents fetch and bring. Who asks is an agent's token, and its name is the location."""

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from controller.access.desk import AccessDesk
from controller.api import probe_schemas as schemas
from controller.api.calls import Call, TheCall
from controller.probes.desk import ProbeDesk


def create_agents(desk: ProbeDesk, access: AccessDesk) -> APIRouter:
    router = APIRouter(prefix="/agent")

    @router.get(
        "/assignment",
        response_class=Response,
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "Signed"}},
    )
    async def assignment(call: TheCall) -> Response:
        """What is to be run there, signed for this token alone."""
        location, key = _location(call), await access.key(call.identity.token)
        return Response(await desk.assignment(location, key), media_type="application/json")

    @router.post("/samples", status_code=202)
    async def samples(said: schemas.DeliveryIn, call: TheCall) -> schemas.DeliveredOut:
        """A batch that was taken before is not counted again; what is not run there, or is yet to come, is left out."""
        location = _location(call)
        found = [sample.of(location) for sample in said.samples if sample.likely]
        return schemas.DeliveredOut(new=await desk.deliver(location, said.batch, found))

    return router


def _location(call: Call) -> str:
    """Raises HTTPException (403) where access is open: nobody says who they are there."""
    if not call.identity.token:
        raise HTTPException(403, "an agent needs a token of the scope `agent`, and a policy that asks for tokens")
    return call.identity.name
