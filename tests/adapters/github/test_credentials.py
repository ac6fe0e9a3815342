"""Who we are at GitHub: an App with several installations, or a token."""

import asyncio
import re
from dataclasses import dataclass, field
from datetime import timedelta

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from structlog.testing import capture_logs

from controller.adapters.github.client import Nothing
from controller.adapters.github.connect import connect
from controller.adapters.github.tokens import AGAIN_AFTER, AHEAD, SPARE
from controller.errors import Refused, Unavailable
from controller.settings import GITHUB_KEY, GITHUB_TOKEN, GitHub
from tests.adapters.github.hub import NOW, Clock, a_hub

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def pem_of(key=KEY, how=PrivateFormat.TraditionalOpenSSL, password=None):
    locked = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, how, locked).decode()


PEM = pem_of()


@dataclass
class Apps:
    """GitHub's side of an App: `installations` have repositories by id, each with as many tokens as were asked for."""

    clock: Clock
    installations: dict[int, list[str]]
    suspended: set[int] = field(default_factory=set)
    life: timedelta = timedelta(hours=1)
    granted: list[str] = field(default_factory=list)
    listed: int = 0
    revoked: set[str] = field(default_factory=set)
    down: bool = False

    async def answer(self, request):
        who = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.down:
            return web.json_response({"message": f"down, {who}"}, status=500)
        if request.path.startswith("/app"):
            return self._as_app(request, who)
        if who not in self.granted or who in self.revoked:
            return web.json_response({"message": "Bad credentials"}, status=401)
        installation = int(who.split("_")[1])
        if request.path == "/installation/repositories":
            repositories = [{"full_name": name} for name in self.installations[installation]]
            return paged(request, repositories, lambda page: {"total_count": 99, "repositories": page})
        owners = {name.split("/")[0] for name in self.installations.get(installation, [])}
        status = 200 if request.path.split("/")[2] in owners else 404
        return web.json_response({"who": who}, status=status)

    def _as_app(self, request, word):
        claims = jwt.decode(word, PUBLIC, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False})
        now = self.clock.now.timestamp()
        assert claims["iss"] == "12"
        assert claims["iat"] <= now - 60 or claims["iat"] <= now
        assert now < claims["exp"] <= now + 600
        if request.path == "/app":
            return web.json_response({"slug": "mayfly", "id": 12})
        if request.path == "/app/installations":
            self.listed += 1
            there = [self._installation(number) for number in sorted(self.installations)]
            return paged(request, there, lambda page: page)
        number = int(re.fullmatch(r"/app/installations/(\d+)/access_tokens", request.path)[1])
        if number not in self.installations:
            return web.json_response({"message": "Not Found"}, status=404)
        self.granted.append(f"ghs_{number}_{len(self.granted)}")
        ends = (self.clock.now + self.life).isoformat()
        return web.json_response({"token": self.granted[-1], "expires_at": ends}, status=201)

    def _installation(self, number):
        since = NOW.isoformat() if number in self.suspended else None
        return {"id": number, "account": {"login": "acme"}, "suspended_at": since}


def paged(request, items, shape):
    """Two to a page."""
    page = int(request.query.get("page", "1"))
    more = {"Link": f'<{request.url.update_query(page=page + 1)}>; rel="next"'} if page * 2 < len(items) else {}
    return web.json_response(shape(items[page * 2 - 2 : page * 2]), headers=more)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def apps(clock):
    return Apps(clock, {1: ["acme/shop", "acme/cart", "Acme/Docs"], 2: ["other/site"]})


@pytest.fixture
async def hub(apps):
    async with a_hub() as hub:
        hub.answering = apps.answer
        yield hub


@pytest.fixture
async def made(hub, clock):
    """Makes a client and its credentials, and closes them."""
    clients = []

    def make(environ=None, **settings):
        policy = GitHub(api=hub.url, **({"app_id": 12} | settings))
        client, credentials = connect(policy, {GITHUB_KEY: PEM} if environ is None else environ, clock=clock)
        clients.append(client)
        return client, credentials

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def credentials(made):
    return made()[1]


