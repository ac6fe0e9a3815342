"""Asks the running controller, over its JSON API. Standard library only: a command should answer before one notices."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, JsonValue, ValidationError

from controller.cli import homes
from controller.cli.console import FAILED, MISUSED, UNKNOWN, Failure
from controller.settings import ADMIN_TOKEN, Policy

NOT_RUNNING = "Mayfly is not running: start it with `mayfly serve`"
TOKEN = "MAYFLY_TOKEN"  # noqa: S105 - a variable's name
"""Where it is not set, MAYFLY_ADMIN_TOKEN: whoever is in the controller's own environment is its operator."""
NO_TOKEN = f"this Mayfly wants a token: put yours into {TOKEN}; `mayfly token create` makes one"
NOT_TAKEN = f"the token in {TOKEN} is not known here, or not any more; `mayfly token create` makes another"
MAX_ANSWER = 32 * 2**20
"""Bytes of an answer that is read whole; more than ten thousand previews need."""

Answer = TypeVar("Answer", bound=BaseModel)


class Problem(BaseModel):
    """RFC 9457."""

    title: str = ""
    detail: str = ""


class Client:
    """`timeout` in seconds bounds every wait for the other side, except for the next line of a log that is followed."""

    def __init__(self, policy: Policy, timeout: float = 15) -> None:
        host, port = policy.address
        self.address = ("127.0.0.1" if host in {"0.0.0.0", "::"} else host, port)  # noqa: S104 -- read, not bound
        self.url = policy.url()
        self._host = urlsplit(self.url).netloc
        self._timeout = timeout

    def get(self, path: str, answer: type[Answer]) -> Answer:
        """Raises Failure, as do all here."""
        with self._answered("GET", path) as response:
            return self._read(response, answer)

    def post(self, path: str, body: Mapping[str, JsonValue], answer: type[Answer], *, refused: bool = False) -> Answer:
        """`refused`: an answer of 422 is an answer too."""
        with self._answered("POST", path, body, also=422 if refused else 0) as response:
            return self._read(response, answer)

    def lines(self, path: str, *, follow: bool) -> Iterator[str]:
        """Without their ends. Followed, it ends when the other side does."""
        with self._answered("GET", path, forever=follow) as response:
            while line := response.readline(2**20):
                yield line.decode(errors="replace").rstrip("\r\n")

    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        body: Mapping[str, JsonValue] | None = None,
        also: int = 0,
        *,
        forever: bool = False,
    ) -> Iterator[HTTPResponse]:
        connection = HTTPConnection(*self.address, timeout=self._timeout)
        headers = {"Host": self._host, "Accept": "application/json, text/plain"}
        if token := os.environ.get(TOKEN) or os.environ.get(ADMIN_TOKEN):
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            channel = connection.sock
            with connection.getresponse() as response:
                if forever:
                    channel.settimeout(None)
                if response.status >= 400 and response.status != also:
                    raise _problem(response)
                yield response
        except TimeoutError:
            host, port = self.address
            raise Failure(f"{host}:{port} did not answer for {self._timeout:g} s", UNKNOWN) from None
        except (ConnectionRefusedError, ConnectionResetError) as error:
            gone = "Mayfly stopped before it had answered" if isinstance(error, ConnectionResetError) else NOT_RUNNING
            raise Failure(gone, UNKNOWN) from None
        except HTTPException as error:
            raise Failure(f"{self.url} does not speak as Mayfly does: {type(error).__name__}", UNKNOWN) from None
        finally:
            connection.close()

    def _read(self, response: HTTPResponse, answer: type[Answer]) -> Answer:
        try:
            return answer.model_validate_json(response.read(MAX_ANSWER))
        except ValidationError:
            text = f"{self.url} does not answer as this Mayfly does: another program, or another version"
            raise Failure(text, UNKNOWN) from None


def _problem(response: HTTPResponse) -> Failure:
    """What is not taken (409, 422) failed; any other refusal is the person's to mend; 5xx tell nothing."""
    if response.status == 401:
        return Failure(NOT_TAKEN if os.environ.get(TOKEN) else NO_TOKEN)
    body = response.read(64 * 1024)
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = Problem()
    text = problem.detail or problem.title or f"Mayfly answered {response.status} {response.reason}"
    unknown = response.status >= 500 or response.status == 429
    return Failure(text, UNKNOWN if unknown else FAILED if response.status in {409, 422} else MISUSED)


def connect(home: Path | None) -> Client:
    """To the controller of the home that `homes.find` finds. Raises Failure, or DocumentError."""
    return Client(homes.find(home).policy())


def preview_path(repo: str, number: int, what: str = "", **query: str | int) -> str:
    path = f"/api/v1/previews/{quote(repo, safe='/')}/{number}" + (f"/{what}" if what else "")
    return f"{path}?{urlencode(query)}" if query else path


def target_path(name: str, what: str = "", **query: str | int) -> str:
    path = f"/api/v1/targets/{quote(name, safe='')}" + (f"/{what}" if what else "")
    return f"{path}?{urlencode(query)}" if query else path
