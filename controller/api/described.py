"""The OpenAPI document, so that it says what is served.

FastAPI declares every model as application/json, and knows of no middleware: problems are application/problem+json, an
operation needs the scope that `needs` says, and what `access` may answer is said with each.
"""

from typing import Any

from controller.access.needs import Openness, needed

_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "`mayfly_ID_SECRET`. Scopes: `read`; `operate`, which may read; `admin`, which may do all; "
        "`agent`, for what an agent does.",
    }
}
_REFUSALS = {
    "401": "No token, or one that is not known (any more)",
    "403": "The token has too little scope, or another origin asked",
    "429": "Too many at once; try again after `Retry-After` seconds",
}


def as_served(document: dict[str, Any], openness: Openness) -> dict[str, Any]:
    """The same document, changed in place. May be told of one that it has changed already."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not openness.everything:
                _secure(operation, method.upper(), path, openness)
            for response in operation["responses"].values():
                _problems(response)
    if not openness.everything:
        document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    return document


def _secure(operation: dict[str, Any], method: str, path: str, openness: Openness) -> None:
    """Scopes stand beside the scheme, as OpenAPI 3.1 has it for every kind of scheme."""
    if (scope := needed(method, path, openness)) is None:
        return
    operation["security"] = [{"token": [str(scope)]}]
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
    for status, why in _REFUSALS.items():
        operation["responses"][status] = {"description": why, "content": content}


def _problems(response: dict[str, Any]) -> None:
    content = response.get("content", {})
    if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/ProblemOut"):
        content["application/problem+json"] = content.pop("application/json")
