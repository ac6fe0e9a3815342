"""Cuts the operations Mayfly uses out of GitHub's OpenAPI description.

`python -m tests.fakes.github.openapi.make [FOLDER]`, where FOLDER is the unpacked npm package `@octokit/openapi`;
without one, `npm pack` gets it. Writes `github.json` and `LICENSE` beside this file, the same bytes for the same
package. What changes on the way:

| in the package                        | in `github.json` |
|---------------------------------------|------------------|
| every operation of GitHub             | those of `OPERATIONS`, and the schemas they reach |
| OpenAPI 3.0 (`nullable`, …)           | OpenAPI 3.1, so each schema is plain JSON Schema, Draft 2020-12 |
| texts, examples, defaults, other hosts | gone |
| unknown fields of a request: allowed  | refused where fields are listed: GitHub would ignore a misspelt one silently |
| per_page: "max 100", in prose         | 1 to 100 |
| errors: no field is required          | `message` is |
| errors any operation can have: in part | all of `ANYWHERE` and any 5xx |
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPO = "/repos/{owner}/{repo}"

OPERATIONS = (
    "GET /app",
    "GET /app/installations",
    "POST /app/installations/{installation_id}/access_tokens",
    "GET /installation/repositories",
    "GET /rate_limit",
    "GET /user",
    f"GET {REPO}",
    f"GET {REPO}/branches/{{branch}}",
    f"POST {REPO}/check-runs",
    f"GET {REPO}/check-runs/{{check_run_id}}",
    f"PATCH {REPO}/check-runs/{{check_run_id}}",
    f"GET {REPO}/check-runs/{{check_run_id}}/annotations",
    f"GET {REPO}/check-suites/{{check_suite_id}}",
    f"GET {REPO}/collaborators/{{username}}/permission",
    f"GET {REPO}/commits/{{commit_sha}}/pulls",
    f"GET {REPO}/commits/{{ref}}",
    f"GET {REPO}/commits/{{ref}}/check-runs",
    f"GET {REPO}/commits/{{ref}}/statuses",
    f"GET {REPO}/deployments",
    f"POST {REPO}/deployments",
    f"DELETE {REPO}/deployments/{{deployment_id}}",
    f"GET {REPO}/deployments/{{deployment_id}}/statuses",
    f"POST {REPO}/deployments/{{deployment_id}}/statuses",
    f"GET {REPO}/environments/{{environment_name}}",
    f"DELETE {REPO}/environments/{{environment_name}}",
    f"GET {REPO}/git/blobs/{{file_sha}}",
    f"GET {REPO}/git/trees/{{tree_sha}}",
    f"GET {REPO}/issues/comments",
    f"GET {REPO}/issues/comments/{{comment_id}}",
    f"PATCH {REPO}/issues/comments/{{comment_id}}",
    f"DELETE {REPO}/issues/comments/{{comment_id}}",
    f"GET {REPO}/issues/comments/{{comment_id}}/reactions",
    f"POST {REPO}/issues/comments/{{comment_id}}/reactions",
    f"GET {REPO}/issues/{{issue_number}}/comments",
    f"POST {REPO}/issues/{{issue_number}}/comments",
    f"GET {REPO}/pulls",
    f"POST {REPO}/pulls",
    f"GET {REPO}/pulls/{{pull_number}}",
    f"PATCH {REPO}/pulls/{{pull_number}}",
    f"GET {REPO}/pulls/{{pull_number}}/files",
    f"PUT {REPO}/pulls/{{pull_number}}/merge",
    f"POST {REPO}/statuses/{{sha}}",
)

ANYWHERE = ("301", "307", "400", "401", "403", "404", "422", "429")
"""Moved, not JSON, no or a bad token, not allowed or throttled, not there or hidden, not valid, throttled."""

FAILURE = {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
FORMATS = ("date-time", "uri")
LISTS = ("allOf", "anyOf", "oneOf")
BOUNDS = tuple(f"{side}{what}" for side in ("min", "max") for what in ("imum", "Length", "Items", "Properties"))
AS_IT_IS = ("type", "enum", "required", "pattern", "uniqueItems", *BOUNDS)

Json = dict[str, Any]


def converted(schema: Any) -> Any:
    """One OpenAPI 3.0 schema as JSON Schema; what does not constrain is left out."""
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # what stands beside a reference counts for nothing in OpenAPI 3.0
    out: Json = {key: schema[key] for key in AS_IT_IS if key in schema}
    if schema.get("format") in FORMATS:
        out["format"] = schema["format"]
    if "properties" in schema:
        out["properties"] = {name: converted(one) for name, one in schema["properties"].items()}
    out |= {key: converted(schema[key]) for key in ("items", "additionalProperties", "not") if key in schema}
    out |= {key: [converted(one) for one in schema[key]] for key in LISTS if key in schema}
    return or_null(out) if schema.get("nullable") else out


def or_null(schema: Json) -> Json:
    """What `nullable: true` means: the same, or null."""
    if not any(key in schema for key in (*LISTS, "enum", "not")):
        return schema | {"type": [schema["type"], "null"]} if "type" in schema else schema
    return {"anyOf": [schema, {"type": "null"}]}


def closed(schema: Any, components: Json) -> Any:
    """A request's schema with no references and no room for fields it does not name."""
    if isinstance(schema, list):
        return [closed(one, components) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return closed(converted(components[schema["$ref"].rpartition("/")[2]]), components)
    out = {key: closed(one, components) for key, one in schema.items()}
    if schema.get("type") in ("object", ["object", "null"]) and "properties" in schema:
        out.setdefault("additionalProperties", False)
    return out


def parameter(given: Json, package: Json) -> Json:
    """A parameter in place, its schema converted."""
    one = given if "$ref" not in given else package["components"]["parameters"][given["$ref"].rpartition("/")[2]]
    schema = converted(one["schema"])
    if one["name"] == "per_page":
        schema |= {"minimum": 1, "maximum": 100}
    out = {"name": one["name"], "in": one["in"], "required": one.get("required", False), "schema": schema}
    return out | {key: True for key in ("x-multi-segment",) if one.get(key) or given.get(key)}


def json_of(content: Json) -> Json:
    """The schema of a body's JSON form; `{}` if it has none."""
    forms = content.get("content", {})
    return forms.get("application/json", {}).get("schema", {}) if forms else {}


def body(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def responses(operation: Json, package: Json, *, reads: bool) -> Json:
    """Every status this operation can have, with the schema of its body."""
    out: Json = {status: {"description": "", **body(FAILURE)} for status in ANYWHERE} | {"5XX": {"description": ""}}
    if reads:
        out["304"] = {"description": ""}
    for status, given in operation["responses"].items():
        one = given if "$ref" not in given else package["components"]["responses"][given["$ref"].rpartition("/")[2]]
        schema = converted(json_of(one))
        if not status.startswith("5"):
            out[status] = {"description": "", **(body(schema) if schema else {})}
    return out


def operation(method: str, path: str, package: Json) -> Json:
    given = package["paths"][path][method]
    out: Json = {
        "operationId": given["operationId"],
        "parameters": [parameter(one, package) for one in given.get("parameters", [])],
        "responses": responses(given, package, reads=method == "get"),
    }
    if "requestBody" in given:
        schema = closed(converted(json_of(given["requestBody"])), package["components"]["schemas"])
        out["requestBody"] = {"required": given["requestBody"].get("required", False), **body(schema)}
    return out


def references(node: Any) -> set[str]:
    """Names of the schemas that `node` refers to directly."""
    if isinstance(node, dict):
        found = {node["$ref"].rpartition("/")[2]} if isinstance(node.get("$ref"), str) else set()
        return found.union(*(references(one) for one in node.values()))
    return set().union(*(references(one) for one in node)) if isinstance(node, list) else set()


def reached(paths: Json, package: Json) -> Json:
    """The schemas that `paths` refer to, also through one another."""
    out: Json = {}
    wanted = references(paths)
    while missing := wanted - out.keys():
        out |= {name: converted(package["components"]["schemas"][name]) for name in missing}
        wanted |= references([out[name] for name in missing])
    out["basic-error"]["required"] = ["message"]
    return out


def cut(package: Json) -> Json:
    """The slice of the description in `package`."""
    paths: Json = {}
    for method, path in (one.split(" ") for one in OPERATIONS):
        paths.setdefault(path, {})[method.lower()] = operation(method.lower(), path, package)
    info = {key: package["info"][key] for key in ("title", "version", "license")}
    info["description"] = "Cut out of the npm package @octokit/openapi by make.py; see LICENSE."
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": reached(paths, package)}}


def make(folder: Path, into: Path = HERE) -> None:
    """Writes `github.json` and `LICENSE` from the unpacked package in `folder`."""
    package = json.loads((folder / "generated" / "api.github.com.json").read_text())
    text = json.dumps(cut(package), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    (into / "github.json").write_text(text + "\n")
    credit = f"github.json is a cut of the npm package @octokit/openapi {package['info']['version']}, which says:\n\n"
    (into / "LICENSE").write_text(credit + (folder / "LICENSE").read_text())


@contextmanager
def unpacked(package: str, arguments: list[str]) -> Iterator[Path]:
    """The folder with an npm package: the one in `arguments`, or a fresh copy, gone afterwards."""
    if arguments:
        yield Path(arguments[0])
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", package, "--pack-destination", folder], check=True)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder) / "package"


if __name__ == "__main__":
    with unpacked("@octokit/openapi", sys.argv[1:]) as here:
        make(here)
