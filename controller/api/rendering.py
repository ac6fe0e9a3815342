"""From templates to responses: what every page shares. Text is escaped and has nothing in it that is not seen, names
must exist; `guard` seals the answers."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.routing import NoMatchFound

from controller.api import markup, probe_views, target_views, views
from controller.api.calls import TheCall, call_of
from controller.common.markdown import plain, visible
from controller.common.nouns import PreviewKey, short
from controller.previews.commands import HELP
from controller.previews.desk import Answer
from smoke.documents import format_duration

STATUS_PAGE = "status-page"
"""Its route's name."""
NAME_COOKIE = "mayfly_name"
SAID_COOKIE = "mayfly_said"
REFRESH_HEADER = "mayfly-refresh"
"""On a request by the page's own script, which keeps what was said to the person where it stands."""
MAX_NAME = 60
MAX_SAID = 1_500
SOMEBODY = "somebody"
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of our own; its address changes with its content, so that a browser may keep it."""

    content: bytes
    media_type: str
    address: str


def load_assets() -> dict[str, Asset]:
    found: dict[str, Asset] = {}
    for file in files("controller.api").joinpath("static").iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in _TYPES:
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            found[file.name] = Asset(content, _TYPES[kind], f"/static/{file.name}?v={digest}")
    return found


class Pages:
    """Renders templates with the words that all of them use."""

    def __init__(self, *, conversations: bool) -> None:
        self.assets = load_assets()
        self._templates = Environment(
            loader=PackageLoader("controller.api"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters |= {
            "age": views.age,
            "commit": short,
            "day": views.day,
            "markdown": markup.render,
            "plain": plain,
            "quote": lambda text: quote(text, safe=""),
            "rfc3339": views.rfc3339,
            "took": format_duration,
            "web": web_address,
        }
        self._templates.globals |= {
            "asset": lambda name: self.assets[name].address,
            "conversations": conversations,
            "help": HELP,
            "preview_page": preview_page,
            "probe_page": probe_page,
            "probe_views": probe_views,
            "pull_page": pull_page,
            "target_page": target_page,
            "target_views": target_views,
            "views": views,
        }

    def show(
        self, request: Request, template: str, values: Mapping[str, object], *, now: datetime, status: int = 200
    ) -> HTMLResponse:
        """The page, with what was said to this person since the last one."""
        refresh = REFRESH_HEADER in request.headers
        said = None if refresh else read_said(request)
        html = self._templates.get_template(template).render(
            now=now,
            said=said,
            name=read_name(request),
            path=request.url.path,
            status_page=path_of(request, STATUS_PAGE),
            visitor=call_of(request).identity,
            **values,
        )
        response = HTMLResponse(html, status)
        if said is not None:
            response.delete_cookie(SAID_COOKIE, httponly=True, samesite="strict")
        return response

    def asset(self, name: str) -> Response | None:
        asset = self.assets.get(name)
        if asset is None:
            return None
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(asset.content, media_type=asset.media_type, headers=headers)


def _shown(value: object) -> object:
    """Every value of a template on its way to the page: a title that reorders the words beside it is a lie."""
    return visible(value) if type(value) is str else value  # markup of our own is a subclass


def preview_page(key: PreviewKey) -> str:
    return f"/previews/{quote(key.repo)}/{key.number}"


def pull_page(key: PreviewKey) -> str:
    return f"/pulls/{quote(key.repo)}/{key.number}"


def path_of(request: Request, route: str) -> str:
    """Of a page, by its route's name; empty where there is no such page here."""
    try:
        return str(request.app.url_path_for(route))
    except NoMatchFound:
        return ""


def probe_page(name: str) -> str:
    return f"/probes/{quote(name)}"


def target_page(name: str) -> str:
    return f"/targets/{quote(name)}"


def web_address(url: str) -> str:
    """The address, where a link may lead there; empty for anything that is not a web page."""
    return url if url.startswith(("http://", "https://")) else ""


def clean_name(text: str) -> str:
    """One printable line, or `somebody`: without a login, a name is what a person says it is."""
    return " ".join(plain(text).split())[:MAX_NAME] or SOMEBODY


def person(call: TheCall, actor: Annotated[str, Form()] = "", author: Annotated[str, Form()] = "") -> str:
    """Who sent a form: the token's name where there is one, and what they call themselves otherwise."""
    return clean_name(call.identity.name or actor or author)


Person = Annotated[str, Depends(person)]


def read_name(request: Request) -> str:
    """What this person called themselves last; empty at first."""
    known = clean_name(unquote(request.cookies.get(NAME_COOKIE, "")))
    return "" if known == SOMEBODY else known


def see_other(page: str, name: str, answer: Answer | None = None) -> RedirectResponse:
    """Sends the browser back to a page, which then shows the answer once. Remembers the name for a year."""
    response = RedirectResponse(page, 303)
    if name != SOMEBODY:
        response.set_cookie(NAME_COOKIE, quote(name), max_age=365 * 86400, httponly=True, samesite="strict")
    if answer is not None:
        response.set_cookie(SAID_COOKIE, _pack(answer), max_age=60, httponly=True, samesite="strict")
    return response


def _pack(answer: Answer) -> str:
    data = json.dumps([answer.accepted, answer.text[:MAX_SAID]], ensure_ascii=False)
    return base64.urlsafe_b64encode(data.encode(errors="replace")).decode().rstrip("=")


def read_said(request: Request) -> Answer | None:
    """The answer in the cookie; None where there is none, or where it is not one of ours."""
    packed = request.cookies.get(SAID_COOKIE, "")
    try:
        match json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))):
            case [bool(accepted), str(text)]:
                return Answer(accepted, text[:MAX_SAID])
            case _:
                return None
    except ValueError:
        return None
