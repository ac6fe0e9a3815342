import asyncio

import pytest

from controller.errors import Unavailable
from controller.probes.keeper import Keeper
from controller.probes.meter import NoMeter
from tests.fakes.samples import FakeSamples
from tests.probes.examples import NOON, SECOND, a_sample


class Lost(NoMeter):
    samples = 0

    def lost(self, samples):
        self.samples += samples


def added(keeper, count):
    for number in range(count):
        keeper.add(a_sample(NOON + number * SECOND))


async def test_samples_that_history_does_not_take_wait_for_it():
    samples = FakeSamples()
    keeper = Keeper(samples, NoMeter())
    samples.down = True
    added(keeper, 3)
    with pytest.raises(Unavailable):
        await keeper.flush()
    added(keeper, 2)
    samples.down = False
    await keeper.flush()
    assert len(samples.kept) == 5


async def test_a_batch_whose_answer_was_lost_is_kept_once():
    samples = FakeSamples()
    keeper = Keeper(samples, NoMeter())
    real = samples.append

    async def cut(some, batch=""):
        await real(some, batch)
        raise Unavailable("the line was cut")

    samples.append = cut
    added(keeper, 3)
    with pytest.raises(Unavailable):
        await keeper.flush()
    samples.append = real
    await keeper.flush()
    assert len(samples.kept) == 3


async def test_the_oldest_are_lost_where_there_is_no_more_room_and_that_is_counted():
    samples, meter = FakeSamples(), Lost()
    keeper = Keeper(samples, meter, room=10)
    added(keeper, 13)
    await keeper.flush()
    assert [sample.at for sample in samples.kept] == [NOON + number * SECOND for number in range(3, 13)]
    assert meter.samples == 3


async def test_a_full_batch_is_written_at_once():
    samples = FakeSamples()
    keeper = Keeper(samples, NoMeter())
    running = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    added(keeper, 500)
    async with asyncio.timeout(0.5):
        while not samples.kept:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])
    assert len(samples.kept) == 500
