"""`/login` and `/logout`: a browser gets a session for a token. Where access is open there is nothing to log in to."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from controller.access.desk import AccessDesk
from controller.access.rates import Meter, Tier
from controller.api.access import client
from controller.api.calls import TheCall
from controller.api.rendering import Pages
from controller.api.sessions import Sessions, own_page

MAX_TOKEN = 500
"""Characters that are looked at."""


class Login:
    def __init__(self, desk: AccessDesk, sessions: Sessions, meter: Meter, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._sessions = sessions
        self._meter = meter
        self._clock = clock
        self._pages = Pages(conversations=False)

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/login", self.ask, methods=["GET"])
        router.add_api_route("/login", self.enter, methods=["POST"])
        router.add_api_route("/logout", self.leave, methods=["POST"])
        return router

    async def ask(self, request: Request, next: str = "/") -> Response:  # noqa: A002 - as the address has it
        return self._page(request, own_page(next))

    async def enter(
        self,
        request: Request,
        call: TheCall,
        token: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",  # noqa: A002 - likewise
    ) -> Response:
        call.detail, wanted = "login", own_page(next)
        identity = await self._desk.who(token.strip()[:MAX_TOKEN])
        if identity is None:
            return self._refuse(request, wanted)
        call.identity = identity
        response = RedirectResponse(wanted, 303)
        self._sessions.begin(response, token.strip())
        return response

    async def leave(self, call: TheCall) -> Response:
        call.detail = "logout"
        response = RedirectResponse("/login", 303)
        self._sessions.end(response)
        return response

    def _refuse(self, request: Request, wanted: str) -> Response:
        allowance = self._meter.count(Tier.LOGIN, client(request.scope))
        if allowance.taken:
            return self._page(request, wanted, "This token is not known here, or not any more.", 401)
        why = f"Too many tokens that are not right. Try again in {allowance.resets_in} s."
        response = self._page(request, wanted, why, 429)
        response.headers.update(allowance.headers())
        return response

    def _page(self, request: Request, wanted: str, why: str = "", status: int = 200) -> Response:
        values = {"next": wanted, "why": why}
        return self._pages.show(request, "login.html", values, now=self._clock(), status=status)
