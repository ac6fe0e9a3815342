"""What every maker of databases does. A subclass provides `databases`, and says how one is written and read.

Seeds and names are the test's own (`fresh`), so that one server serves them all.
"""

import asyncio
import secrets
from abc import abstractmethod
from datetime import UTC, datetime, timedelta

import pytest

from controller.errors import MayflyError, Unavailable
from controller.ports import Databases


def fresh(word: str = "x") -> str:
    return f"{word}-{secrets.token_hex(4)}"


class DatabasesContract:
    @abstractmethod
    async def write(self, url: str, value: str) -> None:
        """Puts one value into the database behind the URL."""

    @abstractmethod
    async def read(self, url: str) -> list[str]:
        """All values, in the order they were put."""

    async def seeded(self, databases: Databases, value: str = "seeded") -> str:
        seed = fresh("seed")
        await self.write(await databases.begin_template(seed), value)
        await databases.finish_template(seed)
        return seed

    async def test_a_clone_holds_what_was_seeded(self, databases: Databases) -> None:
        seed = await self.seeded(databases)
        assert await self.read(await databases.clone(fresh(), seed)) == ["seeded"]

    async def test_a_clone_without_a_seed_is_empty(self, databases: Databases) -> None:
        url = await databases.clone(fresh(), None)
        await self.write(url, "first")
        assert await self.read(url) == ["first"]

    async def test_clones_do_not_see_each_other(self, databases: Databases) -> None:
        seed = await self.seeded(databases)
        one, two = await asyncio.gather(databases.clone(fresh(), seed), databases.clone(fresh(), seed))
        await self.write(one, "mine")
        assert (await self.read(one), await self.read(two)) == (["seeded", "mine"], ["seeded"])

    async def test_a_clone_made_again_starts_from_the_seed(self, databases: Databases) -> None:
        seed, name = await self.seeded(databases), fresh()
        await self.write(await databases.clone(name, seed), "mine")
        assert await self.read(await databases.clone(name, seed)) == ["seeded"]

    async def test_a_half_made_template_does_not_count(self, databases: Databases) -> None:
        seed = fresh()
        await self.write(await databases.begin_template(seed), "half")
        assert not await databases.has_template(seed)
        assert seed not in await databases.templates()
        with pytest.raises(MayflyError):
            await databases.clone(fresh(), seed)
        await databases.drop_template(seed)

    async def test_a_seeding_that_was_interrupted_begins_anew(self, databases: Databases) -> None:
        seed = fresh()
        await self.write(await databases.begin_template(seed), "half")
        await self.write(await databases.begin_template(seed), "whole")
        await databases.finish_template(seed)
        assert await self.read(await databases.clone(fresh(), seed)) == ["whole"]

    async def test_a_finished_template_is_known_with_its_last_use(self, databases: Databases) -> None:
        before = datetime.now(UTC) - timedelta(seconds=1)
        seed = await self.seeded(databases)
        assert await databases.has_template(seed)
        first = (await databases.templates())[seed]
        await databases.clone(fresh(), seed)
        assert before < first <= (await databases.templates())[seed] <= datetime.now(UTC) + timedelta(seconds=1)

    async def test_a_dropped_template_is_gone_and_its_clones_stay(self, databases: Databases) -> None:
        seed = await self.seeded(databases)
        url = await databases.clone(fresh(), seed)
        await databases.drop_template(seed)
        await databases.drop_template(seed)
        assert not await databases.has_template(seed)
        assert await self.read(url) == ["seeded"]

    async def test_names_are_those_cloned_and_not_dropped(self, databases: Databases) -> None:
        kept, dropped = fresh(), fresh()
        for name in (kept, dropped):
            await databases.clone(name, None)
        await databases.drop(dropped)
        await databases.drop(dropped)
        assert {kept, dropped} & await databases.names() == {kept}

    async def test_a_database_has_a_size(self, databases: Databases) -> None:
        seed, name = await self.seeded(databases), fresh()
        await databases.clone(name, seed)
        assert await databases.size(name) > 0

    async def test_a_fingerprint_stays_until_the_shape_changes(self, databases: Databases) -> None:
        name = fresh()
        url = await databases.clone(name, None)
        before = await databases.fingerprint(name)
        assert await databases.fingerprint(name) == before
        await self.write(url, "makes a table")
        assert await databases.fingerprint(name) != before

    async def test_what_is_not_there_has_no_fingerprint(self, databases: Databases) -> None:
        with pytest.raises(Unavailable):
            await databases.fingerprint(fresh())
