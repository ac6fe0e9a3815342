"""How often one client may ask."""

import pytest

from controller.access.rates import Meter, Tier, client_of
from controller.settings import Rates


def test_the_one_after_the_last_is_told_when_to_come_again():
    meter = Meter(Rates(operate=3))
    answers = [meter.count(Tier.OPERATE, "ada") for _ in range(4)]
    assert [(answer.taken, answer.left) for answer in answers] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    headers = answers[-1].headers()
    assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("3", "0")
    assert headers["Retry-After"] == headers["RateLimit-Reset"]
    assert 58 <= int(headers["Retry-After"]) <= 60
    assert "Retry-After" not in answers[0].headers()


def test_clients_and_tiers_are_counted_apart():
    meter = Meter(Rates(operate=1, read=1))
    assert meter.count(Tier.OPERATE, "ada").taken
    assert meter.count(Tier.READ, "ada").taken
    assert meter.count(Tier.OPERATE, "bob").taken
    assert not meter.count(Tier.OPERATE, "ada").taken


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_client_is_an_address_or_what_one_customer_is_given(address: str, client: str):
    assert client_of(address) == client
