"""Annotations as the Checks API takes them: one that it does not take would cost the whole check run. Pure.

https://docs.github.com/en/rest/checks/runs#create-a-check-run
"""

import posixpath

from pydantic import JsonValue

from controller.adapters.github import limits
from controller.common.markdown import one_line, passage
from controller.common.words import Annotation

MOST = 500
"""Of one check run: ten requests, and more than anybody reads. The summary names what failed besides."""
NOWHERE = ".github"
"""Path of an annotation that belongs to no file of the repository."""
_LONGEST_PATH = 1024
_LAST_LINE = 2**31 - 1


def cleaned(annotations: tuple[Annotation, ...]) -> list[JsonValue]:
    """In order, at most MOST; always the same for the same, so that the ones after the n-th can be sent later."""
    return [_cleaned(annotation) for annotation in annotations[:MOST]]


def batches(annotations: list[JsonValue]) -> list[list[JsonValue]]:
    """Of one request each; one that is empty where there are none."""
    size = limits.ANNOTATIONS
    return [annotations[start : start + size] for start in range(0, len(annotations), size)] or [[]]


def _cleaned(annotation: Annotation) -> dict[str, JsonValue]:
    line = min(max(annotation.line, 1), _LAST_LINE)
    title = one_line(annotation.title, limits.ANNOTATION_TITLE)
    return {
        "path": _path(annotation.path),
        "start_line": line,
        "end_line": line,
        "annotation_level": "failure",
        "message": _bytes(passage(annotation.message, limits.ANNOTATION_MESSAGE).strip()) or "failed",
        **({"title": title} if title else {}),
    }


def _path(path: str) -> str:
    """Relative to the repository, as far as it can be told."""
    inside = posixpath.normpath(one_line(path, _LONGEST_PATH + 1).replace("\\", "/").lstrip("/") or ".")
    if inside in {".", ".."} or inside.startswith("../") or len(inside) > _LONGEST_PATH:
        return NOWHERE
    return inside


def _bytes(text: str) -> str:
    """As much as fits in UTF-8, cut between characters."""
    return text.encode()[: limits.ANNOTATION_MESSAGE].decode(errors="ignore")
