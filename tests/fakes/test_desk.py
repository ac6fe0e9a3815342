import pytest

from controller.previews.desk import Desk
from tests.contracts.desk import DeskContract, World
from tests.fakes.desk import READY, REMOVED, FakeDesk


class FakeWorld:
    def __init__(self) -> None:
        self._fake = FakeDesk()
        self.desk: Desk = self._fake
        self.ready, self.gone = READY, REMOVED

    def break_it(self) -> None:
        self._fake.down = "the forge is down"

    async def decided(self) -> int:
        return len(self._fake.decided_by)


class TestFakeDesk(DeskContract):
    @pytest.fixture
    def world(self) -> World:
        return FakeWorld()
