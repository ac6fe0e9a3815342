"""A journey: requests that build on each other. Every attempt begins with no cookies and no captures, and cleans up."""

import asyncio
from datetime import timedelta
from http import HTTPStatus

import aiohttp
from pydantic import JsonValue

from smoke.context import Context, answering
from smoke.jsonpath import find
from smoke.kinds.http import Answer, exchange, parsed
from smoke.patterns import search
from smoke.spec import JourneyCheck, JourneyStep
from smoke.target import Broken, Failed, Finding, Missing

CLEANUP_LIMIT = timedelta(seconds=30)
MAX_CAPTURE = 4096


async def check(spec: JourneyCheck, context: Context) -> Finding:
    cookies = aiohttp.CookieJar(unsafe=True)  # previews are reached by IP address too
    told: list[str] = []
    try:
        async with answering(context.time_limit, "the journey did not end"):
            for number, step in enumerate(spec.steps, 1):
                await _take(step, f"step {number}", context, cookies, told)
    except (Failed, Broken) as problem:
        problem.details = "\n".join([*told, problem.details, *await _clean_up(spec, context, cookies)]).strip()
        raise
    except asyncio.CancelledError:
        await _clean_up(spec, context, cookies)
        raise
    if complaints := await _clean_up(spec, context, cookies):
        raise Failed(complaints[0], "\n".join([*told, *complaints]))
    return Finding(message=f"{len(spec.steps)} steps", details="\n".join(told))


async def _clean_up(spec: JourneyCheck, context: Context, cookies: aiohttp.CookieJar) -> list[str]:
    """Every cleanup step, whatever becomes of the others. Returns what went wrong."""
    complaints: list[str] = []
    try:
        async with answering(min(CLEANUP_LIMIT, context.time_limit), "the cleanup did not end"):
            for number, step in enumerate(spec.cleanup, 1):
                try:
                    await _take(step, f"cleanup {number}", context, cookies, [])
                except Missing:
                    continue  # what it would clean up was never made
                except (Failed, Broken) as problem:
                    complaints.append(problem.message)
    except Failed as problem:
        complaints.append(problem.message)
    return complaints


async def _take(step: JourneyStep, place: str, context: Context, cookies: aiohttp.CookieJar, told: list[str]) -> None:
    title = f"{place} ({step.name or f'{step.method} {step.path}'})"
    try:
        answer = await exchange(step, context, cookies)
        for name, source in step.capture.items():
            context.captured[name] = _captured(source, answer)
    except (Failed, Broken) as problem:
        problem.message = f"{title}: {problem.message}"
        raise
    told.append(f"{title}: {answer.status} {_phrase(answer.status)} in {answer.took.total_seconds() * 1000:.0f} ms")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


def _captured(source: str, answer: Answer) -> str:
    value = _found(source, answer)
    if len(value) > MAX_CAPTURE:
        raise Failed(f"what {source} captures is longer than {MAX_CAPTURE} characters")
    return value


def _found(source: str, answer: Answer) -> str:
    if source.startswith("header:"):
        name = source.removeprefix("header:").strip()
        if name not in answer.headers:
            raise Failed(f"there is no header `{name}` to capture")
        return answer.headers[name]
    if source.startswith("matches:"):
        match = search(source.removeprefix("matches:"), answer.body)
        if match is None or match[1] is None:
            raise Failed(f"nothing in the body matches {source.removeprefix('matches:')!r}")
        return str(match[1])
    try:
        return _text(find(parsed(answer), source))
    except LookupError as error:
        raise Failed(str(error.args[0])) from error
    except ValueError as error:
        raise Failed(f"the body is not JSON: {error}") from error


def _text(value: JsonValue) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise Failed("only text, a number or a boolean can be captured")
