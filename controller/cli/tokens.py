"""`mayfly token create | list | revoke`: on History itself, as the operator of this machine; no server is needed."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from controller.access.desk import REMEMBERED, AccessDesk
from controller.access.model import Scope, Token
from controller.access.tokens import NAME, why_over
from controller.cli import homes
from controller.cli.ask import person
from controller.cli.console import Failure, out, say
from controller.settings import HISTORY_URL
from smoke.documents import format_duration, parse_duration

Result = TypeVar("Result")


def create(
    home: Path | None, policy: Path | None, *, name: str, scope: str, expires: str | None, as_json: bool
) -> None:
    """On stdout the token and nothing else, so that it can be piped to where it is kept."""
    wanted, lasts = _scope(scope), _lasts(expires)
    if not re.fullmatch(NAME, name):
        raise Failure(f"--name: {name!r} is no name: at most 60 letters, digits, spaces and `._@+-`")
    token, secret = _at_desk(home, policy, lambda desk: desk.make(name, wanted, person(), lasts))
    if as_json:
        print(json.dumps(_row(token) | {"token": secret}))
        return
    print(secret)
    say(f"Keep it: it is shown this once. It is {token.name}'s, may {_MAY[token.scope]}, and {_until(token)}.")


def show(home: Path | None, policy: Path | None, *, as_json: bool) -> None:
    tokens = _at_desk(home, policy, lambda desk: desk.tokens())
    if as_json:
        print(json.dumps({"tokens": [_row(token) for token in tokens]}))
        return
    if not tokens:
        say("There are no tokens: `mayfly token create --name me --scope admin` makes one.")
        return
    from rich.markup import escape  # noqa: PLC0415 - as below
    from rich.table import Table  # noqa: PLC0415 - what JSON needs not is not loaded for it

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("id", "name", "scope", "made", "last used", "state"):
        table.add_column(title, no_wrap=True)
    for token in tokens:
        made, used = f"{token.created_at:%Y-%m-%d} by {token.created_by}", _moment(token.used_at) or "never"
        table.add_row(token.id, escape(token.name), str(token.scope), escape(made), used, _state(token))
    out().print(table)


def revoke(home: Path | None, policy: Path | None, token_id: str, *, as_json: bool) -> None:
    _at_desk(home, policy, lambda desk: desk.revoke(token_id))
    if as_json:
        print(json.dumps({"revoked": token_id}))
    else:
        print(f"Revoked: within {format_duration(REMEMBERED)} it is worth nothing anywhere.")


def _at_desk(home: Path | None, policy: Path | None, asked: Callable[[AccessDesk], Awaitable[Result]]) -> Result:
    """Raises Failure, MayflyError or DocumentError."""
    found = homes.find(home)
    read = found.policy(policy)
    from controller.adapters.history import open_history, sqlite_url  # noqa: PLC0415 -- mistakes are told before it loads

    async def ask() -> Result:
        history = await open_history(read.history or os.environ.get(HISTORY_URL) or sqlite_url(found.history))
        try:
            return await asked(AccessDesk(history.access, history.access, lambda: datetime.now(UTC)))
        finally:
            await history.close()

    return asyncio.run(ask())


_MAY = {
    Scope.READ: "read",
    Scope.OPERATE: "read and operate",
    Scope.ADMIN: "do everything",
    Scope.AGENT: "do what an agent does",
}


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise Failure(f"--scope: {text!r} is none; there are {', '.join(f'`{one}`' for one in Scope)}") from None


def _lasts(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        lasts = parse_duration(text)
    except ValueError as error:
        raise Failure(f"--expires: {error}") from None
    if lasts <= timedelta():
        raise Failure(f"--expires: {text!r} is over before it begins")
    return lasts


def _until(token: Token) -> str:
    return f"expires on {token.expires_at:%Y-%m-%d at %H:%M} UTC" if token.expires_at else "does not expire"


def _state(token: Token) -> str:
    return why_over(token, datetime.now(UTC)).removeprefix("it ").removeprefix("was ") or _until(token)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _row(token: Token) -> dict[str, str | None]:
    """As the API has it."""
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "revoked_at", "used_at")}
    told = {name: moment.astimezone(UTC).isoformat() if moment else None for name, moment in times.items()}
    return {"id": token.id, "name": token.name, "scope": str(token.scope), "created_by": token.created_by} | told
