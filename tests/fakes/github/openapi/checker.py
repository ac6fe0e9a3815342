"""Checks one JSON value with one JSON Schema (Draft 2020-12) and says in words what is wrong with it."""

import marshal
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators

WORDS = 300
"""The longest problem, in characters: a wrong comment of 65,537 must not be repeated whole."""

FORMATS = FormatChecker(formats=())


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[a-z][a-z0-9+.-]*:[^\s\[\]<>{}\"|\\^`]+", value) is not None


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


class Schemas:
    """The named schemas. What was seen to be right is remembered: worlds repeat themselves."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._right: set[tuple[str, bytes]] = set()
        extend: Any = validators.extend  # it has no types
        self._kind = extend(Draft202012Validator, {"$ref": self._follow})

    def checker(self, schema: dict[str, Any]) -> "Checker":
        return Checker(self._kind(schema, format_checker=FORMATS))

    def _follow(self, validator: Any, name: str, value: Any, _: object) -> Iterator[ValidationError]:
        # Version 2 of marshal writes equal values as equal bytes; later ones also say which are one object.
        mark = (name, blake2b(marshal.dumps(value, 2), digest_size=16).digest())
        if mark not in self._right:
            errors = list(validator.descend(value, self._named[name.rpartition("/")[2]]))
            self._right |= set() if errors else {mark}
            yield from errors


@dataclass(frozen=True, slots=True)
class Checker:
    """One schema."""

    validator: Any

    def problems(self, value: object, where: str) -> Iterator[str]:
        """What is wrong with `value`, which is JSON."""
        for error in self.validator.iter_errors(value):
            yield from (shortened(f"{where}{one.json_path[1:]}: {one.message}") for one in causes(error))


def causes(error: ValidationError) -> Iterator[ValidationError]:
    """What is wrong, where one of several schemas should have fitted: all that the nearest one lacks."""
    if not error.context:
        yield error
        return
    variants: dict[object, list[ValidationError]] = {}
    for one in error.context:
        variants.setdefault(one.relative_schema_path[0], []).append(one)
    for one in min(variants.values(), key=lambda errors: (is_other_type(errors), len(errors))):
        yield from causes(one)


def is_other_type(errors: list[ValidationError]) -> bool:
    return any(one.validator == "type" and not one.relative_path for one in errors)


def shortened(problem: str) -> str:
    return problem if len(problem) <= WORDS else f"{problem[: WORDS // 2]} … {problem[-WORDS // 2 :]}"