# Which repositories


async def test_an_app_looks_after_what_all_its_installations_have(credentials):
    assert credentials.is_app
    assert await credentials.repositories() == ("Acme/Docs", "acme/cart", "acme/shop", "other/site")
    assert await credentials.login() == "mayfly[bot]"


async def test_many_installations_are_read_page_by_page(credentials, apps):
    apps.installations = {number: [f"acme{number}/shop"] for number in range(1, 6)}
    assert len(await credentials.repositories()) == 5


async def test_what_is_suspended_is_left_out(credentials, apps):
    apps.suspended = {2}
    assert await credentials.repositories() == ("Acme/Docs", "acme/cart", "acme/shop")
    with pytest.raises(Refused, match="the App is not installed on other/site, or its installation is suspended"):
        await credentials.token("other/site")


async def test_the_policy_picks_some_and_what_nobody_has_is_named_once(made):
    _, credentials = made(repositories=["ACME/shop", "acme/gone"])
    with capture_logs() as logs:
        assert await credentials.repositories() == ("acme/shop",)
        credentials.forget("acme/shop")
        await credentials.repositories()
    assert [entry["repositories"] for entry in logs] == [["acme/gone"]]
    with pytest.raises(Refused, match=r"other/site is not among `github\.repositories`"):
        await credentials.token("other/site")
    with pytest.raises(Refused, match="the App is not installed on acme/gone"):
        await credentials.token("acme/gone")


async def test_a_policy_that_names_only_what_nobody_has_is_refused(made):
    _, credentials = made(repositories=["acme/gone"])
    with pytest.raises(Refused, match=r"installed on none of `github\.repositories`: acme/gone"):
        await credentials.repositories()


async def test_repositories_are_listed_once_while_that_is_fresh(credentials, apps, clock):
    await asyncio.gather(*(credentials.repositories() for _ in range(10)))
    clock.later(seconds=299)
    await credentials.repositories()
    assert apps.listed == 1
    clock.later(seconds=1)
    apps.installations[3] = ["third/app"]
    assert "third/app" in await credentials.repositories()


async def test_what_is_forgotten_is_listed_anew(credentials, apps):
    await credentials.repositories()
    del apps.installations[2]
    credentials.forget("acme/shop")
    assert "other/site" not in await credentials.repositories()


async def test_a_list_that_cannot_be_read_is_no_shorter_list(credentials, apps, hub, clock):
    await credentials.repositories()
    clock.later(minutes=6)
    calls = []

    async def second_installation_fails(request):
        calls.append(request.path)
        who = request.headers["Authorization"]
        if request.path == "/installation/repositories" and "ghs_2_" in who:
            return web.json_response({}, status=500)
        return await apps.answer(request)

    hub.answering = second_installation_fails
    with pytest.raises(Unavailable):
        await credentials.repositories()
    assert calls, "it was asked"
    assert await credentials.token("other/site"), "what was known still finds the token"
    hub.answering = apps.answer
    assert len(await credentials.repositories()) == 4


# Tokens


async def test_each_installation_has_its_own_token(made, apps, hub):
    client, _ = made()
    await client.get("acme/shop", "pulls", Nothing)
    await client.get("other/site", "pulls", Nothing)
    used = {seen.path.split("/")[2]: seen.token for seen in hub.seen if seen.path.startswith("/repos/")}
    assert {owner: token.split("_")[1] for owner, token in used.items()} == {"acme": "1", "other": "2"}
    assert len(apps.granted) == 2


async def test_a_token_is_asked_for_once_for_all_who_wait(credentials, apps):
    tokens = await asyncio.gather(*(credentials.token("acme/shop") for _ in range(50)))
    assert set(tokens) == {"ghs_1_0"}
    assert len(apps.granted) == 2, "one of each installation"


