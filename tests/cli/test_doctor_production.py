"""What `mayfly doctor` says of main, its probes, and whoever is told."""

import json
import socket
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.cli import production_findings as findings
from controller.cli.findings import Finding
from controller.settings import ADMIN_TOKEN, Home, Policy
from tests.cli.conftest import Mayfly, Stub

TARGET = {"name": "production", "repository": "shop"}
PROBE = {"name": "shop", "url": "https://shop.example.com"}
Doctor = Callable[..., dict[str, Finding]]


@pytest.fixture
def before(home: Path) -> Doctor:
    """Before a start, with this policy and these variables."""

    def look(policy: dict[str, Any], **environ: str) -> dict[str, Finding]:
        read = Policy.model_validate(policy)
        found = [*findings.of_policy(read, Home(home), environ), *findings.of_start(read, environ)]
        return {finding.what: finding for finding in found}

    return look


@pytest.fixture
def running(stub: Stub, home: Path, mayfly: Mayfly) -> Doctor:
    """While a controller runs that has this policy."""

    def look(policy: dict[str, Any]) -> dict[str, Finding]:
        file = home / "mayfly.yaml"
        file.write_text(file.read_text() + "".join(f"{key}: {json.dumps(value)}\n" for key, value in policy.items()))
        told = json.loads(mayfly("doctor", "--json").stdout)["findings"]
        return {finding["what"]: Finding(**finding) for finding in told}

    return look


def test_who_has_neither_main_nor_probes_hears_nothing_of_them(before: Doctor):
    assert before({}) == {}


@pytest.mark.parametrize(
    ("policy", "what", "state", "variable"),
    [
        ({"notify": [{"name": "oncall", "url_from": "ONCALL"}]}, "route oncall", "missing", "ONCALL"),
        (
            {"notify": [{"name": "oncall", "url": "http://127.0.0.1:1", "secret_from": "KEY"}]},
            "route oncall",
            "missing",
            "KEY",
        ),
        ({"targets": [TARGET | {"secrets": {"KEY": "SHOP_KEY"}}]}, "target production", "absent", "SHOP_KEY"),
        (
            {
                "platform": "kubernetes",
                "targets": [
                    TARGET
                    | {
                        "watch": {
                            "workloads": ["deployment/web"],
                            "rollback_webhook": "http://127.0.0.1:1",
                            "rollback_secret_from": "KEY",
                        }
                    }
                ],
            },
            "target production",
            "missing",
            "KEY",
        ),
    ],
)
def test_a_variable_that_is_not_set_is_told_by_name(
    before: Doctor, home: Path, policy: dict[str, Any], what: str, state: str, variable: str
):
    policy |= {"forge": "github"}
    finding = before(policy)[what]
    assert finding.state == state
    assert variable in finding.seen
    there = before(policy, **{variable: "http://127.0.0.1:1/s3cr3t"}).get(what)
    assert there is None or (variable not in there.seen and "s3cr3t" not in there.seen + there.advice)


def test_a_token_for_admins_that_could_be_guessed_is_told(before: Doctor):
    assert before({}, **{ADMIN_TOKEN: "letmein"})[ADMIN_TOKEN].state == "missing"
    assert before({}, **{ADMIN_TOKEN: "x" * 43}) == {}


@pytest.mark.processes
def test_a_target_without_a_repository_or_a_branch_is_told(before: Doctor, home: Path):
    policy = {"targets": [TARGET]}
    assert before(policy)["target production"].seen == "there is no repository `shop`"
    bare = home / "forge" / "shop.git"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True, timeout=30)
    assert before(policy)["target production"].seen == "`shop` has no branch `main`"

    commit = subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=a@b.c", "-C", bare, "commit-tree", "-m", "x", _empty(bare)],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout.strip()
    subprocess.run(["git", "-C", bare, "update-ref", "refs/heads/main", commit], check=True, timeout=30)
    assert "target production" not in before(policy)


def _empty(bare: Path) -> str:
    made = ["git", "-C", str(bare), "hash-object", "-t", "tree", "-w", "--stdin"]
    return subprocess.run(made, check=True, input="", capture_output=True, text=True, timeout=30).stdout.strip()


