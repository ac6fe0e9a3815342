"""Says in words where a request or a response is not as GitHub's OpenAPI description has it (`github.json`).

A problem is one line: where, and what is wrong there. An operation or a status that is not in the slice is a problem.
`/repositories/{id}/…`, where GitHub sends those who ask for a renamed repository, counts as `/repos/{owner}/{repo}/…`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.fakes.github.openapi.checker import Checker, Schemas, shortened

HERE = Path(__file__).parent

LINK = r'<[^<>]+>; rel="(next|prev|first|last)"'
HEADERS = {
    "link": re.compile(rf"{LINK}(, {LINK})*"),
    "etag": re.compile(r'(W/)?"[^"]+"'),
    "retry-after": re.compile(r"\d+"),
    "x-ratelimit-limit": re.compile(r"\d+"),
    "x-ratelimit-remaining": re.compile(r"\d+"),
    "x-ratelimit-reset": re.compile(r"\d{10}"),
    "x-ratelimit-used": re.compile(r"\d+"),
}
"""How a header of an answer looks, if it is there. Source: "Best practices" and "Pagination" in GitHub's REST docs."""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter in a path or a query."""

    name: str
    required: bool
    kinds: tuple[str, ...]
    checker: Checker

    def problems(self, text: str, where: str) -> Iterator[str]:
        """What is wrong with `text`, as it stands in the URL, decoded."""
        yield from self.checker.problems(self._read(text), f"{where} {self.name}")

    def _read(self, text: str) -> object:
        if "integer" in self.kinds and re.fullmatch(r"-?\d+", text):
            return int(text)
        return {"true": True, "false": False}.get(text, text) if "boolean" in self.kinds else text


class Operation:
    """One method on one path, with its schemas ready to check."""

    def __init__(self, template: str, given: dict[str, Any], schemas: Schemas) -> None:
        self.template = template
        self._fields = {kind: list(fields(given, kind, schemas)) for kind in ("path", "query")}
        self._body = form(given.get("requestBody", {}), schemas)
        self._needs_body = given.get("requestBody", {}).get("required", False)
        self._answers = {status: form(one, schemas) for status, one in given["responses"].items()}
        many = {one["name"] for one in given["parameters"] if one.get("x-multi-segment")}
        names = re.sub(r"{(\w+)}", lambda at: f"(?P<{at[1]}>{'.+' if at[1] in many else '[^/]+'})", template)
        self.pattern = re.compile(names)

    def request_problems(
        self, at: Mapping[str, str], query: Mapping[str, str], body: object, headers: Mapping[str, str]
    ) -> Iterator[str]:
        for field in self._fields["path"]:
            yield from field.problems(unquote(at[field.name]), "path")
        known = {field.name: field for field in self._fields["query"]}
        yield from (f"query {name}: there is no such parameter" for name in query if name not in known)
        yield from (f"query {name}: is missing" for name, one in known.items() if one.required and name not in query)
        for name in query.keys() & known.keys():
            yield from known[name].problems(query[name], "query")
        yield from self._body_problems(body, headers)

    def _body_problems(self, body: object, headers: Mapping[str, str]) -> Iterator[str]:
        if body is None:
            if self._needs_body:
                yield "body: is missing"
        elif self._body is None:
            yield "body: this operation takes none"
        else:
            yield from self._body.problems(body, "body")
            yield from not_json(headers) if headers else ()

    def response_problems(self, status: int, headers: Mapping[str, str], body: object) -> Iterator[str]:
        if status >= 500:
            return  # whatever stands in front of GitHub says what it likes
        if str(status) not in self._answers:
            yield f"status {status}: this operation does not answer so"
            return
        checker = self._answers[str(status)]
        if checker is None:
            if body is not None:
                yield "body: this status has none"
            return
        yield from checker.problems(body, "body")
        yield from not_json(headers)


def fields(given: dict[str, Any], kind: str, schemas: Schemas) -> Iterator[Field]:
    for one in given["parameters"]:
        if one["in"] == kind:
            types = one["schema"].get("type", ())
            kinds = (types,) if isinstance(types, str) else tuple(types)
            yield Field(one["name"], one["required"], kinds, schemas.checker(one["schema"]))


def form(given: dict[str, Any], schemas: Schemas) -> Checker | None:
    """What checks a body; None where none is described."""
    return schemas.checker(given["content"]["application/json"]["schema"]) if "content" in given else None


def lowered(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def not_json(headers: Mapping[str, str]) -> Iterator[str]:
    kind = headers.get("content-type", "none").partition(";")[0].strip().lower()
    if kind != "application/json" and not re.fullmatch(r"application/[\w.-]+\+json", kind):
        yield f"header content-type: {kind} is not JSON"


class Description:
    """The slice of GitHub's description in `github.json`. Reading it takes some 10 ms; share one."""

    def __init__(self, file: Path = HERE / "github.json") -> None:
        described = json.loads(file.read_text())
        schemas = Schemas(described["components"]["schemas"])
        longest_first = sorted(described["paths"].items(), key=lambda item: -item[0].count("/"))
        self._operations = [
            (method.upper(), Operation(path, given, schemas))
            for path, item in longest_first  # as `commits/{ref}`, with slashes in it, fits more than its own
            for method, given in item.items()
        ]

    @cached_property
    def operations(self) -> frozenset[str]:
        """`GET /repos/{owner}/{repo}/pulls` and so on: all that is in the slice."""
        return frozenset(f"{method} {one.template}" for method, one in self._operations)

    def template(self, method: str, path: str) -> str | None:
        """`/repos/{owner}/{repo}/pulls/{pull_number}` for `/repos/acme/shop/pulls/7`; None: not in the slice."""
        found = self._find(method, path)
        return found[0].template if found else None

    def check_request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Problems of a request; empty: it is fine.

        `path` as it was sent (percent-encoded), without `/api/v3` and the query; `query` decoded; `body` is the parsed
        JSON, None for no body. With `headers`, a body must also be declared to be JSON.
        """
        if (found := self._find(method, path)) is None:
            return [f"{method} {path}: not in the slice"]
        operation, at = found
        problems = operation.request_problems(at, query, body, lowered(headers))
        return [f"{method} {operation.template}: {problem}" for problem in problems]

    def check_response(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: object = None
    ) -> list[str]:
        """Problems of the answer to a request (see `check_request`); empty: it is fine. Any 5xx is."""
        if (found := self._find(method, path)) is None:
            return [f"{method} {path}: not in the slice"]
        operation, given = found[0], lowered(headers)
        problems = [*operation.response_problems(status, given, body), *misshapen(given)]
        return [f"{method} {operation.template} {status}: {problem}" for problem in problems]

    def _find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        path = re.sub(r"^/repositories/\d+(?=/|$)", "/repos/moved/moved", path)
        for wanted, operation in self._operations:
            if wanted == method and (at := operation.pattern.fullmatch(path)):
                return operation, at.groupdict()
        return None


def misshapen(headers: Mapping[str, str]) -> Iterator[str]:
    for name, pattern in HEADERS.items():
        if name in headers and not pattern.fullmatch(headers[name]):
            yield shortened(f"header {name}: {headers[name]!r} is not as GitHub writes it")
