"""HTTP: a request, and what its answer must be. The body is read up to 1 MiB."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import metadata

import aiohttp
from multidict import CIMultiDict
from pydantic import JsonValue
from yarl import URL

from smoke.addresses import refused, unresolved, why
from smoke.context import Context, answering
from smoke.documents import format_duration
from smoke.jsonpath import find, same
from smoke.patterns import search
from smoke.spec import HttpCheck, HttpExpect, HttpStep
from smoke.target import Broken, Failed, Finding

MAX_BODY = 2**20
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def _user_agent() -> str:
    try:
        return f"mayfly-smoke/{metadata.version('mayfly')}"
    except metadata.PackageNotFoundError:  # run from a bare checkout
        return "mayfly-smoke/0"


USER_AGENT = _user_agent()


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    url: URL
    status: int
    headers: Mapping[str, str]
    body: str
    whole: bool
    """Whether `body` is all of it."""
    took: timedelta


async def check(spec: HttpCheck, context: Context) -> Finding:
    answer = await exchange(spec, context, None)
    return Finding(message=f"{answer.status} in {format_duration(answer.took)}")


async def exchange(step: HttpStep, context: Context, cookies: aiohttp.CookieJar | None) -> Answer:
    """Sends it and judges the answer. Raises Failed or Broken."""
    async with answering(context.time_limit, "there was no whole answer"):
        answer = await _follow(step, context, cookies)
    if problems := wrong(step.expect, answer, context):
        raise Failed("; ".join(problems), _excerpt(answer))
    return answer


async def _follow(step: HttpStep, context: Context, cookies: aiohttp.CookieJar | None) -> Answer:
    request = _request(step, context)
    began = time.perf_counter()
    for _ in range(MAX_REDIRECTS + 1):
        answer = await _send(request, context, cookies, began)
        location = answer.headers.get("Location")
        if answer.status not in _REDIRECTS or location is None or _status_fits(step.expect, answer.status):
            return answer
        request = _redirected(request, answer.status, location, context)
    raise Failed(f"it redirects more than {MAX_REDIRECTS} times, at last to {request.url}")


def locate(path: str, context: Context) -> URL:
    """The URL of a path. Raises Broken for one that leads to another host where that is not allowed."""
    filled = context.fill(path)
    try:
        url = URL(context.target.url.rstrip("/") + filled if filled.startswith("/") else filled)
        home = _at_home(url, context)
    except ValueError as error:
        raise Broken(f"{filled!r} is not a path: {error}") from error
    if home is None and not context.target.external:
        raise Broken(f"a check of a pull request takes a path, like `/`, not {filled!r}")
    return home or url


def _at_home(url: URL, context: Context) -> URL | None:
    """The URL at the target; None where it leads to another host. Raises ValueError.

    An application may be known by another name (`{url}`) than it is reached by here: links to that name lead here too.
    """
    base = URL(context.target.url).origin()
    if url.origin() == base:
        return url
    public = context.target.variables.get("url")
    return base.join(url.relative()) if public and url.origin() == URL(public).origin() else None


def _header(name: str, value: str) -> str:
    if any(sign in name + value for sign in "\r\n\0"):
        raise Broken(f"the header {name!r} would have more than one line")
    return value


def _request(step: HttpStep, context: Context) -> Request:
    url = locate(step.path, context)
    headers = CIMultiDict((name, _header(name, context.fill(value))) for name, value in step.headers.items())
    headers.setdefault("User-Agent", USER_AGENT)
    body = None
    if step.body is not None:
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        body = context.fill(step.body).encode()
    elif step.json_ is not None:
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(_filled(step.json_, context)).encode()
    return Request(step.method, url, headers, body)


def _filled(value: JsonValue, context: Context) -> JsonValue:
    match value:
        case str():
            return context.fill(value)
        case list():
            return [_filled(item, context) for item in value]
        case dict():
            return {key: _filled(item, context) for key, item in value.items()}
        case _:
            return value


async def _send(request: Request, context: Context, cookies: aiohttp.CookieJar | None, began: float) -> Answer:
    url = request.url
    sent = {name: morsel.value for name, morsel in cookies.filter_cookies(url).items()} if cookies else None
    try:
        async with context.tools.http.request(
            request.method,
            url,
            headers=request.headers,
            data=request.body,
            cookies=sent,
            allow_redirects=False,
            timeout=_OURS,
        ) as response:
            if cookies is not None:
                cookies.update_cookies(response.cookies, response.url)
            content, whole = await _read(response)
            took = timedelta(seconds=time.perf_counter() - began)
            text = content.decode(_encoding(response), errors="replace")
            return Answer(url, response.status, response.headers, text, whole, took)
    except (aiohttp.ClientError, ValueError) as error:
        raise _explained(url, error) from error
    except OSError as error:
        raise refused(url.host or "", url.port or 0, error) from error


_OURS = aiohttp.ClientTimeout(total=None, sock_connect=None)  # the whole exchange has one limit, in `exchange`


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            response.close()
            return b"".join(parts)[:MAX_BODY], False
    return b"".join(parts), True


def _encoding(response: aiohttp.ClientResponse) -> str:
    try:
        return "".encode(name := response.charset or "utf-8").decode() or name
    except (LookupError, ValueError):
        return "utf-8"


def _explained(url: URL, error: Exception) -> Failed | Broken:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return unresolved(url.host or "", error.os_error)
        case aiohttp.ClientConnectorCertificateError():
            return Failed(f"its certificate is not trusted: {error.certificate_error}")
        case aiohttp.ClientConnectorSSLError():
            return Failed(f"{url.host}:{url.port} does not speak TLS: {why(error.os_error)}")
        case aiohttp.ClientConnectorError():
            return refused(url.host or "", url.port or 0, error.os_error)
        case aiohttp.ServerDisconnectedError():
            return Failed("it closed the connection without an answer")
        case aiohttp.InvalidURL():
            return Failed(f"{url} is not a URL")
        case _:
            return Failed(f"its answer is not HTTP, or was cut short: {why(error)}")


def _redirected(request: Request, status: int, location: str, context: Context) -> Request:
    """What to send next (RFC 9110, 15.4). Raises Failed where it leads to another host."""
    try:
        url = request.url.join(URL(location))
        following = url if url.origin() == request.url.origin() else _at_home(url, context)
    except ValueError:
        following = None
    if following is None:
        raise Failed(f"it redirects to another host, {location!r}, which is not followed")
    if status in {307, 308} or request.method == "HEAD":
        return replace(request, url=following)
    return replace(request, url=following, method="GET", body=None)


def _status_fits(expect: HttpExpect, status: int) -> bool:
    return any(wanted in {str(status), f"{status // 100}xx"} for wanted in expect.status)


def wrong(expect: HttpExpect, answer: Answer, context: Context) -> list[str]:
    """Everything about the answer that is not as expected."""
    if problem := _wrong_status(expect, answer):
        return [problem]
    problems = [
        *(_wrong_header(name, context.fill(text), answer) for name, text in expect.headers.items()),
        _wrong_body(expect, answer, context),
        *_wrong_json(expect, answer, context),
    ]
    if expect.within is not None and answer.took > expect.within:
        problems.append(f"it took {format_duration(answer.took)}, and has {format_duration(expect.within)}")
    return [problem for problem in problems if problem]


def _wrong_status(expect: HttpExpect, answer: Answer) -> str:
    if expect.status:
        fits, wanted = _status_fits(expect, answer.status), " or ".join(expect.status)
    else:
        fits, wanted = answer.status < 400, "one below 400"
    return "" if fits else f"the status is {answer.status}, expected {wanted}"


def _wrong_header(name: str, text: str, answer: Answer) -> str:
    if name not in answer.headers:
        return f"there is no header `{name}`"
    found = answer.headers[name]
    return "" if text in found else f"the header `{name}` is {found!r}, expected {text!r} in it"


def _wrong_body(expect: HttpExpect, answer: Answer, context: Context) -> str:
    part = "" if answer.whole else " (of which the first 1 MiB was read)"
    if expect.body is not None and (text := context.fill(expect.body)) not in answer.body:
        return f"the body{part} does not contain {text!r}"
    if expect.matches is not None and search(expect.matches, answer.body) is None:
        return f"the body{part} does not match {expect.matches!r}"
    return ""


def _wrong_json(expect: HttpExpect, answer: Answer, context: Context) -> list[str]:
    if not expect.json_:
        return []
    try:
        document = parsed(answer)
    except ValueError as error:
        return [f"the body is not JSON: {error}"]
    return [_wrong_value(document, path, _filled(value, context)) for path, value in expect.json_.items()]


def parsed(answer: Answer) -> JsonValue:
    """The body as JSON. Raises ValueError."""
    if not answer.whole:
        raise ValueError("it is longer than 1 MiB")
    try:
        document: JsonValue = json.loads(answer.body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return document


def _wrong_value(document: JsonValue, path: str, wanted: JsonValue) -> str:
    try:
        found = find(document, path)
    except LookupError as error:
        return str(error.args[0])
    return "" if same(found, wanted) else f"{path} is {_short(found)}, expected {_short(wanted)}"


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"


def _excerpt(answer: Answer) -> str:
    """The answer, for the details: its status, where it came from, and the beginning of its body."""
    return f"{answer.status} {answer.url}\n\n{answer.body[:2000]}".rstrip()