def test_probes_without_canaries_and_without_anybody_to_tell_are_told(before: Doctor):
    assert before({"probes": [PROBE]}).keys() == {"canaries", "routes"}
    well = {"probing": {"canaries": ["https://example.org"]}, "notify": [{"name": "a", "url": "http://127.0.0.1:1"}]}
    assert before({"probes": [PROBE]} | well).keys() == {"route a"}


def test_a_route_is_reached_and_sent_nothing(before: Doctor):
    with socket.create_server(("127.0.0.1", 0)) as server:
        route = {"name": "oncall", "url": f"http://127.0.0.1:{server.getsockname()[1]}/hook"}
        assert before({"notify": [route]})["route oncall"].state == "ok"
        server.settimeout(5)
        with server.accept()[0] as came:
            assert came.recv(1) == b""
    finding = before({"notify": [route]})["route oncall"]
    assert (finding.state, finding.seen) == ("absent", "cannot be reached: Connection refused")


def test_a_running_controller_tells_how_each_target_stands(stub: Stub, running: Doctor):
    one = {"name": "production", "state": "verified", "headline": "#7 (abc1234) is verified", "problem": ""}
    two = {"name": "staging", "state": "stopped", "headline": "stopped: its checks failed", "problem": ""}
    three = {"name": "eu", "state": "verified", "headline": "#1", "problem": "the cluster does not answer"}
    stub.says("GET /api/v1/targets", {"targets": [one, two, three]})

    found = running({"forge": "github", "github": {"mode": "poll"}, "targets": [TARGET]})

    assert (found["target production"].state, found["target production"].seen) == ("ok", "#7 (abc1234) is verified")
    assert (found["target staging"].state, found["target staging"].seen) == ("absent", "stopped: its checks failed")
    assert (found["target eu"].state, found["target eu"].seen) == ("absent", "the cluster does not answer")


def test_an_agent_that_is_silent_is_told(stub: Stub, running: Doctor):
    now = datetime.now(UTC)
    samples = [{"location": "oslo", "at": f"{now}"}, {"location": "rome", "at": f"{now - timedelta(minutes=9)}"}]
    stub.says("GET /api/v1/probes/shop/samples?limit=200", {"samples": samples})

    found = running({"probes": [PROBE | {"locations": ["here", "oslo", "rome", "bern"]}]})

    assert found["agent oslo"].state == "ok"
    assert (found["agent rome"].state, found["agent rome"].seen) == ("absent", "last heard of 9 min ago")
    assert found["agent bern"].seen == "nothing was heard of it lately, of `shop`"
    assert "agent here" not in found


def test_notices_that_nobody_took_are_counted(stub: Stub, running: Doctor):
    lines = ['mayfly_notices{route="a",state="waiting"} 3.0', 'mayfly_notices{route="b",state="given-up"} 1.0']
    stub.says("GET /metrics", "\n".join(["# TYPE mayfly_notices gauge", *lines, ""]))

    found = running({"notify": [{"name": "a", "url": "http://127.0.0.1:1"}]})

    assert found["notices to a"].seen == "3 not taken yet"
    assert found["notices to b"].seen == "1 given up in the last week"


def test_a_token_that_expires_soon_is_told():
    now = datetime(2026, 3, 14, tzinfo=UTC)

    def token(name: str, days: int | None, **differing: Any) -> findings.Token:
        until = now + timedelta(days=days) if days is not None else None
        return findings.Token.model_validate(
            {"id": "abc", "name": name, "expires_at": until, "revoked_at": None} | differing
        )

    tokens = [token("soon", 14), token("later", 15), token("never", None), token("over", 0)]
    [finding] = findings.expiring([*tokens, token("gone", 3, revoked_at=now)], now)
    assert (finding.what, finding.seen) == ("token soon", "abc expires in 14 days")


def test_who_has_no_token_is_told_that_one_is_needed(stub: Stub, mayfly: Mayfly):
    stub.says("GET /api/v1/status", {"title": "Unauthorized"}, 401)
    found = {one["what"]: one for one in json.loads(mayfly("doctor", "--json").stdout)["findings"]}
    assert "MAYFLY_TOKEN" in found["controller"]["seen"]
    assert "another program" not in json.dumps(found)


def test_in_the_controllers_own_environment_its_token_is_taken(
    stub: Stub, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(ADMIN_TOKEN, "x" * 43)
    mayfly("doctor")
    assert stub.tokens == {f"Bearer {'x' * 43}"}
