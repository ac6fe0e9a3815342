"""Who makes this call, for the routes: `access` finds it out before them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import Scope

from controller.access.desk import ANYBODY
from controller.access.model import Identity

_PLACE = "mayfly.call"


@dataclass(slots=True)
class Call:
    identity: Identity = ANYBODY
    detail: str = ""
    """What it came to, in a few words, for the audit: `rollback production to #6`. Never a secret."""

    @property
    def named(self) -> bool:
        """Whether a token says who asks: no other name counts then."""
        return bool(self.identity.name)

    def actor(self, said: str | None) -> str:
        """Who asks, for the timeline. `said` is what they call themselves, which counts where access is open.

        Raises HTTPException (400) where nobody is named.
        """
        if name := self.identity.name or said:
            return name
        raise HTTPException(400, "actor: say who asks")


def call_of(connection: HTTPConnection) -> Call:
    return call_in(connection.scope)


def call_in(scope: Scope) -> Call:
    """The one of this ASGI scope, made where there is none yet."""

    call = scope.setdefault(_PLACE, Call())
    assert isinstance(call, Call)
    return call


TheCall = Annotated[Call, Depends(call_of)]
"""As a route asks for it: `async def hold(name: Name, said: HoldIn, call: TheCall)`."""
