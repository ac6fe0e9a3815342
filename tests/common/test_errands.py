"""Work on many pull requests at once. Nothing here waits for time to pass but PATIENCE, which is short."""

import asyncio
from datetime import timedelta

import pytest

from controller.common import errands
from controller.common.errands import AT_ONCE, Errands, each
from controller.common.nouns import PreviewKey

ONE, TWO = PreviewKey("shop", 1), PreviewKey("shop", 2)


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    monkeypatch.setattr(errands, "PATIENCE", timedelta(milliseconds=5))


class Gate:
    """Work that goes on until the gate is opened."""

    def __init__(self, result=True):
        self.result = result
        self.begun = 0
        self.ended = asyncio.Event()

    async def work(self):
        self.begun += 1
        await self.ended.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def news():
    return asyncio.Queue()


@pytest.fixture
async def crowd(news):
    crowd = Errands(news.put_nowait)
    yield crowd
    await crowd.close()


async def done():
    return True


async def broken():
    raise KeyError("a bug")


async def test_a_slow_one_keeps_only_itself_waiting(crowd, news):
    slow = Gate()
    await crowd.run({ONE: slow.work, TWO: done})
    assert (ONE in crowd, TWO in crowd) == (True, False)
    slow.ended.set()
    assert await news.get() == ONE
    assert ONE not in crowd


async def test_what_is_done_in_time_is_no_news(crowd, news):
    await crowd.run({ONE: done})
    assert news.empty()


async def test_what_is_busy_is_not_begun_twice_and_is_news_at_the_end(crowd, news):
    slow, second = Gate(result=False), Gate()
    await crowd.run({ONE: slow.work})
    await crowd.run({ONE: second.work})
    assert second.begun == 0
    slow.ended.set()
    assert await news.get() == ONE


@pytest.mark.parametrize(
    ("result", "again", "told"),
    [
        pytest.param(True, False, True, id="something came of it"),
        pytest.param(False, False, False, id="nothing came of it: tried again in time, not at once"),
        pytest.param(False, True, True, id="it was asked for meanwhile"),
        pytest.param(KeyError("a bug"), False, True, id="a bug"),
    ],
)
async def test_when_a_late_one_is_news(crowd, news, result, again, told):
    slow = Gate(result)
    await crowd.run({ONE: slow.work})
    assert crowd.under_way([ONE] if again else []) == {ONE}
    slow.ended.set()
    while ONE in crowd:
        await asyncio.sleep(0)
    assert news.empty() is not told


async def test_a_bug_in_one_stops_no_other_and_is_raised(crowd):
    other = Gate()
    other.ended.set()
    with pytest.raises(KeyError, match="a bug"):
        await crowd.run({ONE: broken, TWO: other.work})
    assert other.begun == 1
    assert ONE not in crowd


async def test_closing_ends_what_is_under_way(crowd, news):
    slow = Gate()
    await crowd.run({ONE: slow.work})
    await crowd.close()
    assert ONE not in crowd
    assert news.empty()


async def test_each_keeps_the_order_and_goes_a_few_at_a_time():
    under_way, most = set(), 0

    async def work(number):
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        for _ in range(number % 3 + 1):
            await asyncio.sleep(0)
        under_way.discard(number)
        return -number

    assert await each(work, range(50)) == [-number for number in range(50)]
    assert most == AT_ONCE


async def test_the_first_error_of_each_ends_the_others_and_is_raised_itself():
    ended = []

    async def work(number):
        try:
            if number == 3:
                raise KeyError("a bug")
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    with pytest.raises(KeyError, match="a bug"):
        await each(work, range(5))
    assert sorted(ended) == [0, 1, 2, 3, 4]
