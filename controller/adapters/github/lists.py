"""Pages of a list: what one holds, and where the next one is. Pure.

GitHub's address of the next page may say `/repositories/ID/pulls` for `/repos/OWNER/NAME/pulls`; we take only its
query, and only where it leads to the same list, so that nothing we say goes anywhere else.
https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

import re
from functools import cache
from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from controller.adapters.github.wire import Answer
from controller.errors import Unavailable

Shape = TypeVar("Shape", bound=BaseModel)
Query = tuple[tuple[str, str], ...]

_NEXT = re.compile(r'<([^<>]+)>\s*;[^<>]*\brel="?next\b')
_REPO = re.compile(r"^repos/[^/]+/[^/]+/")
_REPO_ID = re.compile(r"^repositories/[0-9]+/")


def one(answer: Answer, shape: type[Shape], what: str) -> Shape:
    """Raises Unavailable where it is not of that shape."""
    try:
        return shape.model_validate_json(answer.body or b"{}")
    except ValidationError as error:
        raise _strange(what, error) from None


def items(answer: Answer, shape: type[Shape], of: str, what: str) -> tuple[Shape, ...]:
    """Of one page; `of` names the list in it. Raises Unavailable likewise."""
    try:
        found = from_json(answer.body)
        return tuple(_adapter(shape).validate_python(found[of] if of else found))
    except ValidationError as error:
        raise _strange(what, error) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unavailable(f"GitHub answers {what} with no list of {of or 'anything'}") from None


def next_page(answer: Answer, api: str, path: str) -> Query | None:
    """Raises Unavailable where it leads anywhere but to the list at `path`."""
    found = _NEXT.search(answer.headers.get("Link", ""))
    if found is None:
        return None
    try:
        url, ours = httpx.URL(found[1]), httpx.URL(f"{api}/")
        base, below = ours.path, url.path
    except httpx.InvalidURL:
        raise Unavailable(f"GitHub says of {path} that it goes on at no address") from None
    is_ours = (url.scheme, url.host, url.port, url.userinfo) == (ours.scheme, ours.host, ours.port, ours.userinfo)
    if not is_ours or not below.startswith(base) or not _same_list(below.removeprefix(base), path):
        raise Unavailable(f"GitHub says of {path} that it goes on elsewhere ({url.host})")
    return tuple(url.params.multi_items())


def _same_list(below: str, path: str) -> bool:
    return below == path or _REPO_ID.sub("", below) == _REPO.sub("", path)


@cache
def _adapter(shape: type[Shape]) -> TypeAdapter[list[Shape]]:
    return TypeAdapter(list[shape])  # type: ignore[valid-type] # a shape is known where it is asked for


def _strange(what: str, error: ValidationError) -> Unavailable:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return Unavailable(f"GitHub answers {what} in a shape that we do not know: {place or 'it'}: {first['msg']}"[:300])
