from datetime import timedelta

import pytest

from controller.agent.orders import Orders
from controller.errors import Refused
from controller.probes import remote
from controller.settings import Probing
from tests.probes.examples import HOUR, NOON, SECOND, a_probe

KEY = "5e" * 32


def signed(at=NOON, location="berlin", key=KEY, **probe):
    return remote.sign(remote.assigned([a_probe(**probe)], Probing(), location, at), key)


class World:
    def __init__(self, folder, key=KEY):
        self.now = NOON
        self.orders = Orders(folder / "assignment.json", key, "berlin", lambda: self.now)
        self.orders.recall()

    @property
    def runs(self):
        return [probe.name for probe in self.orders.current.probes] if self.orders.current else None


def test_what_was_verified_goes_on_until_it_expires(tmp_path):
    world = World(tmp_path)
    assert world.runs is None
    world.orders.take(signed())
    world.now = NOON + timedelta(hours=24) - SECOND
    assert world.runs == ["shop"]
    world.now += SECOND
    assert world.runs is None


@pytest.mark.parametrize(
    "evil",
    [signed(NOON + HOUR, key="another"), signed(NOON + HOUR, "tokyo"), signed(NOON - HOUR), b"", b"\xff"],
    ids=["forged", "another's", "played back", "nothing", "garbage"],
)
def test_what_is_refused_leaves_the_last_one_even_over_a_restart(tmp_path, evil):
    world = World(tmp_path)
    world.orders.take(signed(name="good"))
    with pytest.raises(Refused):
        world.orders.take(evil)
    assert world.runs == ["good"]
    again = World(tmp_path)
    assert again.runs == ["good"]
    with pytest.raises(Refused):
        again.orders.take(evil)


def test_what_somebody_wrote_on_the_disk_is_verified_too(tmp_path):
    (tmp_path / "assignment.json").write_bytes(signed(key="another"))
    assert World(tmp_path).runs is None


def test_another_token_forgets_what_was_said_to_the_one_before(tmp_path):
    World(tmp_path).orders.take(signed())
    world = World(tmp_path, key="new")
    assert world.runs is None
    world.orders.take(signed(NOON - SECOND, key="new", name="anew"))
    assert world.runs == ["anew"]
