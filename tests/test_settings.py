from datetime import timedelta

import pytest
from pydantic import ValidationError

from controller.settings import Egress, Home, Policy
from smoke.documents import DocumentError


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def test_without_a_file_everything_has_its_default(home):
    assert home.policy() == Policy()
    assert home.policy().address == ("127.0.0.1", 8080)


def test_a_policy_is_read(home):
    home.policy_file.write_text("listen: '[::1]:9000'\npreviews: {max_alive: 3, expire_after: 1 day}\n")
    policy = home.policy()
    assert policy.address == ("::1", 9000)
    assert (policy.previews.max_alive, policy.previews.expire_after) == (3, timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("listen: 8080", "is not HOST:PORT, like `127.0.0.1:8080`"),
        ("previews: {max_aliv: 3}", "Did you mean `max_alive`?"),
        ("previews: {max_alive: many}", "line 1, column 23"),
        ("forge: gitlab", "Input should be 'git'"),
    ],
)
def test_a_mistake_stops_the_start_and_says_the_line(home, text, words):
    home.policy_file.write_text(text)
    with pytest.raises(DocumentError) as caught:
        home.policy()
    assert words in str(caught.value)
    assert str(home.policy_file) in str(caught.value)


@pytest.mark.parametrize(
    ("listen", "label", "url"),
    [
        ("127.0.0.1:8080", "", "http://localhost:8080"),
        ("127.0.0.1:8080", "pr-7-shop", "http://pr-7-shop.localhost:8080"),
        ("127.0.0.1:80", "pr-7-shop", "http://pr-7-shop.localhost"),
    ],
)
def test_where_things_are_reached(listen, label, url):
    assert Policy(listen=listen).url(label) == url


def test_people_are_led_to_the_public_url():
    policy = Policy(domain="previews.example.com", public_url="https://previews.example.com", listen="0.0.0.0:8080")
    assert policy.url() == "https://previews.example.com"
    assert policy.url("pr-7-shop") == "https://pr-7-shop.previews.example.com"


def test_a_public_url_of_another_domain_stops_the_start():
    with pytest.raises(ValidationError, match="they have to be the same"):
        Policy(domain="previews.example.com", public_url="https://example.com")


@pytest.mark.parametrize("cidr", ["10.0.0.0/33", "everywhere", "::/129"])
def test_a_network_that_is_none_stops_the_start(cidr):
    with pytest.raises(ValidationError, match="is not a network"):
        Egress(cidr=cidr)
