"""The OpenAPI document is true: what is served is what it says."""

import re
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from controller.api import schemas, target_schemas
from tests.api.api import a_client, an_api
from tests.api.production import a_day_in_production
from tests.deploys.day import NAME, Day
from tests.fakes.desk import FakeDesk
from tests.fakes.webhooks import FakeWebhooks

PIN = {"command": "pin", "actor": "ada"}
WHY = {"reason": "prices are wrong", "actor": "ada"}
TARGET = f"/api/v1/targets/{NAME}"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/previews", None, 200),
        ("GET", "/api/v1/previews/shop/7", None, 200),
        ("GET", "/api/v1/previews/shop/5", None, 200),
        ("GET", "/api/v1/previews/shop/99", None, 404),
        ("GET", "/api/v1/previews/shop/7/timeline", None, 200),
        ("GET", "/api/v1/previews/shop/7/timeline?limit=x", None, 400),
        ("GET", "/api/v1/previews/shop/7/checks", None, 200),
        ("GET", "/api/v1/previews/shop/7/logs", None, 200),
        ("GET", "/api/v1/previews/shop/7/artifacts/smoke/home page.png", None, 200),
        ("POST", "/api/v1/previews/shop/7/commands", PIN, 202),
        ("POST", "/api/v1/previews/shop/7/commands", PIN | {"command": "fly"}, 422),
        ("POST", "/api/v1/previews/shop/99/commands", PIN, 404),
        ("POST", "/api/v1/removals/approve", {"actor": "ada"}, 200),
        ("GET", "/api/v1/targets", None, 200),
        ("GET", TARGET, None, 200),
        ("GET", f"{TARGET}/releases", None, 200),
        ("GET", f"{TARGET}/timeline", None, 200),
        ("GET", f"{TARGET}/checks", None, 200),
        ("GET", f"{TARGET}/logs", None, 200),
        ("GET", f"{TARGET}/artifacts/home page.png", None, 200),
        ("POST", f"{TARGET}/rollback", WHY, 202),
        ("POST", f"{TARGET}/rollback", WHY | {"to": 9}, 422),
        ("POST", f"{TARGET}/hold", WHY, 202),
        ("POST", f"{TARGET}/release", WHY, 409),
        ("POST", f"{TARGET}/redeploy", WHY, 202),
        ("GET", "/api/v1/status", None, 200),
        ("GET", "/healthz", None, 200),
        ("GET", "/readyz", None, 200),
        ("POST", "/webhooks/github", {}, 202),
        ("POST", "/webhooks/github", {"text": " " * FakeWebhooks.max_body}, 413),
    ],
)
async def test_what_is_served_is_declared(method: str, path: str, body: object, status: int):
    day = await a_day_in_production() if path.startswith(TARGET) else Day()
    day.targets.artifacts[NAME, "home page.png"] = b"PNG"
    async with a_client(an_api(FakeDesk(), targets=day.desk, webhooks=FakeWebhooks())) as client:
        document = (await client.get("/openapi.json")).json()
        answer = await client.request(method, path, json=body)
    assert answer.status_code == status
    media = _declared(document, method, path.partition("?")[0], status)
    kind = answer.headers["Content-Type"].partition(";")[0]
    assert kind in media
    if kind.endswith("json"):
        _check(document, media[kind]["schema"], answer)


async def test_every_operation_of_the_api_is_tried_above():
    async with a_client(an_api(FakeDesk(), targets=Day().desk, webhooks=FakeWebhooks())) as client:
        document = (await client.get("/openapi.json")).json()
    marks = test_what_is_served_is_declared.pytestmark[0].args[1]
    tried = {(_template(document, path.partition("?")[0]), method.lower()) for method, path, *_ in marks}
    declared = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert declared - tried == {("/api/v1/events", "get")}  # it never ends; see test_streams


def _declared(document: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    responses = document["paths"][_template(document, path)][method.lower()]["responses"]
    return (responses.get(str(status)) or responses[f"{status // 100}XX"])["content"]


def _template(document: dict[str, Any], path: str) -> str:
    """The longest template that fits: the last one fits most."""
    fitting = [
        template
        for template in document["paths"]
        if re.fullmatch(
            re.sub(r"\\{number\\}", "[0-9]+", re.sub(r"\\{(?!number)[a-z]+\\}", ".+", re.escape(template))), path
        )
    ]
    return max(fitting, key=len)


def _check(document: dict[str, Any], schema: dict[str, Any], answer: httpx.Response) -> None:
    """The named model reads it strictly: no field is missing, and none is there that is not declared."""
    name = schema["$ref"].rpartition("/")[2]
    model = getattr(schemas, name, None) or getattr(target_schemas, name)
    read = TypeAdapter(model).validate_json(answer.content)
    assert read.model_dump(mode="json") == answer.json()
    declared = set(document["components"]["schemas"][name]["required"])
    assert declared == set(answer.json())
