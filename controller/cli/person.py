"""Ada at GitHub: what she does and reads there through its API, with her token.

Standard library only: whatever is proved with it is not proved with Mayfly's own client.
"""

import json
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from controller.cli.proof import Unmet

Answer = TypeVar("Answer")
MOST = 8 * 2**20
"""Bytes of an answer."""


class User(BaseModel):
    type: str


class Pull(BaseModel):
    number: int
    html_url: str


class Comment(BaseModel):
    body: str
    user: User


class CheckRun(BaseModel):
    name: str
    status: str
    conclusion: str | None


class CheckRuns(BaseModel):
    check_runs: list[CheckRun]


class Deployment(BaseModel):
    id: int


class Status(BaseModel):
    id: int
    state: str


class CommitStatus(Status):
    context: str
    description: str


class Person:
    """`api` is the API's root."""

    def __init__(self, api: str, token: str) -> None:
        self.api, self.token = api, token

    def ask(self, method: str, path: str, answer: type[Answer], body: Mapping[str, JsonValue] | None = None) -> Answer:
        """`path` is below the root. Raises Unmet where GitHub refuses, or is not there."""
        expected = f"GitHub answers {method} {path}"
        status, text = self._talk(expected, method, path, body)
        if status >= 300:
            raise Unmet(expected, f"{status} {text.decode(errors='replace')}")
        try:
            return TypeAdapter(answer).validate_json(text)
        except ValidationError as error:
            raise Unmet(expected, str(error)) from error

    def _talk(self, expected: str, method: str, path: str, body: Mapping[str, JsonValue] | None) -> tuple[int, bytes]:
        root = urlsplit(self.api)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        headers |= {"User-Agent": "mayfly-demo", "Content-Type": "application/json"}
        kind = HTTPSConnection if root.scheme == "https" else HTTPConnection
        with closing(kind(root.netloc, timeout=15)) as connection:
            try:
                connection.request(method, f"{root.path}{path}", None if body is None else json.dumps(body), headers)
                response = connection.getresponse()
                return response.status, response.read(MOST)
            except (OSError, HTTPException) as error:
                raise Unmet(expected, str(error) or type(error).__name__) from error
