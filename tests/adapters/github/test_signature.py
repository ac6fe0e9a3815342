"""Who may ring: whoever shares a secret with us, and nobody else."""

import hashlib
import hmac

import pytest

from controller.adapters.github.signature import Signatures
from controller.errors import Refused

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNED = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""GitHub's own example: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""


def sign(secret: str, body: bytes = BODY, by: str = "sha256") -> str:
    return f"{by}={hmac.new(secret.encode(), body, getattr(hashlib, by)).hexdigest()}"


def test_githubs_own_example_is_proven():
    assert Signatures(SECRET).prove(SIGNED, BODY)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("sha256=", id="an empty one"),
        pytest.param(SIGNED[:-1], id="a digit short"),
        pytest.param(SIGNED + "0", id="a digit more"),
        pytest.param(SIGNED + "\n", id="a line break more"),
        pytest.param(SIGNED[:-1] + "8", id="another digit"),
        pytest.param(SIGNED.upper(), id="in capitals"),
        pytest.param(SIGNED.removeprefix("sha256="), id="without its kind"),
        pytest.param(sign(SECRET, by="sha1"), id="SHA-1"),
        pytest.param(sign(SECRET, by="sha512"), id="SHA-512"),
        pytest.param(sign("another"), id="another secret"),
        pytest.param(sign(""), id="no secret at all"),
        pytest.param("sha256=" + "é" * 64, id="no ASCII"),
        pytest.param("sha256=" + "٣" * 64, id="digits of another script"),
    ],
)
def test_nothing_else_proves_it(header: str):
    assert not Signatures(SECRET).prove(header, BODY)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], BODY.lower()])
def test_it_proves_these_very_bytes(body: bytes):
    assert not Signatures(SECRET).prove(SIGNED, body)


def test_two_secrets_are_taken_while_one_replaces_the_other():
    signatures = Signatures("new", "old")
    assert signatures.prove(sign("new"), BODY)
    assert signatures.prove(sign("old"), BODY)
    assert not signatures.prove(sign("older"), BODY)
    assert not Signatures("new").prove(sign("old"), BODY)


def test_no_previous_secret_is_not_an_empty_one():
    assert not Signatures(SECRET, "").prove(sign(""), BODY)


def test_every_secret_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch):
    compared = []
    compare = hmac.compare_digest

    def counted(one: str, other: str) -> bool:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr("hmac.compare_digest", counted)
    Signatures("new", "old").prove(sign("new"), BODY)
    Signatures("new", "old").prove(sign("neither"), BODY)
    assert len(compared) == 4


@pytest.mark.parametrize(
    ("env", "variable"),
    [
        pytest.param({}, "MAYFLY_GITHUB_WEBHOOK_SECRET to", id="unset"),
        pytest.param({"MAYFLY_GITHUB_WEBHOOK_SECRET": ""}, "MAYFLY_GITHUB_WEBHOOK_SECRET to", id="empty"),
        pytest.param({"MAYFLY_GITHUB_WEBHOOK_SECRET": " \n"}, "MAYFLY_GITHUB_WEBHOOK_SECRET to", id="blank"),
        pytest.param(
            {"MAYFLY_GITHUB_WEBHOOK_SECRET": "", "MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS": "old"},
            "MAYFLY_GITHUB_WEBHOOK_SECRET to",
            id="only the previous one",
        ),
        pytest.param(
            {"MAYFLY_GITHUB_WEBHOOK_SECRET": "new", "MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS": " "},
            "MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS to",
            id="a blank previous one",
        ),
        pytest.param(
            {"MAYFLY_GITHUB_WEBHOOK_SECRET": "hunter2\n"}, "MAYFLY_GITHUB_WEBHOOK_SECRET has", id="a line break"
        ),
    ],
)
def test_a_secret_that_protects_nothing_is_refused_at_the_start(env: dict[str, str], variable: str):
    with pytest.raises(Refused, match=variable) as refused:
        Signatures.of(env)
    assert "hunter2" not in refused.value.reason


def test_both_come_from_the_environment():
    env = {"MAYFLY_GITHUB_WEBHOOK_SECRET": "new", "MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS": "old"}
    assert Signatures.of(env).prove(sign("old"), BODY)
    assert Signatures.of(env | {"MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS": ""}).prove(sign("new"), BODY)
