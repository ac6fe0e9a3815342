"""Whose request it is, decided by its Host header alone."""

import pytest

from controller.common.nouns import PreviewKey
from controller.gateway import headers, hosts

KEY = PreviewKey("team/shop", 7)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", ""),
        ("localhost:8080", ""),
        ("LocalHost.:8080", ""),
        ("127.0.0.1:8080", ""),
        ("[::1]:8080", ""),
        ("pr-7.localhost", "pr-7"),
        ("PR-7.localhost:8080", "pr-7"),
        ("pr-7.localhost.", "pr-7"),
        ("pr-7-web--api.localhost:80", "pr-7-web--api"),
        ("pr-7.localhost.evil.com", None),
        ("pr-7.evil.com", None),
        ("evil.com", None),
        ("notlocalhost", None),
        ("pr-7.xlocalhost", None),
        ("a.pr-7.localhost", None),
        (".localhost", None),
        ("-.localhost", None),
        ("pr_7.localhost", None),
        ("pr-7.localhost:80:80", None),
        ("pr-7.localhost:", None),
        ("pr-7.localhost@evil.com", None),
        ("pr-7.localhost/x", None),
        ("pr-7.localhost\n", None),
        ("169.254.169.254", ""),
        ("10.1.2.3:8080", ""),
        ("[::2]", ""),
        ("a" * 64 + ".localhost", None),
        ("ﬁ.localhost", None),
        ("", None),
    ],
)
def test_a_host_is_the_dashboard_a_preview_or_nobody(host: str, expected: str | None):
    assert hosts.site(host, "localhost") == expected


def test_another_domain_has_its_own_previews_and_not_those_of_localhost():
    names = ["preview.example.com", "pr-7.preview.example.com:8080", "pr-7.localhost", "example.com"]
    assert [hosts.site(name, "preview.example.com") for name in names] == ["", "pr-7", None, None]


def test_the_way_to_the_dashboard_is_the_one_the_person_came_by():
    assert hosts.dashboard("http", "pr-7.localhost:8081", "localhost") == "http://localhost:8081/"
    assert hosts.dashboard("https", "pr-7.x.org", "x.org", KEY) == "https://x.org/previews/team/shop/7"


def test_our_own_checks_are_no_people():
    assert headers.by_person([(b"user-agent", b"Mozilla/5.0")])
    assert headers.by_person([])
    assert not headers.by_person([(b"user-agent", b"mayfly-smoke/0.1")])
    assert not headers.by_person([(b"user-agent", b"Mozilla/5.0 HeadlessChrome mayfly-smoke/0.1")])


def test_an_answer_with_two_framings_keeps_one():
    both = [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked"), (b"X-A", b"1")]
    assert headers.downwards(both, key=KEY, name="pr-7.localhost")[:-2] == [(b"x-a", b"1")]


def test_header_values_that_are_not_ascii_survive():
    up = headers.upwards([(b"x-name", "Zoë".encode()), (b"x-old", b"Zo\xeb")], scheme="http", host="h", client="c")
    assert dict(up)["x-name"] == dict(up)["x-old"] == "Zoë"
