"""What a request needs."""

import pytest

from controller.access.model import Scope
from controller.access.needs import Openness, is_audited, needed

CLOSED = Openness(everything=False)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("POST", "/webhooks/github", None),
        ("GET", "/login", None),
        ("POST", "/login", None),
        ("POST", "/logout", None),
        ("GET", "/static/mayfly.css", None),
        ("GET", "/", Scope.READ),
        ("GET", "/status", Scope.READ),
        ("GET", "/metrics", Scope.READ),
        ("GET", "/openapi.json", Scope.READ),
        ("HEAD", "/api/v1/previews", Scope.READ),
        ("GET", "/api/v1/something/new", Scope.READ),
        ("POST", "/api/v1/something/new", Scope.OPERATE),
        ("DELETE", "/api/v1/something/new", Scope.OPERATE),
        ("BREW", "/", Scope.OPERATE),
        ("GET", "/api/v1/agent/work", Scope.AGENT),
        ("POST", "/api/v1/agent/samples", Scope.AGENT),
        ("GET", "/api/v1/agents", Scope.READ),
        ("GET", "/api/v1/tokens", Scope.ADMIN),
        ("POST", "/api/v1/tokens", Scope.ADMIN),
        ("DELETE", "/api/v1/tokens/abc", Scope.ADMIN),
        ("GET", "/api/v1/audit", Scope.ADMIN),
        ("GET", "/targets/production", Scope.READ),
        ("POST", "/targets/production/asks", Scope.OPERATE),
        ("GET", "/api/v1/targets/production/logs", Scope.READ),
        ("POST", "/api/v1/targets/production/rollback", Scope.OPERATE),
        ("GET", "/healthz/x", Scope.READ),
        ("GET", "/loginx", Scope.READ),
        ("GET", "/staticx", Scope.READ),
    ],
)
def test_what_a_request_needs(method: str, path: str, scope: Scope | None):
    assert needed(method, path, CLOSED) is scope


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/previews", None),
        ("POST", "/api/v1/previews", Scope.OPERATE),
        ("GET", "/api/v1/audit", Scope.ADMIN),
        ("GET", "/api/v1/agent/work", Scope.AGENT),
    ],
)
def test_public_reading_opens_no_more_than_reading(method: str, path: str, scope: Scope | None):
    assert needed(method, path, Openness(everything=False, reading=True)) is scope


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/status", None),
        ("GET", "/status/api", None),
        ("POST", "/status", Scope.OPERATE),
        ("GET", "/", Scope.READ),
    ],
)
def test_a_public_status_page_opens_no_more_than_itself(method: str, path: str, scope: Scope | None):
    assert needed(method, path, Openness(everything=False, status=True)) is scope


@pytest.mark.parametrize(
    ("method", "path", "status", "written"),
    [
        ("GET", "/api/v1/previews", 401, False),
        ("POST", "/api/v1/removals/approve", 200, True),
        ("POST", "/api/v1/removals/approve", 401, True),
        ("POST", "/api/v1/removals/approve", 403, True),
        ("POST", "/api/v1/removals/approve", 500, True),
        ("POST", "/api/v1/removals/approve", 429, False),
        ("POST", "/webhooks/github", 202, False),
        ("POST", "/api/v1/agent/samples", 202, False),
        ("POST", "/api/v1/agent/samples", 403, True),
        ("DELETE", "/api/v1/tokens/abc", 204, True),
        ("POST", "/login", 401, True),
    ],
)
def test_what_is_written_down(method: str, path: str, status: int, written: bool):
    assert is_audited(method, path, status) is written
