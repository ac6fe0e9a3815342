"""One annotation that GitHub does not take would cost the whole check run: each is made fit."""

import pytest

from controller.adapters.github.annotations import MOST, NOWHERE, batches, cleaned
from controller.common.words import Annotation

PLAIN = Annotation("shop/app.py", 12, "login", "expected 200")


def test_an_annotation_marks_one_line_as_a_failure():
    assert cleaned((PLAIN,)) == [
        {
            "path": "shop/app.py",
            "start_line": 12,
            "end_line": 12,
            "annotation_level": "failure",
            "message": "expected 200",
            "title": "login",
        }
    ]


@pytest.mark.parametrize(
    ("path", "becomes"),
    [
        ("./shop/app.py", "shop/app.py"),
        ("/srv/shop/app.py", "srv/shop/app.py"),
        ("//shop/app.py", "shop/app.py"),
        (r"shop\app.py", "shop/app.py"),
        ("shop/../shop/app.py", "shop/app.py"),
        ("shop/ä 🎉.py", "shop/ä 🎉.py"),
        ("shop/\x1b[31mapp.py\x00", "shop/app.py"),
        ("a" * 1024, "a" * 1024),
        ("a" * 1025, NOWHERE),
        ("../secrets", NOWHERE),
        ("a/../..", NOWHERE),
        ("..", NOWHERE),
        (".", NOWHERE),
        ("/", NOWHERE),
        ("", NOWHERE),
        ("  \n", NOWHERE),
    ],
)
def test_a_path_stays_in_the_repository(path, becomes):
    [annotation] = cleaned((Annotation(path, 1, "t", "m"),))
    assert annotation["path"] == becomes


@pytest.mark.parametrize(
    ("line", "becomes"), [(-1, 1), (0, 1), (1, 1), (2**31 - 1, 2**31 - 1), (2**31, 2**31 - 1), (10**30, 2**31 - 1)]
)
def test_a_line_is_one_that_can_be(line, becomes):
    [annotation] = cleaned((Annotation("a", line, "t", "m"),))
    assert (annotation["start_line"], annotation["end_line"]) == (becomes, becomes)


@pytest.mark.parametrize(
    ("title", "becomes"),
    [("t" * 255, "t" * 255), ("t" * 256, "t" * 254 + "…"), ("one\ntwo\x00", "one two"), ("a\ud83c", "a")],
)
def test_a_title_is_one_line_that_fits(title, becomes):
    [annotation] = cleaned((Annotation("a", 1, title, "m"),))
    assert annotation["title"] == becomes


def test_a_title_of_nothing_is_left_out():
    [annotation] = cleaned((Annotation("a", 1, " ", "m"),))
    assert "title" not in annotation


@pytest.mark.parametrize(
    ("message", "becomes"),
    [
        pytest.param("m" * 65_536, "m" * 65_536, id="at the limit"),
        pytest.param("m" * 65_537, "m" * 65_535, id="one past it"),
        pytest.param("m" + "é" * 32_768, "m" + "é" * 32_767, id="the limit is bytes, and no character is halved"),
        pytest.param("", "failed", id="nothing"),
        pytest.param(" \x00\n", "failed", id="nothing to be seen"),
        pytest.param("\x1b[31mred\x1b[0m\nline", "red\nline", id="colours"),
    ],
)
def test_a_message_is_text_that_fits(message, becomes):
    [annotation] = cleaned((Annotation("a", 1, "t", message),))
    assert annotation["message"] == becomes


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, [0]), (1, [1]), (49, [49]), (50, [50]), (51, [50, 1]), (100, [50, 50]), (120, [50, 50, 20])],
)
def test_fifty_go_with_a_request(count, sizes):
    assert [len(batch) for batch in batches(cleaned((PLAIN,) * count))] == sizes


@pytest.mark.parametrize(("count", "sent"), [(MOST, MOST), (MOST + 1, MOST)])
def test_more_than_anybody_reads_are_not_sent(count, sent):
    assert len(cleaned((PLAIN,) * count)) == sent
