from datetime import timedelta

import pytest

from controller.settings import Home, Policy
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
