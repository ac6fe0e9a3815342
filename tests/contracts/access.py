"""What all that is kept of access does. A subclass provides `access`, and `beside`: as another controller has it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from controller.access.model import Entry, Scope, Token
from controller.access.ports import Audit, Tokens
from controller.errors import Refused

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Access(Tokens, Audit, Protocol):
    """As a controller has them."""


def a_token(name: str = "ab12", created_at: datetime = NOON) -> Token:
    return Token(name, "ada", Scope.OPERATE, "d" * 64, created_at, "root", expires_at=NOON + 90 * DAY)


def an_entry(path: str = "/api/v1/targets/production/rollback", at: datetime = NOON) -> Entry:
    return Entry(at, "ada", "ab12", "POST", path, 202, "192.0.2.7", "rollback production to #6")


class AccessContract:
    async def test_a_new_one_knows_nobody(self, access: Access) -> None:
        assert (await access.token("ab12"), await access.tokens(), await access.audited()) == (None, (), ())

    async def test_a_token_comes_back_whole(self, access: Access, beside: Access) -> None:
        await access.add_token(a_token())
        for_ever = replace(a_token("cd34", NOON - DAY), expires_at=None, scope=Scope.AGENT)
        await access.add_token(for_ever)
        assert (await beside.token("ab12"), await beside.token("cd34")) == (a_token(), for_ever)
        assert await access.tokens() == (for_ever, a_token())

    async def test_an_id_is_of_one_token(self, access: Access) -> None:
        await access.add_token(a_token())
        with pytest.raises(Refused, match="a token ab12 already"):
            await access.add_token(replace(a_token(), scope=Scope.ADMIN))
        assert await access.tokens() == (a_token(),)

    async def test_a_token_is_revoked_once_and_still_listed(self, access: Access, beside: Access) -> None:
        await access.add_token(a_token())
        assert await access.revoke_token("ab12", NOON + DAY)
        assert not await beside.revoke_token("ab12", NOON + 2 * DAY)
        assert not await access.revoke_token("nobody", NOON)
        assert await beside.tokens() == (replace(a_token(), revoked_at=NOON + DAY),)

    async def test_two_that_revoke_at_once_revoke_once(self, access: Access, beside: Access) -> None:
        await access.add_token(a_token())
        revoked = await asyncio.gather(*[by.revoke_token("ab12", NOON) for by in (access, beside) * 3])
        assert sum(revoked) == 1

    async def test_a_token_was_used_to_the_minute_and_never_earlier(self, access: Access, beside: Access) -> None:
        await access.add_token(a_token())
        for by, seconds in ((access, 119), (access, 61), (beside, 30), (access, 1)):
            await by.token_used("ab12", NOON + timedelta(seconds=seconds))
        await access.token_used("nobody", NOON)
        assert await beside.tokens() == (replace(a_token(), used_at=NOON + timedelta(minutes=1)),)
        await access.token_used("ab12", NOON + timedelta(seconds=120))
        assert await beside.token("ab12") == replace(a_token(), used_at=NOON + timedelta(minutes=2))

    async def test_what_was_done_is_told_newest_first(self, access: Access, beside: Access) -> None:
        first, second = an_entry("/1"), an_entry("/2")
        late, early = an_entry("/4", NOON + DAY), an_entry("/0", NOON - DAY)
        for by, entry in ((access, first), (beside, second), (access, late), (access, early)):
            await by.audit(entry)
        assert await access.audited() == (late, second, first, early)
        assert await access.audited(limit=2) == (late, second)
        assert await access.audited(before=NOON + DAY) == (second, first, early)

    @pytest.mark.parametrize(
        "word",
        [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half"), pytest.param("🛒" * 9999, id="long")],
    )
    async def test_words_of_any_sort_stop_nothing(self, access: Access, word: str) -> None:
        assert await access.token(word) is None
        assert not await access.revoke_token(word, NOON)
        await access.token_used(word, NOON)
        await access.audit(replace(an_entry(word), actor=word, token=word, method=word, address=word, detail=word))
        assert [entry.status for entry in await access.audited()] == [202]
