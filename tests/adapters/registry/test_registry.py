"""The registry's answer, asked of a small one over real HTTP."""

import socket
from datetime import timedelta

import pytest

from controller.adapters.registry import Registry
from controller.adapters.registry.wire import MAX_BODY
from controller.errors import Refused, Unavailable
from tests.adapters.registry.world import DIGEST, MANIFEST, a_registry


@pytest.fixture
async def world():
    async with a_registry() as world:
        yield world


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def registry(world, clock):
    registry = Registry({world.host: world.login}, clock=clock)
    yield registry
    await registry.close()


@pytest.fixture
async def stranger(world):
    registry = Registry()
    yield registry
    await registry.close()


async def test_an_image_that_is_there_has_a_digest(world, registry):
    assert await registry.digest(world.image()) == DIGEST
    assert world.asked("manifest") == ["HEAD"]


async def test_an_image_that_is_not_there_yet_has_none(world, registry):
    assert await registry.digest(world.image("web:2")) is None
    world.images["web", "2"] = MANIFEST
    assert await registry.digest(world.image("web:2")) == DIGEST


async def test_a_repository_has_folders(world, registry):
    world.images["acme/shop/web", "latest"] = MANIFEST
    assert await registry.digest(world.image("acme/shop/web")) == DIGEST


async def test_an_image_is_found_by_its_digest(world, registry):
    assert await registry.digest(world.image(f"web@{DIGEST}")) == DIGEST


async def test_another_content_under_a_digest_is_refused(world, registry):
    other = "sha256:" + "0" * 64
    world.images["web", other] = MANIFEST
    with pytest.raises(Refused, match=f"the registry has {DIGEST} where"):
        await registry.digest(world.image(f"web@{other}"))


async def test_a_digest_that_is_left_out_is_counted(world, registry):
    world.says_digest = False
    assert await registry.digest(world.image()) == DIGEST
    assert world.asked("manifest") == ["HEAD", "GET"]


async def test_a_registry_that_knows_no_head_is_asked_with_get(world, registry):
    world.knows_head = False
    assert await registry.digest(world.image()) == DIGEST


async def test_a_page_is_no_manifest(world, registry):
    world.answer = {"text": "<h1>welcome</h1>"}
    with pytest.raises(Refused, match="does not answer like a registry of images"):
        await registry.digest(world.image())


async def test_a_password_is_said_where_it_is_wanted(world, registry):
    world.wants = "basic"
    assert await registry.digest(world.image()) == DIGEST
    assert [who is not None for _, _, who in world.seen] == [False, True]


async def test_a_password_is_said_at_once_the_second_time(world, registry):
    world.wants = "basic"
    await registry.digest(world.image())
    await registry.digest(world.image())
    assert [who is not None for _, _, who in world.seen] == [False, True, True]


async def test_without_a_password_it_says_what_to_do(world, stranger):
    world.wants = "basic"
    with pytest.raises(Refused) as refused:
        await stranger.digest(world.image())
    assert refused.value.reason == (
        f"no permission to read {world.host}/web, or there is no such repository: "
        "add a pull secret for it (`kubernetes.pull_secrets`), "
        "or do not wait (`kubernetes.wait_for_image: 0`) where only the nodes may read it"
    )


async def test_who_may_be_told_otherwise_is_told_otherwise(world):
    world.wants = "basic"
    stranger = Registry(advice="ask your mother")
    with pytest.raises(Refused, match=r"or there is no such repository: ask your mother$"):
        await stranger.digest(world.image())
    await stranger.close()


async def test_a_token_is_fetched_and_kept(world, registry):
    world.wants = "bearer"
    assert await registry.digest(world.image()) == DIGEST
    assert await registry.digest(world.image("web:2")) is None
    assert world.asked("token") == ["GET"]


async def test_a_token_is_fetched_for_each_repository(world, registry):
    world.wants = "bearer"
    world.images["api", "1"] = MANIFEST
    await registry.digest(world.image("web:1"))
    assert await registry.digest(world.image("api:1")) == DIGEST
    assert sorted(world.tokens.values()) == ["repository:api:pull", "repository:web:pull"]


async def test_a_token_that_has_expired_is_not_said_again(world, registry, clock):
    world.wants = "bearer"
    await registry.digest(world.image())
    world.tokens.clear()
    world.seen.clear()
    clock.now += world.expires_in
    assert await registry.digest(world.image()) == DIGEST
    assert world.seen[0] == ("HEAD", "manifest", None)


async def test_a_token_that_was_taken_back_is_fetched_anew(world, registry):
    world.wants = "bearer"
    await registry.digest(world.image())
    world.tokens.clear()
    world.tokens["another"] = ""
    assert await registry.digest(world.image()) == DIGEST


