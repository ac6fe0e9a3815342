"""What a check file says: a list of checks, each with a name and exactly one kind.

    checks:
      - name: the front page
        http: {path: /, expect: {body: Welcome, within: 500ms}}
      - name: buying a book
        after: [the front page]
        journey:
          steps:
            - {path: /cart, method: POST, json: {book: 7}, capture: {cart: $.id}}
            - {path: "/cart/{cart}", expect: {json: {"$.items.length()": 1}}}
          cleanup:
            - {path: "/cart/{cart}", method: DELETE}

Text may use `{url}`, `{sha}` and other variables, what earlier steps captured, and, in a trusted file, `${NAME}` from
the environment; `{{word}}` stands for `{word}` itself.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from smoke.documents import Duration, Json, Strict
from smoke.jsonpath import JsonPath, parse


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"not a command: {error}") from None


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\0" in text:
        raise ValueError(f"{text!r} is not a path inside the repository")
    return str(path)


def _capture(text: str) -> str:
    if text.startswith("header:") and text != "header:":
        return text
    if text.startswith("matches:"):
        if re.compile(_pattern(text.removeprefix("matches:"))).groups != 1:
            raise ValueError("`matches:` takes a regular expression with one group, like `matches:csrf=(\\w+)`")
        return text
    parse(text)
    return text


Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_words),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
Status = Annotated[str, Field(pattern=r"^[1-5](\d\d|xx)$")]
Statuses = Annotated[
    tuple[Status, ...],
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "anyOf": [{"type": ["integer", "string"]}, {"type": "array", "items": {"type": ["integer", "string"]}}],
            "examples": [200, "2xx", [200, 404]],
        }
    ),
]
Pattern = Annotated[str, AfterValidator(_pattern)]
FilePath = Annotated[str, AfterValidator(_inside)]
Path = Annotated[str, Field(pattern=r"^(/|https?://|\{)")]
Variable = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Capture = Annotated[str, AfterValidator(_capture)]
Host = Annotated[str, Field(pattern=r"^[^\s/@]{1,253}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Aliased(Strict):
    """A model with keys that Python has other plans for (`json`); written as they are read."""

    model_config = ConfigDict(serialize_by_alias=True)


class HttpExpect(Aliased):
    """What the answer must be. Where nothing is said: a status below 400."""

    status: Statuses = ()
    """A status (`200`), a class of them (`2xx`), or a list. A redirect that is expected here is not followed."""
    headers: dict[str, str] = {}
    """Text that each of these headers contains."""
    body: str | None = None
    """Text that the body contains."""
    matches: Pattern | None = None
    """Regular expression found in the body."""
    json_: dict[JsonPath, Json] = Field({}, alias="json")
    """Values by their path, `$.items[0].id: 3`."""
    within: Duration | None = None
    """Latency budget, from sending the request to the end of the body."""


class HttpStep(Aliased):
    """One request. Redirects on the same host are followed, at most five; cookies are kept for a journey."""

    path: Path
    """From `/`. A trusted file may also name a whole URL."""
    method: Method = "GET"
    headers: dict[str, str] = {}
    body: str | None = None
    json_: Json = Field(None, alias="json")
    expect: HttpExpect = HttpExpect()

    @model_validator(mode="after")
    def _one_body(self) -> "HttpStep":
        if self.body is not None and self.json_ is not None:
            raise ValueError("a request has a `body` or a `json`, not both")
        return self


class JourneyStep(HttpStep):
    """A request whose answer may be kept for the later ones."""

    name: Name | None = None
    capture: dict[Variable, Capture] = {}
    """Variables from the answer: a JSON path (`$.token`), `header:Location`, or `matches:csrf=(\\w+)`."""


class HttpCheck(HttpStep):
    """A request, and what its answer must be."""


class TcpCheck(Strict):
    """A port that accepts connections."""

    host: Host | None = None
    """The target's where none is named."""
    port: Port


class DnsCheck(Strict):
    """A name that resolves."""

    name: Host
    type: Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"] = "A"
    expect: tuple[str, ...] = ()
    """Records that must be among the answers; any answer will do where none are named."""
    server: str | None = Field(None, pattern=r"^[0-9a-fA-F.:]+$")
    """IP address of the resolver to ask, with an optional `:port` (IPv4); the system's where none is named."""


class TlsCheck(Strict):
    """A certificate that is valid for the host, and stays so for a while."""

    host: Host | None = None
    port: Port | None = None
    expires_in_more_than: Duration = timedelta(days=14)
    ca: FilePath | None = None
    """PEM file in the repository with the authority to trust, where it is not a public one."""


