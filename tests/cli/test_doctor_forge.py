"""What `mayfly doctor` says of GitHub: of a running controller as it tells, of a policy as a start would find it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from controller.cli import forge_findings
from controller.cli.findings import Finding
from controller.cli.seen import Forge
from controller.settings import GITHUB_KEY, GITHUB_TOKEN, WEBHOOK_SECRET, GitHub, Policy
from tests.cli.conftest import FORGE, Mayfly, Stub

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
FIVE_PAST_TWO = datetime(2026, 3, 14, 14, 5).astimezone()
"""By the clock of whoever runs the test."""
WELL = FORGE | {"name": "github", "remaining": 4812, "limit": 5000, "resets_at": FIVE_PAST_TWO}


def told(mode: str = "webhook", **differing: object) -> dict[str, Finding]:
    policy = Policy(forge="github", domain="previews.example.com", github=GitHub.model_validate({"mode": mode}))
    forge = Forge.model_validate(WELL | differing)
    return {finding.what: finding for finding in forge_findings.of_running(forge, policy, NOW)}


def test_the_embedded_forge_is_not_worth_a_word():
    assert told(name="git") == {}


@pytest.mark.parametrize(
    ("forge", "state", "words"),
    [
        pytest.param({}, "ok", "github: 4,812 of 5,000 requests left until 14:05", id="a quota"),
        pytest.param({"remaining": None}, "ok", "github; it has not said yet how many requests it takes", id="unknown"),
        pytest.param(
            {"waits_until": FIVE_PAST_TWO, "why": "GitHub wants us to wait: slow down"},
            "absent",
            "github: nothing is asked until 14:05: GitHub wants us to wait: slow down",
            id="throttled",
        ),
        pytest.param(
            {"waits_until": NOW - timedelta(seconds=1), "why": "GitHub wanted us to wait"},
            "ok",
            "github: 4,812 of 5,000 requests left until 14:05",
            id="over",
        ),
    ],
)
def test_the_quota_is_told_and_who_makes_us_wait(forge: dict[str, object], state: str, words: str):
    finding = told(**forge)["forge"]
    assert (finding.state, finding.seen) == (state, words)


@pytest.mark.parametrize(
    ("lag", "state", "words"),
    [
        (None, "ok", "nothing has waited"),
        (60.0, "ok", "nothing has waited"),
        (300.7, "absent", "comments and checks have waited for 5 min"),
    ],
)
def test_words_that_wait_for_more_than_a_minute_are_told(lag: float | None, state: str, words: str):
    finding = told(lag=lag)["words"]
    assert finding.state == state
    assert words in finding.seen


def test_when_the_last_webhook_came_is_told():
    assert told(heard_at=NOW - timedelta(minutes=3))["webhooks"].seen == "last told something 3 min ago"


def test_where_no_webhook_ever_came_it_is_told_where_to_look():
    finding = told()["webhooks"]
    assert (finding.state, finding.seen) == ("absent", "nothing heard yet")
    assert "http://previews.example.com:8080/webhooks/github" in finding.advice


def test_who_only_asks_waits_for_no_webhook():
    assert "webhooks" not in told(mode="poll")


def test_a_running_controller_is_asked_how_its_forge_is(stub: Stub, mayfly: Mayfly):
    wants = {"name": "github", "waits_until": "2099-01-01T00:00:00Z", "why": "slow down"}
    stub.says("GET /api/v1/status", {"version": "1", "alarm": "", "forge": FORGE | wants})
    result = mayfly("doctor", "--json")
    found = {finding["what"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert found["forge"]["seen"].endswith("slow down")
    assert found["forge"]["state"] == "absent"
    assert result.exit_code == 0


def test_a_controller_behind_an_entrance_is_asked_under_its_own_name(stub: Stub, mayfly: Mayfly, home: Path):
    policy = home / "mayfly.yaml"
    policy.write_text(policy.read_text() + "domain: previews.example.com\npublic_url: https://previews.example.com\n")
    assert mayfly("doctor").exit_code == 0
    assert stub.hosts == {"previews.example.com"}


@pytest.fixture(scope="module")
def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def found(github: dict[str, object], environ: dict[str, str]) -> dict[str, Finding]:
    policy = Policy(forge="github", github=GitHub.model_validate(github))
    return {finding.what: finding for finding in forge_findings.of_policy(policy, environ)}


APP = {"app_id": 12}
TOKEN = {"repositories": ["acme/shop"], "mode": "poll"}


@pytest.mark.parametrize(
    ("github", "environ", "what", "words"),
    [
        pytest.param({}, {}, "GitHub", ["github.app_id", GITHUB_TOKEN], id="nobody"),
        pytest.param(APP, {}, "GitHub", ["github.private_key_file", GITHUB_KEY], id="an App without a key"),
        pytest.param(
            APP | {"private_key_file": "/nowhere.pem"}, {}, "GitHub", ["/nowhere.pem", "No such file"], id="no key file"
        ),
        pytest.param(APP, {GITHUB_KEY: "secret"}, "GitHub", ["not PEM"], id="no key"),
        pytest.param({}, {GITHUB_TOKEN: "ghp_1"}, "GitHub", ["github.repositories"], id="a token for nothing"),
        pytest.param(APP, {}, "webhooks", [WEBHOOK_SECRET], id="no secret"),
        pytest.param(APP, {WEBHOOK_SECRET: "abc\n"}, "webhooks", ["line break"], id="a secret with a line break"),
    ],
)
def test_what_a_start_would_refuse_is_told_before_it(
    github: dict[str, object], environ: dict[str, str], what: str, words: list[str]
):
    finding = found(github, environ)[what]
    assert finding.state == "missing"
    assert all(word in finding.seen for word in words)
    assert finding.advice


def test_nothing_is_missing_where_nothing_is(pem: str):
    app = found(APP, {GITHUB_KEY: pem, WEBHOOK_SECRET: "a-long-one"})
    token = found(TOKEN, {GITHUB_TOKEN: "ghp_1"})
    assert {what: finding.state for what, finding in (app | token).items()} == {"GitHub": "ok", "webhooks": "ok"}
    assert "the App 12" in app["GitHub"].seen
    assert "commit statuses" in token["GitHub"].seen


def test_no_secret_is_told(pem: str):
    secrets = {GITHUB_KEY: pem.replace("\n", "!\n", 2), GITHUB_TOKEN: "ghp_1 2", WEBHOOK_SECRET: " s3cr3t-of-hooks"}
    for github in (APP, TOKEN | {"mode": "webhook"}):
        for finding in found(github, secrets).values():
            assert not any(
                secret in finding.seen + finding.advice for secret in [*pem.splitlines()[1:-1], *secrets.values()]
            )


def test_an_extra_that_is_not_there_is_told_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forge_findings, "EXTRA", ("httpx", "no_such_module"))
    [finding] = found(APP, {}).values()
    assert (finding.state, finding.advice) == ("missing", "pip install 'mayfly[github]'")


def test_a_policy_elsewhere_can_be_examined(home: Path, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch):
    for name in (GITHUB_TOKEN, GITHUB_KEY, WEBHOOK_SECRET):
        monkeypatch.delenv(name, raising=False)
    policy = home / "other.yaml"
    policy.write_text("listen: 127.0.0.1:0\nforge: github\ngithub: {app_id: 12}\n")
    result = mayfly("doctor", "--policy", policy, "--json")
    states = {finding["what"]: finding["state"] for finding in json.loads(result.stdout)["findings"]}
    assert (states["GitHub"], states["webhooks"], result.exit_code) == ("missing", "missing", 1)
    assert "No such file" in mayfly("doctor", "--policy", home / "none.yaml", "--json").stdout