async def test_who_we_are_is_asked_once_for_all_who_wait(credentials, hub):
    assert {await login for login in asyncio.as_completed([credentials.login() for _ in range(20)])} == {"mayfly[bot]"}
    assert len(hub.asked("/app")) == 1


async def test_a_token_is_replaced_ten_minutes_ahead(credentials, apps, clock):
    first = await credentials.token("acme/shop")
    clock.now = NOW + apps.life - AHEAD - timedelta(seconds=1)
    assert await credentials.token("acme/shop") == first
    clock.later(seconds=1)
    later = await asyncio.gather(*(credentials.token("acme/shop") for _ in range(20)))
    assert set(later) == {"ghs_1_2"}


async def test_the_old_token_is_used_while_it_lives_where_there_is_no_new_one(credentials, apps, hub, clock):
    first = await credentials.token("acme/shop")
    apps.down = True
    clock.now = NOW + apps.life - AHEAD
    with capture_logs() as logs:
        assert await credentials.token("acme/shop") == first
        asked = len(hub.seen)
        assert await credentials.token("acme/shop") == first
        assert len(hub.seen) == asked, "a new one is not asked for every time"
        clock.now += AGAIN_AFTER
        await credentials.token("acme/shop")
        assert len(hub.seen) > asked
    assert len(logs) == 2
    clock.now = NOW + apps.life - SPARE
    with pytest.raises(Unavailable):
        await credentials.token("acme/shop")
    apps.down = False
    assert await credentials.token("acme/shop") != first


async def test_a_token_that_was_revoked_is_replaced(made, apps):
    client, _ = made()
    await client.get("acme/shop", "pulls", Nothing)
    apps.revoked.update(apps.granted)
    await client.get("acme/shop", "pulls", Nothing, fresh=timedelta())
    assert len(apps.granted) == 3


async def test_a_token_that_was_revoked_does_not_hide_the_repositories(credentials, apps, clock):
    await credentials.repositories()
    apps.revoked.update(apps.granted)
    clock.later(minutes=1)
    assert len(await credentials.repositories()) == 4


async def test_an_older_list_does_not_replace_a_newer_one(credentials, apps, hub):
    asked, go = asyncio.Event(), asyncio.Event()

    async def slowly_at_first(request):
        if request.path == "/app/installations" and not asked.is_set():
            asked.set()
            answer = await apps.answer(request)
            await go.wait()
            return answer
        return await apps.answer(request)

    hub.answering = slowly_at_first
    older = asyncio.create_task(credentials.repositories())
    await asked.wait()
    apps.installations[3] = ["third/app"]
    credentials.forget("")
    assert "third/app" in await credentials.repositories()
    go.set()
    await older
    assert "third/app" in await credentials.repositories()


async def test_what_was_installed_anew_is_found_under_its_new_number(credentials, apps, clock):
    await credentials.token("other/site")
    apps.installations[7] = apps.installations.pop(2)
    clock.later(hours=2)
    assert (await credentials.token("other/site")).startswith("ghs_7_")


async def test_what_nobody_knows_forgets_every_token(credentials):
    before = [await credentials.token(repo) for repo in ("acme/shop", "other/site")]
    credentials.forget("")
    after = [await credentials.token(repo) for repo in ("acme/shop", "other/site")]
    assert not set(before) & set(after)


# What must never be said


async def test_every_key_and_token_that_works_is_a_secret_until_it_ends(credentials, apps, clock):
    await credentials.repositories()
    secrets = credentials.secrets()
    assert PEM.strip() in secrets
    assert PEM.splitlines()[3] in secrets, "a log may show only some of its lines"
    assert set(apps.granted) <= set(secrets)
    assert any(secret.startswith("eyJ") for secret in secrets)
    old = apps.granted[0]
    credentials.forget("acme/shop")
    await credentials.token("acme/shop")
    assert old in credentials.secrets()
    clock.later(hours=1)
    assert old not in credentials.secrets()


