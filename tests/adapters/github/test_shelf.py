"""What is remembered of GitHub, and for how long."""

from datetime import timedelta

import pytest
from pydantic import BaseModel

from controller.adapters.github.shelf import LARGEST_PART, Book, Key, Page, Shelf
from tests.adapters.github.hub import NOW

MINUTE = timedelta(minutes=1)


class Thing(BaseModel):
    number: int = 1


def a_key(path="pulls/7", repo="acme/shop"):
    return Key(repo, path, (), Thing)


def a_book(shelf, size=100, at=NOW):
    return Book((Page((), '"1"', (Thing(),), None, size),), shelf.ask(at))


def put(shelf, key, **book):
    shelf.put(key, made := a_book(shelf, **book))
    return made


@pytest.mark.parametrize(
    ("age", "is_fresh"),
    [
        pytest.param(timedelta(), True, id="just now"),
        pytest.param(MINUTE - timedelta(seconds=1), True, id="nearly a minute ago"),
        pytest.param(MINUTE, False, id="a minute ago"),
        pytest.param(-MINUTE, False, id="in the future: the clock was put back"),
    ],
)
def test_what_is_fresh_for_a_minute(age, is_fresh):
    shelf = Shelf()
    assert shelf.is_fresh(a_key(), shelf.ask(NOW), MINUTE, NOW + age) == is_fresh


def test_nothing_is_fresh_for_who_wants_it_anew():
    shelf = Shelf()
    assert not shelf.is_fresh(a_key(), shelf.ask(NOW), timedelta(), NOW)


@pytest.mark.parametrize(
    ("doubted", "is_fresh"),
    [
        pytest.param("pulls/7", False, id="itself"),
        pytest.param("pulls", False, id="above it"),
        pytest.param("", False, id="the repository"),
        pytest.param("pulls/7/files", True, id="below it"),
        pytest.param("pulls/77", True, id="another that begins like it"),
        pytest.param("pull", True, id="no part of its path"),
        pytest.param("issues", True, id="something else"),
    ],
)
def test_what_a_doubt_reaches(doubted, is_fresh):
    shelf = Shelf()
    asked = shelf.ask(NOW)
    shelf.doubt("Acme/SHOP", doubted)
    assert shelf.is_fresh(a_key(), asked, MINUTE, NOW) == is_fresh
    assert shelf.is_fresh(a_key(repo="acme/other"), asked, MINUTE, NOW)
    assert shelf.is_fresh(a_key(), shelf.ask(NOW), MINUTE, NOW), "what is asked afterwards settles it"


def test_a_doubt_that_is_forgotten_is_one_about_everything():
    shelf = Shelf(max_doubts=2)
    asked = shelf.ask(NOW)
    for number in (1, 2):
        shelf.doubt("acme/shop", f"pulls/{number}")
    assert shelf.is_fresh(a_key("pulls/7"), asked, MINUTE, NOW)
    shelf.doubt("acme/shop", "pulls/3")
    assert not shelf.is_fresh(a_key("pulls/1"), asked, MINUTE, NOW)
    assert not shelf.is_fresh(a_key("pulls/7"), asked, MINUTE, NOW)
    assert shelf.is_fresh(a_key("pulls/7"), shelf.ask(NOW), MINUTE, NOW)


def test_what_was_used_longest_ago_goes_first():
    shelf = Shelf(max_books=2)
    put(shelf, a_key("1"))
    put(shelf, a_key("2"))
    assert shelf.get(a_key("1"))
    put(shelf, a_key("3"))
    assert [bool(shelf.get(a_key(path))) for path in "123"] == [True, False, True]


def test_it_holds_so_many_bytes():
    shelf = Shelf(max_bytes=400)
    for path in "1234":
        put(shelf, a_key(path), size=100)
    assert all(shelf.get(a_key(path)) for path in "1234")
    put(shelf, a_key("4"), size=100)
    assert shelf.get(a_key("1")), "another one in the place of the first takes no more"
    put(shelf, a_key("5"), size=1)
    assert [bool(shelf.get(a_key(path))) for path in "12345"] == [True, False, True, True, True]


def test_what_would_push_out_everything_else_is_not_kept():
    shelf = Shelf(max_bytes=100 * LARGEST_PART)
    put(shelf, a_key("1"), size=100)
    put(shelf, a_key("2"), size=101)
    assert shelf.get(a_key("1"))
    assert shelf.get(a_key("2")) is None


def test_an_answer_to_an_older_question_changes_nothing():
    shelf = Shelf()
    older = a_book(shelf)
    newer = put(shelf, a_key())
    shelf.put(a_key(), older)
    assert shelf.get(a_key()) is newer
