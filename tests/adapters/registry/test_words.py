"""What registries and pull secrets say, read."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.adapters.registry.challenge import Challenge, challenge, retry_after, token
from controller.adapters.registry.credentials import credentials_from, login_for
from controller.common.images import parse
from controller.errors import Refused

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _secret(**auths):
    return json.dumps({"auths": auths}).encode()


def _auth(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ([], None),
        (["Negotiate"], None),
        (['Basic realm="x"'], Challenge("")),
        (
            ['Bearer realm="https://auth.example/t",service="s",scope="repository:a/b:pull"'],
            Challenge("https://auth.example/t", "s", "repository:a/b:pull"),
        ),
        (
            ['bearer  realm = "https://auth.example/t" , scope="repository:a:pull,push"'],
            Challenge("https://auth.example/t", "", "repository:a:pull,push"),
        ),
        (['Basic realm="a", Bearer realm="https://b"'], Challenge("https://b")),
        (['Basic realm="Bearer realm=evil"'], Challenge("")),
        (['Basic realm="a"', 'Bearer realm="https://b"'], Challenge("https://b")),
        (["Bearer realm=https://b"], Challenge("https://b")),
        (['Bearer realm="a\\"b"'], Challenge('a"b')),
    ],
)
def test_a_challenge_is_read(headers, asked):
    assert challenge(headers) == asked


@given(st.lists(st.text(max_size=60), max_size=3))
def test_any_challenge_can_be_read(headers):
    challenge(headers)


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({"token": "t"}, timedelta(seconds=60)),
        ({"access_token": "t", "expires_in": 300}, timedelta(minutes=5)),
        ({"token": "t", "expires_in": 10**30}, timedelta(hours=1)),
        ({"token": "t", "expires_in": "soon"}, timedelta(seconds=60)),
        ({"token": "t", "expires_in": -1}, timedelta(seconds=60)),
    ],
)
def test_a_token_lives_as_long_as_it_says(answer, life):
    assert token(json.dumps(answer).encode()) == ("t", life)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": 3}', b'{"token": "a\\r\\nb"}', b"<html>"])
def test_what_has_no_token_is_not_taken_for_one(body):
    with pytest.raises(ValueError):
        token(body)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (None, None),
        ("30", timedelta(seconds=30)),
        ("Mon, 02 Mar 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Mon, 02 Mar 2026 11:00:00 GMT", timedelta()),
        ("9" * 400, timedelta(hours=6)),
        ("later", None),
    ],
)
def test_how_long_to_wait_is_seconds_or_a_date(text, wait):
    assert retry_after(text, NOON) == wait


def test_a_pull_secret_is_read():
    secret = _secret(
        **{
            "ghcr.io": {"auth": _auth("ada:p:w")},
            "quay.io": {"username": "bob", "password": "secret", "auth": "not used"},
            "https://index.docker.io/v1/": {"auth": _auth("hub:pw")},
            "https://registry.example:5000": {"auth": _auth("r:pw")},
            "ghcr.io/acme": {"auth": _auth("acme:pw")},
            "helper.example": {},
        }
    )
    assert credentials_from(secret) == {
        "ghcr.io": ("ada", "p:w"),
        "quay.io": ("bob", "secret"),
        "docker.io": ("hub", "pw"),
        "registry.example:5000": ("r", "pw"),
        "ghcr.io/acme": ("acme", "pw"),
    }


@pytest.mark.parametrize("secret", [b"", b"{}", b"[]", b'{"auths": []}', b'{"auths": {"a": 3}}', b"\xff"])
def test_what_is_no_pull_secret_is_refused(secret):
    with pytest.raises(Refused, match=r"the pull secret is no `.dockerconfigjson` with `auths`"):
        credentials_from(secret)


@pytest.mark.parametrize("auth", ["%%%", _auth("hunter2")])
def test_a_pull_secret_that_cannot_be_read_is_not_told(auth):
    with pytest.raises(Refused) as refused:
        credentials_from(_secret(**{"ghcr.io": {"auth": auth}}))
    assert refused.value.reason == "the pull secret's `auth` for ghcr.io is not NAME:PASSWORD in base64"


@pytest.mark.parametrize(
    ("image", "login"),
    [
        ("ghcr.io/acme/web", "acme"),
        ("ghcr.io/acme-evil/web", "ghcr"),
        ("ghcr.io.evil.example/acme/web", None),
        ("nginx", "hub"),
        ("shop.azurecr.io/web", "azure"),
        ("one.azurecr.io/web", "one"),
        ("a.b.azurecr.io/web", None),
        ("evil.example/azurecr.io", None),
    ],
)
def test_the_nearest_password_is_the_one_for_an_image(image, login):
    places = {
        "ghcr.io": "ghcr",
        "ghcr.io/acme": "acme",
        "docker.io": "hub",
        "*.azurecr.io": "azure",
        "one.azurecr.io": "one",
    }
    found = login_for(parse(image), {place: (name, "pw") for place, name in places.items()})
    assert (found[0] if found else None) == login