async def test_nothing_secret_is_in_errors_logs_and_shown_values(made, apps, clock):
    client, credentials = made()
    await client.get("acme/shop", "pulls", Nothing)
    known, said = credentials.secrets(), [repr(credentials), repr(client)]
    apps.down = True
    clock.now = NOW + apps.life - AHEAD
    with capture_logs() as logs:
        await credentials.token("acme/shop")
        for failing in (credentials.repositories(), credentials.login(), client.get("acme/shop", "pulls", Nothing)):
            with pytest.raises(Unavailable, match="down, •••") as caught:
                await failing
            said.append(repr(caught.value))
    assert logs
    text = " ".join([*said, repr(logs)])
    assert not [secret for secret in (*known, *credentials.secrets()) if secret in text]


# The key


@pytest.mark.parametrize(
    ("key", "why"),
    [
        pytest.param("Iv1.0123456789", "is not PEM", id="not PEM"),
        pytest.param(PUBLIC.decode(), "is not PEM", id="the public one"),
        pytest.param(PEM.replace(PEM.splitlines()[3], ""), "is damaged", id="lines lost"),
        pytest.param(pem_of(ec.generate_private_key(ec.SECP256R1())), "is not an RSA key", id="not RSA"),
        pytest.param(pem_of(how=PrivateFormat.PKCS8, password=b"x"), "has a password", id="locked"),
        pytest.param("", "has no private key: name a file in `github.private_key_file`", id="none"),
    ],
)
def test_a_key_that_is_none_stops_the_start(made, key, why):
    with pytest.raises(Refused, match=f"the App('s private key)? {why}") as caught:
        made({GITHUB_KEY: key})
    assert not key or key not in caught.value.reason


def test_a_key_may_come_on_one_line_as_some_keep_variables(made):
    assert made({GITHUB_KEY: PEM.replace("\n", "\\n")})[1].secrets()[0] == PEM.strip()


def test_a_key_comes_from_a_file(made, tmp_path):
    file = tmp_path / "app.pem"
    with pytest.raises(Refused, match=r"cannot be read: .*app.pem: No such file"):
        made({}, private_key_file=str(file))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match="is not PEM"):
        made({}, private_key_file=str(file))
    file.write_text(pem_of(how=PrivateFormat.PKCS8))
    assert made({}, private_key_file=str(file))[1].is_app


# A token


@pytest.fixture
def somebody(hub, made):
    hub.answering = None
    hub.things["/user"] = {"login": "ada"}
    return made({GITHUB_TOKEN: " ghp_token\n"}, app_id=None, repositories=["acme/shop"])[1]


async def test_a_token_is_somebodys_and_for_what_the_policy_names(somebody):
    assert not somebody.is_app
    assert await somebody.repositories() == ("acme/shop",)
    assert await somebody.login() == "ada"
    assert await somebody.token("Acme/Shop") == "ghp_token"
    assert somebody.secrets() == ("ghp_token",)
    assert "ghp_token" not in repr(somebody)
    with pytest.raises(Refused, match="acme/other is not among"):
        await somebody.token("acme/other")


@pytest.mark.parametrize(
    ("token", "repositories", "why"),
    [
        pytest.param("", ["acme/shop"], "GitHub needs an App .* or a token in MAYFLY_GITHUB_TOKEN", id="nothing"),
        pytest.param("ghp_token", [], "a token needs `github.repositories`", id="no repositories"),
        pytest.param("ghp_token and more", ["acme/shop"], "is no token", id="several words"),
        pytest.param("ghp_\ntoken", ["acme/shop"], "is no token", id="lines"),
        pytest.param("ghp_•••", ["acme/shop"], "is no token", id="strange letters"),
    ],
)
def test_a_token_that_is_none_stops_the_start(made, token, repositories, why):
    with pytest.raises(Refused, match=why) as caught:
        made({GITHUB_TOKEN: token}, app_id=None, repositories=repositories)
    assert not token or token not in caught.value.reason
