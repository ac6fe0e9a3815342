"""Strict YAML for people: a document becomes a model, or an error that names the line and the nearest right word.

Used for check files, `.preview.yaml` and `mayfly.yaml` alike. A document is hostile until it is read: its size, its
depth and the number of nodes it expands to (anchors included) are bounded before anything is built from it.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

MAX_BYTES = 256 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document, where it stands (1-based; 0 where it has no place), and what would be right."""

    message: str
    line: int = 0
    column: int = 0
    path: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        hint = f". Did you mean `{self.suggestion}`?" if self.suggestion else ""
        return f"{place}{f'`{self.path}`: ' if self.path else ''}{self.message}{hint}"


class DocumentError(ValueError):
    """The document cannot be used. `problems` says why, in the order of the document."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{name}: {problem}" for problem in self.problems))


class Strict(BaseModel):
    """Every document model derives from this: unknown keys are refused, values are never guessed, nothing mutates."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


_UNITS = {
    "ms": 0.001,
    "millisecond": 0.001,
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "week": 604800,
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def parse_duration(text: object) -> timedelta:
    """`90s`, `2 days`, `1h 30m`, `250ms`. Raises ValueError with an example where it is none."""
    if isinstance(text, timedelta):
        return text
    words = str(text).lower()
    total, end = 0.0, 0
    while match := _DURATION.match(words, end):
        unit = match[2] if match[2] in _UNITS else match[2].removesuffix("s")
        if unit not in _UNITS:
            break
        total += float(match[1]) * _UNITS[unit]
        end = match.end()
    if end != len(words) or not words.strip():
        raise ValueError(f"{text!r} is not a duration; write it like `90s`, `15m` or `2 days`")
    try:
        return timedelta(seconds=total)
    except OverflowError:
        raise ValueError(f"{text!r} is longer than anything lives") from None


def format_duration(duration: timedelta) -> str:
    """For people: `250 ms`, `4.2 s`, `3 min`, `2 h 5 min`, `3 days`."""
    seconds = duration.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min".removesuffix(" 0 min")
    days = minutes / 1440
    return f"{days:.1f}".removesuffix(".0") + " days"


def _plainly(duration: timedelta) -> str:
    """Its seconds, as `parse_duration` reads them: to the microsecond, and never with an exponent."""
    return f"{duration.total_seconds():.6f}".rstrip("0").rstrip(".")


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda value: f"{_plainly(value)}s", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["90s", "15m", "2 days"]}),
]

_SIZE = re.compile(r"(\d+)\s*(|K|M|G|T|Ki|Mi|Gi|Ti)B?")


def parse_size(text: object) -> int:
    """Bytes from Kubernetes' quantities: `512Mi`, `2Gi`, `500M`, `1024`. Raises ValueError where it is none."""
    match = _SIZE.fullmatch(str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not a size; write it like `512Mi` or `2Gi`")
    base = 1024 if match[2].endswith("i") else 1000
    return int(match[1]) * int(base ** " KMGT".index(match[2][:1] or " "))


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": "string", "examples": ["512Mi", "2Gi"]}),
]

Model = TypeVar("Model", bound=BaseModel)


def load(source: str | bytes, model: type[Model], name: str) -> Model:
    """The document as a `model`. An empty document is `{}`. Raises DocumentError, naming the document as `name`."""
    root = _compose(source, name)
    data = {} if root is None else _plain(root, yaml.SafeLoader(""), name)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_problem(detail, root, model) for detail in error.errors()]
        raise DocumentError(name, sorted(problems, key=lambda p: (p.line, p.column))) from None


