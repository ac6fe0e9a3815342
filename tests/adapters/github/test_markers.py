"""Whose words are they?"""

import pytest

from controller.adapters.github import markers
from controller.common.nouns import PreviewKey

KEY = PreviewKey("acme/shop", 7)
STICKY = "<!-- mayfly acme/shop#7 -->"
OF_A_TOPIC = "<!-- mayfly acme/shop#7 deploy-production -->"


@pytest.mark.parametrize(
    ("author", "body", "ours"),
    [
        pytest.param("mayfly[bot]", f"{STICKY}\nready", True, id="the sticky one is ours"),
        pytest.param("Mayfly[bot]", f"{STICKY}\nready", True, id="a login is one whatever its case"),
        pytest.param("mayfly[bot]", "<!-- mayfly answer 12 -->\npinned", True, id="an answer is ours"),
        pytest.param("mayfly[bot]", "<!-- mayfly answer 12 -->\r\npinned", True, id="line ends may change on the way"),
        pytest.param("mayfly[bot]", f"{OF_A_TOPIC}\nlive", True, id="that of a topic is ours"),
        pytest.param("mayfly[bot]", "/preview pin", False, id="what our person writes without a marker is theirs"),
        pytest.param("mayfly[bot]", f"> {STICKY}\nwhy?", False, id="a quoted marker is none"),
        pytest.param("mayfly[bot]", f"why? {STICKY}", False, id="a marker stands first or is none"),
        pytest.param("eve", f"{STICKY}\nready", False, id="a stranger who writes our marker is a stranger"),
        pytest.param("mayfly", f"{STICKY}\nready", False, id="a person with the App's name is a stranger"),
        pytest.param("", STICKY, False, id="nobody is not us"),
    ],
)
def test_ours_is_what_we_wrote_with_our_marker(author, body, ours):
    assert markers.is_ours(author, body, "mayfly[bot]") is ours


@pytest.mark.parametrize("body", ["words", "<!-- mayfly answer 12 -->\npinned", f"> {OF_A_TOPIC}\nwhy?"])
def test_what_is_no_sticky_comment_has_no_topic(body):
    assert markers.topic_of(body) == ""


def test_the_sticky_marker_is_the_reports():
    assert markers.sticky(KEY) == STICKY


def test_every_topic_has_a_marker_and_none_begins_another():
    assert markers.sticky(KEY, "deploy-production") == OF_A_TOPIC
    bodies = [f"{markers.sticky(KEY, topic)}\nwords" for topic in ("", "deploy", "deploy-production")]
    for number, topic in enumerate(("", "deploy", "deploy-production")):
        borne = [markers.bears(body, markers.sticky(KEY, topic)) for body in bodies]
        assert borne == [number == other for other in range(3)]
        assert markers.unmarked(bodies[number]) == "words"
        assert markers.topic_of(bodies[number]) == topic


def test_nothing_gets_out_of_a_topic():
    assert markers.sticky(KEY, "x --> <b>") == "<!-- mayfly acme/shop#7 x_--___b_ -->"


@pytest.mark.parametrize(
    ("to", "marker"),
    [
        ("12", "<!-- mayfly answer 12 -->"),
        ("delivery:72d3162e-cc78-11e3", "<!-- mayfly answer delivery:72d3162e-cc78-11e3 -->"),
        ("x --> <b>", "<!-- mayfly answer x_--___b_ -->"),
        ("é\n", "<!-- mayfly answer __ -->"),
    ],
)
def test_nothing_gets_out_of_a_marker(to, marker):
    assert markers.answer(to) == marker
    assert markers.is_ours("mayfly[bot]", marker, "mayfly[bot]")


def test_a_body_is_marked_once_and_can_be_read_without():
    assert markers.marked(STICKY, "ready") == f"{STICKY}\nready"
    assert markers.marked(STICKY, f"{STICKY}\nready") == f"{STICKY}\nready"
    assert markers.unmarked(f"{STICKY}\nready") == "ready"
    assert markers.unmarked("<!-- mayfly answer 12 -->\r\npinned") == "pinned"
    assert markers.unmarked(f"> {STICKY}") == f"> {STICKY}"
