"""What people may do, as GitHub says at that very moment."""

import pytest

from controller.errors import Unavailable
from controller.previews.model import Permission
from tests.adapters.github.world import REPO


async def test_a_role_is_told_as_what_it_lets_do(place, forge):
    lets = {
        "admin": Permission.ADMIN,
        "maintain": Permission.WRITE,
        "write": Permission.WRITE,
        "triage": Permission.READ,
        "read": Permission.READ,
        "none": Permission.NONE,
    }
    for role in lets:
        place.github.user(f"a-{role}", place.shop, permission=role)
    assert {role: await forge.permission(REPO, f"a-{role}") for role in lets} == lets


async def test_somebody_who_is_not_there_may_nothing(forge):
    assert await forge.permission(REPO, "nobody-at-all") == Permission.NONE


async def test_a_permission_that_was_taken_is_gone_at_once(place):
    async with place.forge(fresh="1h") as forge:
        bob = place.github.user("bob", place.shop, permission="write")
        assert (await forge.permission(REPO, "bob")).may_write
        place.shop.allow(bob, "read")
        assert await forge.permission(REPO, "bob") == Permission.READ


async def test_a_bot_is_asked_for_by_its_name(place, forge):
    place.github.user("renovate[bot]", place.shop, permission="read")
    assert await forge.permission(REPO, "renovate[bot]") == Permission.READ


async def test_what_is_no_account_may_nothing_and_is_not_asked_for(place, forge):
    place.asked()
    for person in ("", "../../user", "ada/permission", "ada?x=1", "ada ", "ä", "a" * 101, "ada\n", "ghost"):
        assert await forge.permission(REPO, person) == Permission.NONE
    assert place.asked() == {}


async def test_where_github_cannot_be_asked_nobody_is_let_in(place, forge):
    assert (await forge.permission(REPO, "ada")).may_write
    place.github.down()
    with pytest.raises(Unavailable):
        await forge.permission(REPO, "ada")