async def test_a_public_repository_needs_a_token_but_no_password(world, stranger):
    world.wants, world.is_public = "bearer", True
    assert await stranger.digest(world.image()) == DIGEST
    assert ("GET", "token", None) in world.seen


async def test_a_password_that_changed_is_said_from_then_on(world, registry):
    world.wants = "bearer"
    await registry.digest(world.image())
    world.login = ("ada", "another")
    world.tokens.clear()
    with pytest.raises(Refused, match="no permission"):
        await registry.digest(world.image())
    registry.login({world.host: world.login})
    assert await registry.digest(world.image()) == DIGEST


async def test_passwords_of_several_secrets_are_all_known(world, stranger):
    world.wants = "basic"
    stranger.login({world.host: world.login})
    stranger.login({"ghcr.io": ("another", "one")})
    assert await stranger.digest(world.image()) == DIGEST


@pytest.mark.parametrize("realm", ["http://auth.example/token", "ftp://auth.example", "nonsense", "https://"])
async def test_a_token_is_not_asked_for_over_what_anybody_can_read(world, realm):
    registry = Registry({"registry.example": world.login})
    world.wants, world.realm = "bearer", realm
    async with _reached_as("registry.example", registry, world):
        with pytest.raises(Refused, match="which is not safe"):
            await registry.digest("registry.example/web:1")
    assert world.asked("token") == []


async def test_a_stranger_does_not_send_us_to_our_own_machine(world):
    registry = Registry()
    world.redirect = f"{world.base}/elsewhere"
    async with _reached_as("registry.example", registry, world):
        with pytest.raises(Refused, match=r"not safe|no place for a registry"):
            await registry.digest("registry.example/web:1")
    assert world.asked("elsewhere") == []


async def test_the_metadata_address_is_no_registry(registry):
    with pytest.raises(Refused, match="no place for a registry"):
        await registry.digest("169.254.169.254/latest/meta-data")


async def test_a_redirect_within_a_registry_is_followed_with_what_we_said(world, registry):
    world.wants, world.redirect = "basic", f"{world.base}/elsewhere"
    assert await registry.digest(world.image()) == DIGEST
    assert world.seen[-1][1] == "elsewhere"
    assert world.seen[-1][2] is not None


async def test_a_redirect_to_another_place_does_not_carry_our_password(world, registry):
    async with a_registry() as other:
        world.wants, world.redirect = "basic", f"{other.base}/elsewhere"
        assert await registry.digest(world.image()) == DIGEST
        assert other.seen == [("HEAD", "elsewhere", None)]


async def test_a_redirect_in_a_circle_ends(world, registry):
    world.redirect = f"{world.base}/v2/web/manifests/1"
    with pytest.raises(Unavailable, match="redirects without end"):
        await registry.digest(world.image())


async def test_a_registry_that_wants_us_to_wait_says_how_long(world, registry):
    world.answer = {"status": 429, "headers": {"Retry-After": "30"}}
    with pytest.raises(Unavailable, match="wants us to wait") as unavailable:
        await registry.digest(world.image())
    assert unavailable.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_registry_that_does_not_work_is_unavailable(world, registry, status):
    world.answer = {"status": status}
    with pytest.raises(Unavailable, match=f"does not work \\({status}\\)"):
        await registry.digest(world.image())


async def test_a_registry_that_is_not_there_is_unavailable(stranger):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"the registry at 127.0.0.1:{port} does not answer"):
            await stranger.digest(f"127.0.0.1:{port}/web")


async def test_an_answer_without_end_is_not_read(world, registry):
    world.says_digest = False
    world.images["web", "1"] = b"x" * (MAX_BODY + 1)
    with pytest.raises(Refused, match="answers with more than"):
        await registry.digest(world.image())


async def test_what_is_no_image_is_not_asked_for(world, registry):
    with pytest.raises(Refused, match="is not the name of an image"):
        await registry.digest(f"{world.host}/../../admin")
    assert world.seen == []


class _reached_as:  # noqa: N801 - reads as what it says
    """The small registry stands for one elsewhere: https, under a name."""

    def __init__(self, name, registry, world):
        self._name, self._registry, self._world = name, registry, world

    async def __aenter__(self):
        once = self._registry._wire._once

        async def _once(method, url, headers):
            if url.host == self._name:
                url = url.with_scheme("http").with_host("127.0.0.1").with_port(int(self._world.host.split(":")[1]))
            return await once(method, url, headers)

        self._registry._wire._once = _once

    async def __aexit__(self, *_):
        await self._registry.close()
