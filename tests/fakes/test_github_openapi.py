"""What GitHub would not accept or answer is told apart from what it would."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.github.openapi import make
from tests.fakes.github.openapi.schema import Description

SHOP = "/repos/acme/shop"
JSON = {"Content-Type": "application/json; charset=utf-8"}
RUN = {"name": "mayfly/smoke", "head_sha": "abc"}
NOTE = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "no"}
REACTION = {
    "id": 1,
    "node_id": "R_1",
    "user": None,
    "content": "eyes",
    "created_at": "2026-01-02T03:04:05Z",
}


@pytest.fixture(scope="module")
def github() -> Description:
    return Description()


def noted(count: int) -> dict[str, Any]:
    return RUN | {"output": {"title": "t", "summary": "s", "annotations": [NOTE] * count}}


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        pytest.param(
            "GET", f"{SHOP}/pulls", {"state": "all", "per_page": "100", "page": "3"}, None, id="a page of 100"
        ),
        pytest.param("GET", "/repositories/12/pulls/7", {}, None, id="a repository by its id, after a redirect"),
        pytest.param("GET", f"{SHOP}/commits/heads/a/b/check-runs", {}, None, id="a branch with a slash"),
        pytest.param("GET", f"{SHOP}/environments/preview%2F7", {}, None, id="an environment with an encoded slash"),
        pytest.param("POST", f"{SHOP}/issues/7/comments", {}, {"body": "hello"}, id="a comment"),
        pytest.param("PUT", f"{SHOP}/pulls/7/merge", {}, None, id="a merge without a body"),
        pytest.param("POST", f"{SHOP}/check-runs", {}, noted(50), id="50 annotations"),
        pytest.param(
            "POST", f"{SHOP}/statuses/abc", {}, {"state": "error", "target_url": None}, id="null where it may"
        ),
        pytest.param(
            "POST",
            f"{SHOP}/deployments",
            {},
            {"ref": "a", "payload": {"any": 1}},
            id="free fields where they are allowed",
        ),
    ],
)
def test_a_right_request_has_no_problems(
    github: Description, method: str, path: str, query: dict[str, str], body: object
) -> None:
    assert github.check_request(method, path, query, body, JSON) == []


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "problem"),
    [
        pytest.param("DELETE", SHOP, {}, None, "not in the slice", id="an operation that is not in the list"),
        pytest.param("GET", f"{SHOP}/pulls/", {}, None, "not in the slice", id="a slash too many"),
        pytest.param(
            "GET", f"{SHOP}/pulls/seven", {}, None, "path pull_number: 'seven' is not of type", id="a word as number"
        ),
        pytest.param("GET", f"{SHOP}/environments/preview/7", {}, None, "not in the slice", id="a slash not encoded"),
        pytest.param(
            "GET", f"{SHOP}/pulls", {"per_page": "101"}, None, "query per_page: 101 is greater", id="a page of 101"
        ),
        pytest.param(
            "GET", f"{SHOP}/pulls", {"per-page": "1"}, None, "query per-page: there is no such", id="a misspelt query"
        ),
        pytest.param(
            "GET", f"{SHOP}/pulls", {"state": "shut"}, None, "query state: 'shut' is not one of", id="a wrong choice"
        ),
        pytest.param("GET", f"{SHOP}/pulls", {}, {"a": 1}, "body: this operation takes none", id="a body for a reader"),
        pytest.param("POST", f"{SHOP}/issues/7/comments", {}, None, "body: is missing", id="no body"),
        pytest.param(
            "POST", f"{SHOP}/issues/7/comments", {}, {}, "'body' is a required property", id="a field is missing"
        ),
        pytest.param(
            "POST", f"{SHOP}/issues/7/comments", {}, {"body": 7}, "body.body: 7 is not of type", id="a wrong type"
        ),
        pytest.param(
            "POST",
            f"{SHOP}/check-runs",
            {},
            RUN | {"external": "x"},
            "('external' was unexpected)",
            id="a misspelt field",
        ),
        pytest.param("POST", f"{SHOP}/check-runs", {}, noted(51), "is too long", id="51 annotations"),
        pytest.param(
            "POST",
            f"{SHOP}/check-runs",
            {},
            RUN | {"output": {"title": "t", "summary": "x" * 65_536}},
            "is too long",
            id="a summary too long",
        ),
        pytest.param(
            "POST",
            f"{SHOP}/check-runs",
            {},
            RUN | {"output": {"title": "t", "summary": "", "note": ""}},
            "body.output: Additional properties",
            id="a misspelt field further in",
        ),
        pytest.param(
            "POST", f"{SHOP}/check-runs", {}, RUN | {"started_at": "today"}, "is not a 'date-time'", id="a wrong time"
        ),
        pytest.param(
            "PATCH",
            f"{SHOP}/check-runs/1",
            {},
            {"status": "completed"},
            "'conclusion' is a required",
            id="done, but how?",
        ),
        pytest.param(
            "POST",
            "/app/installations/1/access_tokens",
            {},
            {"permissions": {"check": "write"}},
            "'check' was unexpected",
            id="a permission there is not",
        ),
    ],
)
def test_a_wrong_request_has_its_problem_in_words(
    github: Description, method: str, path: str, query: dict[str, str], body: object, problem: str
) -> None:
    (only,) = github.check_request(method, path, query, body, JSON)
    assert problem in only
    assert len(only) < 500


def test_a_body_must_be_declared_as_json(github: Description) -> None:
    problems = github.check_request(
        "POST", f"{SHOP}/issues/7/comments", {}, {"body": "a"}, {"Content-Type": "text/plain"}
    )
    assert problems == [
        "POST /repos/{owner}/{repo}/issues/{issue_number}/comments: header content-type: text/plain is not JSON"
    ]


REACTIONS = ("GET", f"{SHOP}/issues/comments/1/reactions")


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        pytest.param(200, JSON, [REACTION], id="as described"),
        pytest.param(
            200, JSON | {"ETag": 'W/"ab"', "Link": '<http://a/?page=2>; rel="next"'}, [], id="with its headers"
        ),
        pytest.param(304, {"ETag": '"ab"'}, None, id="nothing new"),
        pytest.param(403, JSON | {"Retry-After": "60"}, {"message": "slow down"}, id="throttled"),
        pytest.param(502, {"Content-Type": "text/html"}, "<p>a unicorn", id="what a proxy says"),
    ],
)
def test_a_right_answer_has_no_problems(
    github: Description, status: int, headers: dict[str, str], body: object
) -> None:
    assert github.check_response(*REACTIONS, status, headers, body) == []


@pytest.mark.parametrize(
    ("status", "headers", "body", "problem"),
    [
        pytest.param(201, JSON, [], "status 201", id="a status it does not have"),
        pytest.param(200, JSON, None, "body: None is not of type 'array'", id="no body"),
        pytest.param(304, JSON, [], "body: this status has none", id="a body too many"),
        pytest.param(200, {}, [], "header content-type: none is not JSON", id="no content type"),
        pytest.param(
            200, JSON, [REACTION | {"content": "cry"}], "body[0].content: 'cry' is not one of", id="a wrong item"
        ),
        pytest.param(
            200, JSON, [REACTION | {"created_at": "2026-01-02T03:04:05"}], "'date-time'", id="a time with no zone"
        ),
        pytest.param(404, JSON, {}, "'message' is a required property", id="an error that says nothing"),
        pytest.param(200, JSON | {"Link": "<http://a>; rel=next"}, [], "header link", id="a link badly written"),
        pytest.param(
            200, JSON | {"X-RateLimit-Remaining": "-1"}, [], "header x-ratelimit-remaining", id="less than none"
        ),
    ],
)
def test_a_wrong_answer_has_its_problem_in_words(
    github: Description, status: int, headers: dict[str, str], body: object, problem: str
) -> None:
    (only,) = github.check_response(*REACTIONS, status, headers, body)
    assert problem in only


def test_what_was_right_once_is_looked_at_again_when_it_changes(github: Description) -> None:
    reaction = dict(REACTION)
    assert github.check_response(*REACTIONS, 200, JSON, [reaction]) == []
    reaction["user"] = "ada"
    problems = github.check_response(*REACTIONS, 200, JSON, [reaction])
    assert any("body[0].user: 'ada' is not of type 'object'" in problem for problem in problems)
    assert github.check_response(*REACTIONS, 200, JSON, [reaction]) == problems


def test_of_several_schemas_the_nearest_says_what_is_missing(github: Description) -> None:
    reaction = REACTION | {"user": {"login": "ada"}}
    problems = github.check_response(*REACTIONS, 200, JSON, [reaction])
    assert any(problem.endswith("body[0].user: 'id' is a required property") for problem in problems)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        (f"{SHOP}/commits/abc", "{ref}"),
        (f"{SHOP}/commits/heads/a/b", "{ref}"),
        (f"{SHOP}/commits/abc/check-runs", "{ref}/check-runs"),
        (f"{SHOP}/commits/abc/pulls", "{commit_sha}/pulls"),
    ],
)
def test_what_fits_several_is_the_longest_one(github: Description, path: str, template: str) -> None:
    assert github.template("GET", path) == f"/repos/{{owner}}/{{repo}}/commits/{template}"


def test_a_path_has_its_template(github: Description) -> None:
    assert github.template("GET", f"{SHOP}/pulls/7") == "/repos/{owner}/{repo}/pulls/{pull_number}"
    assert github.template("GET", "/nowhere") is None


def test_the_slice_has_every_operation_of_the_list_and_no_other(github: Description) -> None:
    assert github.operations == set(make.OPERATIONS)


def test_every_reference_leads_somewhere() -> None:
    described = json.loads((make.HERE / "github.json").read_text())
    assert make.references(described) == described["components"]["schemas"].keys()


def test_nothing_of_openapi_3_0_is_left() -> None:
    described = json.loads((make.HERE / "github.json").read_text())
    assert not {"nullable", "example", "discriminator"} & set(keywords(described["components"]["schemas"].values()))


def keywords(schemas: Any) -> Iterator[str]:
    """The words of JSON Schema used in these schemas and within; names of fields are not words."""
    for schema in schemas:
        if isinstance(schema, dict):
            yield from schema
            inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
            yield from keywords([*inner, *(one for key in make.LISTS for one in schema.get(key, []))])


def test_the_package_gives_the_same_bytes_again(tmp_path: Path) -> None:
    folder = os.environ.get("MAYFLY_OCTOKIT_OPENAPI")
    if not folder:
        pytest.skip("MAYFLY_OCTOKIT_OPENAPI does not name the unpacked npm package @octokit/openapi")
    make.make(Path(folder), tmp_path)
    for name in ("github.json", "LICENSE"):
        assert (tmp_path / name).read_bytes() == (make.HERE / name).read_bytes()
