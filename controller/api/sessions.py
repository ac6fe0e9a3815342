"""What a browser holds: the person's token, in a cookie that no script reads and no preview is sent.

    https   `__Host-mayfly_session`, Secure: a browser lets no other host set it, nor any page without TLS
    http    `mayfly_session`

Nothing is kept here: revoking the token ends its sessions, and so does the browser after `access.session`. A preview's
page can put a cookie of this name beside ours, for the whole domain: of two, none is taken.
"""

from datetime import timedelta
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response

from controller.access.model import SESSION_COOKIE, SESSION_COOKIE_TLS


class Sessions:
    def __init__(self, *, secure: bool, lasts: timedelta) -> None:
        self._secure = secure
        self._name = SESSION_COOKIE_TLS if secure else SESSION_COOKIE
        self._lasts = int(lasts.total_seconds())

    def read(self, headers: Headers) -> str:
        """The token in the cookie; empty where there is none, or more than one."""
        pairs = [pair.strip() for line in headers.getlist("cookie") for pair in line.split(";")]
        found = [pair for pair in pairs if pair.partition("=")[0].strip() == self._name]
        return found[0].partition("=")[2].strip() if len(found) == 1 else ""

    def begin(self, response: Response, token: str) -> None:
        """SameSite=Lax: who follows a link from the forge is known. `guard` and `access` fence what changes."""
        response.set_cookie(
            self._name, token, max_age=self._lasts, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def end(self, response: Response) -> None:
        response.delete_cookie(self._name, path="/", secure=self._secure, httponly=True, samesite="lax")


def own_page(wanted: str) -> str:
    """Where to go after the login: a path of ours, or `/`. `//evil.com` and `/\\evil.com` lead elsewhere."""
    parts = urlsplit(wanted) if wanted.isprintable() and "\\" not in wanted else None
    if parts is None or parts.scheme or parts.netloc or not wanted.startswith("/") or wanted.startswith("//"):
        return "/"
    return "/" if parts.path in {"/login", "/logout"} else wanted


def login_page(wanted: str) -> str:
    return f"/login?next={quote(wanted, safe='/')}" if wanted != "/" else "/login"
