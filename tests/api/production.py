"""A day of production that has something to show: two good releases, and one that was rolled back."""

from smoke.model import Outcome
from tests.deploys.day import Day

SECRET = "s3cret"


async def a_day_in_production(**target: object) -> Day:
    """#2 was restored after #3; none of it was said to be private but the secret."""
    day = Day(**({"env": {"COLOUR": "blue"}, "secrets": {"API_KEY": "SHOP_KEY"}} | target))
    day.targets.ground.secrets["API_KEY"] = SECRET
    for change in ("hats", "shoes"):
        day.push(change=change)
        await day.settle(12)
    await push_a_bad_one(day)
    await day.settle(12)
    return day


async def push_a_bad_one(day: Day) -> str:
    bad = day.push(change="prices")
    day.targets.ground.outcomes[bad] = [Outcome.FAILED]
    return bad
