"""People's visits are told, and not too often."""

from controller.common.nouns import PreviewKey
from controller.errors import Unavailable
from controller.gateway.visits import Visits

SEVEN, EIGHT = PreviewKey("shop", 7), PreviewKey("shop", 8)


async def test_a_visit_is_told_once_in_five_seconds_for_each_preview():
    told, now = [], [100.0]

    async def tell(key: PreviewKey) -> None:
        told.append((key, now[0]))

    visits = Visits(tell, clock=lambda: now[0])
    for second, key in [(100, SEVEN), (101, SEVEN), (102, EIGHT), (104.9, SEVEN), (105, SEVEN), (200, SEVEN)]:
        now[0] = second
        visits.note(key, asleep=False)
        await visits.close()
    assert told == [(SEVEN, 100), (EIGHT, 102), (SEVEN, 105), (SEVEN, 200)]


async def test_a_visit_to_one_that_just_fell_asleep_is_told_at_once():
    told = []

    async def tell(key: PreviewKey) -> None:
        told.append(key)

    visits = Visits(tell, clock=lambda: 100.0)
    visits.note(SEVEN, asleep=False)
    visits.note(SEVEN, asleep=True)
    visits.note(SEVEN, asleep=True)
    await visits.close()
    assert told == [SEVEN, SEVEN]


async def test_a_visit_that_cannot_be_told_does_no_harm():
    async def tell(key: PreviewKey) -> None:
        raise Unavailable("the disk is full")

    visits = Visits(tell)
    visits.note(SEVEN, asleep=False)
    await visits.close()
