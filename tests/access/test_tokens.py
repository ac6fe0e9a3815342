"""What a token is, and how long it is taken."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from controller.access import tokens
from controller.access.desk import REMEMBERED, SHORTEST, USED, AccessDesk
from controller.access.model import Identity, Scope, Token
from controller.errors import Refused, Unavailable
from tests.fakes.access import FakeAccess

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ADMIN = "an-admin-token-of-the-environment"


class Memory(FakeAccess):
    """Remembers which tokens it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def token(self, token_id: str) -> Token | None:
        self.asked.append(token_id)
        return await super().token(token_id)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(memory: Memory, clock: Clock) -> AccessDesk:
    return AccessDesk(memory, memory, clock, ADMIN)


async def test_a_token_is_kept_as_a_digest_and_says_who_comes(desk: AccessDesk, memory: Memory):
    kept, secret = await desk.make("ci", Scope.OPERATE, "ada")
    assert await desk.who(secret) == Identity("ci", Scope.OPERATE, kept.id)
    assert (
        memory.kept_tokens[kept.id].digest == hashlib.sha256(secret.rpartition(f"{kept.id}_")[2].encode()).hexdigest()
    )
    assert secret.split("_", 2)[2] not in repr(memory.kept_tokens)


def test_no_two_tokens_are_alike():
    made = [tokens.make("ci", Scope.READ, "ada", NOON) for _ in range(50)]
    assert len({kept.id for kept, _ in made}) == len({secret for _, secret in made}) == 50
    assert all(tokens.parse(secret) for _, secret in made)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:-1],
        lambda s: s + "a",
        lambda s: s[:-1] + ("A" if s[-1] != "A" else "B"),
        lambda s: "",
        lambda s: s.replace("mayfly_", "ghp_"),
        lambda s: s + "\n",
        lambda s: s.upper(),
        lambda s: "mayfly_" + "a" * 12 + "_" + "b" * 43,
    ],
)
async def test_what_is_not_exactly_the_token_is_nobodys(desk: AccessDesk, spoil):
    _, secret = await desk.make("ci", Scope.READ, "ada")
    assert await desk.who(spoil(secret)) is None


async def test_an_expired_token_is_nobodys_to_the_second(desk: AccessDesk, clock: Clock):
    _, secret = await desk.make("ci", Scope.READ, "ada", timedelta(days=90))
    clock.now = NOON + timedelta(days=90) - timedelta(seconds=1)
    assert await desk.who(secret)
    clock.now += timedelta(seconds=1)
    assert await desk.who(secret) is None


async def test_a_revoked_token_is_nobodys_at_once_where_that_was_told(desk: AccessDesk):
    kept, secret = await desk.make("ci", Scope.READ, "ada")
    assert await desk.who(secret)
    await desk.revoke(kept.id)
    assert await desk.who(secret) is None
    with pytest.raises(Refused, match="revoked before"):
        await desk.revoke(kept.id)


async def test_another_replica_knows_of_it_within_seconds(desk: AccessDesk, memory: Memory, clock: Clock):
    replica = AccessDesk(memory, memory, clock)
    kept, secret = await desk.make("ci", Scope.READ, "ada")
    assert await replica.who(secret)
    await desk.revoke(kept.id)
    clock.now += REMEMBERED
    assert await replica.who(secret) is None


async def test_a_token_in_use_is_looked_up_once_in_seconds(desk: AccessDesk, memory: Memory):
    _, secret = await desk.make("ci", Scope.READ, "ada")
    for _ in range(20):
        await desk.who(secret)
    assert len(memory.asked) == 1


async def test_when_it_was_last_used_is_known_to_the_minute(desk: AccessDesk, memory: Memory, clock: Clock):
    kept, secret = await desk.make("ci", Scope.READ, "ada")
    await desk.who(secret)
    clock.now += USED / 2
    await desk.who(secret)
    assert memory.kept_tokens[kept.id].used_at == NOON
    clock.now += USED / 2
    await desk.who(secret)
    assert memory.kept_tokens[kept.id].used_at == NOON + USED


async def test_the_operators_token_needs_no_history(desk: AccessDesk, memory: Memory):
    memory.down = True
    assert await desk.who(ADMIN) == Identity("admin", Scope.ADMIN, "environment")
    assert await desk.who(ADMIN + "x") is None
    with pytest.raises(Unavailable):
        await desk.who("mayfly_" + "a" * 12 + "_" + "b" * 43)


async def test_without_the_operators_token_an_empty_one_is_nobodys(memory: Memory, clock: Clock):
    assert await AccessDesk(memory, memory, clock).who("") is None


def test_an_operators_token_that_can_be_guessed_is_refused(memory: Memory, clock: Clock):
    with pytest.raises(Refused, match="too short"):
        AccessDesk(memory, memory, clock, "x" * (SHORTEST - 1))


@pytest.mark.parametrize(
    ("held", "covered"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.OPERATE, {Scope.READ, Scope.OPERATE}),
        (Scope.ADMIN, {Scope.READ, Scope.OPERATE, Scope.ADMIN, Scope.AGENT}),
        (Scope.AGENT, {Scope.AGENT}),
    ],
)
def test_a_scope_covers_what_is_below_it(held: Scope, covered: set[Scope]):
    assert {wanted for wanted in Scope if held.covers(wanted)} == covered