def _compose(source: str | bytes, name: str) -> yaml.Node | None:
    size = len(source)
    if size > MAX_BYTES:
        raise DocumentError(name, [Problem(f"it has {size:,} bytes; at most {MAX_BYTES:,} are read")])
    try:
        text = source.decode() if isinstance(source, bytes) else source
        root = yaml.compose(text, Loader=_loader(text, name))
    except UnicodeDecodeError as error:
        raise DocumentError(name, [Problem(f"it is not UTF-8 (byte {error.start})")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise DocumentError(name, [Problem(f"not valid YAML: {words}", *place)]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError(name, [Problem(f"not valid YAML: {error}")]) from None
    if root is not None:
        _bound(root, name)
    return root


def _loader(text: str, name: str) -> type[yaml.SafeLoader | yaml.CSafeLoader]:
    """libyaml's, which is ten times faster, for what is well-formed; the errors of the one in Python are the better.

    Both compose by recursion, until their stack ends: what nests too deeply is refused here, from the flat events.
    """
    fast = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    depth = 0
    try:
        for event in yaml.parse(text, Loader=fast):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                place = (mark.line + 1, mark.column + 1) if (mark := event.start_mark) else (0, 0)
                raise DocumentError(name, [Problem(f"it nests more than {MAX_DEPTH} levels deep", *place)])
    except yaml.YAMLError:
        return yaml.SafeLoader
    return fast


def _bound(root: yaml.Node, name: str) -> None:
    """Refuses what expands beyond the limits, before it is expanded (an alias is the same node, met again)."""
    count = 0
    stack: list[tuple[yaml.Node, int]] = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            limit = f"{MAX_NODES:,} values" if count > MAX_NODES else f"{MAX_DEPTH} levels"
            mark = node.start_mark
            raise DocumentError(name, [Problem(f"it expands to more than {limit}", mark.line + 1, mark.column + 1)])
        stack += [(child, depth + 1) for child in _children(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


class Scalar(str):
    """A value exactly as it was written (`1.10` stays `1.10`), with what YAML takes it for in `natural`."""

    __slots__ = ("natural",)
    natural: JsonValue

    def __new__(cls, text: str, natural: JsonValue) -> "Scalar":
        scalar = super().__new__(cls, text)
        scalar.natural = natural
        return scalar


def _natural(value: object) -> object:
    match value:
        case Scalar():
            return value.natural
        case dict():
            return {str(key): _natural(item) for key, item in value.items()}
        case list():
            return [_natural(item) for item in value]
        case _:
            return value


Json = Annotated[JsonValue, BeforeValidator(_natural)]
"""A value compared as JSON: here, and only here, `3` is a number and `true` a boolean."""


def _plain(node: yaml.Node, loader: yaml.SafeLoader, name: str) -> object:
    if isinstance(node, yaml.MappingNode):
        _refuse_repeated_keys(node, name)
        loader.flatten_mapping(node)
        return {key.value: _plain(value, loader, name) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, loader, name) for item in node.value]
    return _scalar(node, loader)


def _refuse_repeated_keys(node: yaml.MappingNode, name: str) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        place = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, yaml.ScalarNode):
            raise DocumentError(name, [Problem("a key must be a word", *place)])
        if key.value in seen:
            raise DocumentError(name, [Problem(f"the key `{key.value}` is written twice", *place)])
        seen.add(key.value)


def _scalar(node: yaml.Node, loader: yaml.SafeLoader) -> Scalar | None:
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag not in _JSON_TAGS:
        return Scalar(node.value, node.value)
    try:
        return Scalar(node.value, loader.construct_object(node))
    except (ValueError, OverflowError):  # an integer of a million digits is text
        return Scalar(node.value, node.value)


_JSON_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float")}


def _problem(detail: ErrorDetails, root: yaml.Node | None, model: type[BaseModel]) -> Problem:
    loc = detail["loc"]
    unknown = detail["type"] == "extra_forbidden"
    mark, path = _place(root, loc, at_key=unknown)
    place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    if unknown:
        known = sorted(_known_keys(model, loc[:-1]))
        message = f"unknown key; known are {', '.join(known)}" if known else "unknown key"
        return Problem(message, *place, path, _nearest(str(loc[-1]), known))
    if detail["type"] == "missing":
        path = f"{path}.{loc[-1]}".strip(".")
    message = detail["msg"].removeprefix("Value error, ")
    context = detail.get("ctx", {})
    expected = re.findall(r"'([^']*)'", f"{context.get('expected', '')} {context.get('expected_tags', '')}")
    return Problem(message, *place, path, _nearest(str(context.get("tag", detail["input"])), expected))


def _nearest(word: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def _place(root: yaml.Node | None, loc: Iterable[int | str], *, at_key: bool) -> tuple[yaml.error.Mark | None, str]:
    """Where `loc` stands, and its path. Parts that pydantic adds (the tag of a union) are not in the document."""
    if root is None:
        return None, ""
    node, mark = root, root.start_mark
    path: list[str] = []
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                continue
            mark = pair[0].start_mark if at_key else pair[1].start_mark
            node = pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            continue
        path.append(str(part))
    return mark, ".".join(path)


def _known_keys(model: type[BaseModel], loc: Iterable[int | str]) -> set[str]:
    """The keys a document may have at `loc`, for a suggestion; of every variant where a union leaves it open."""
    types: list[Any] = [model]
    for part in loc:
        following = [inner for kind in types for inner in _step(kind, part)]
        types = following or [kind for kind in types if _tagged(kind, part)] or types
    return {
        field.alias or name
        for kind in types
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, field in kind.model_fields.items()
    }


def _step(kind: Any, part: int | str) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in {name, field.alias}:
                return _variants(field.annotation)
        return []
    return _variants(get_args(kind)[-1]) if get_args(kind) else []


def _tagged(kind: Any, tag: int | str) -> bool:
    """Whether `tag` is what a discriminated union calls this variant."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return False
    return any(tag in get_args(field.annotation) for field in kind.model_fields.values())


def _variants(annotation: Any) -> list[Any]:
    """The alternatives of a union, with `Annotated` and `None` taken off."""
    if get_origin(annotation) is Annotated:
        return _variants(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return [kind for arg in get_args(annotation) for kind in _variants(arg)]
    return [annotation]