class PostgresCheck(Strict):
    """A query, in a read-only transaction, and the rows it returns."""

    url: str = "{database_url}"
    query: str = Field(min_length=1)
    expect: Annotated[list[list[Json]] | None, Field()] = None
    """The rows, all of them, in order; any where unset."""


class CommandCheck(Strict):
    """Anything that exits with 0. No shell is involved unless you name one."""

    run: Words
    """`{junit}` stands for a file to write JUnit XML to."""
    junit: FilePath | None = None
    """Where it writes JUnit XML, where it cannot be told to write to `{junit}`."""
    image: str | None = None
    """Container image to run it in (Kubernetes only), once, beside the other checks; may use `{sha}`."""
    env: dict[EnvName, str] = {}

    @property
    def reports(self) -> bool:
        """Whether it promises a JUnit file."""
        return self.junit is not None or any("{junit}" in word for word in self.run)


class BrowserExpect(Strict):
    title: str | None = None
    """Text that the title contains."""
    text: str | None = None
    """Text that is visible on the page."""
    selector: str | None = None
    """CSS selector of an element that is visible."""


class BrowserAction(Strict):
    """One of `click`, `fill` and `press`."""

    click: str | None = None
    """CSS selector."""
    fill: dict[str, str] | None = None
    """Text by CSS selector."""
    press: str | None = None
    """A key, like `Enter`."""

    @model_validator(mode="after")
    def _one(self) -> "BrowserAction":
        if sum(part is not None for part in (self.click, self.fill, self.press)) != 1:
            raise ValueError("an action is one of `click`, `fill` and `press`")
        return self


class BrowserCheck(Strict):
    """A page in a real Chromium, after JavaScript had its say."""

    path: Path = "/"
    actions: list[BrowserAction] = []
    expect: BrowserExpect = BrowserExpect()
    console_errors: Literal["allow", "fail"] = "allow"
    """Whether an error in the console fails the check; it is in the details either way."""
    screenshot: bool = True


class JourneyCheck(Strict):
    """Requests that build on each other, with their own cookies. A retry repeats all of them from a clean state."""

    steps: list[JourneyStep] = Field(min_length=1)
    cleanup: list[JourneyStep] = []
    """Always run, whatever failed; a step that needs what was never captured is passed over."""


KINDS = ("http", "tcp", "dns", "tls", "postgres", "command", "browser", "journey")
_DEFAULT_TIMEOUT = timedelta(seconds=10)
_LONG_TIMEOUTS = {"command": timedelta(minutes=5), "browser": timedelta(seconds=30), "journey": timedelta(seconds=60)}


class Check(Strict):
    """A name, and exactly one of the kinds."""

    name: Name
    http: HttpCheck | None = None
    tcp: TcpCheck | None = None
    dns: DnsCheck | None = None
    tls: TlsCheck | None = None
    postgres: PostgresCheck | None = None
    command: CommandCheck | None = None
    browser: BrowserCheck | None = None
    journey: JourneyCheck | None = None
    timeout: Annotated[Duration | None, Field(gt=timedelta(), le=timedelta(hours=2))] = None
    """Of one attempt. 10 s where unset; a browser 30 s, a journey 1 min, a command 5 min."""
    retries: int = Field(0, ge=0, le=3)
    """How often it is tried again; every attempt is reported."""
    after: list[str] = []
    """Names of checks that must have passed before this one runs."""

    @model_validator(mode="after")
    def _one_kind(self) -> "Check":
        named = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(named) != 1:
            found = f"and this one has {' and '.join(named)}" if named else "and this one has none"
            raise ValueError(f"a check has exactly one of {', '.join(KINDS)}; {found}")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def time_limit(self) -> timedelta:
        return self.timeout or _LONG_TIMEOUTS.get(self.kind, _DEFAULT_TIMEOUT)


def why_not(checks: Iterable[Check]) -> str:
    """What is wrong with these checks together; empty where nothing is."""
    after = {check.name: check.after for check in checks}
    names = Counter(check.name for check in checks)
    if twice := [name for name, count in names.items() if count > 1]:
        return f"two checks are called `{twice[0]}`"
    for name, others in after.items():
        if missing := [other for other in others if other not in after]:
            return f"check `{name}` runs after `{missing[0]}`, which is not a check here"
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        return f"checks wait for each other in a circle: {' → '.join(error.args[1])}"
    return ""


def _in_order(checks: list[Check]) -> list[Check]:
    if problem := why_not(checks):
        raise ValueError(problem)
    return checks


Suite = Annotated[list[Check], AfterValidator(_in_order)]
"""Checks with names of their own, in an order that exists."""


class CheckFile(Strict):
    """A file of checks, in the order they are written."""

    checks: Suite = []
