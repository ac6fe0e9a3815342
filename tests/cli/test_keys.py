import pytest

from controller.cli.console import Failure
from controller.cli.keys import pick
from tests.cli.cards import a_card

CARDS = [
    a_card(number=7, branch="few-left"),
    a_card(number=8, branch="winter-colours"),
    a_card(repo="other/site", number=8, branch="Search"),
    a_card(number=12, branch="7"),
]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        pytest.param("few-left", "shop#7", id="a branch"),
        pytest.param("12", "shop#12", id="a number"),
        pytest.param("#12", "shop#12", id="a number as people write it"),
        pytest.param("other/site#8", "other/site#8", id="a repository and a number"),
        pytest.param("search", "other/site#8", id="a branch in another case"),
    ],
)
def test_a_key_names_one_preview(key: str, found: str):
    assert pick(key, CARDS).key == found


@pytest.mark.parametrize(
    ("key", "text"),
    [
        pytest.param("8", "`8` is more than one: say which, `shop#8`, `other/site#8`", id="two repositories"),
        pytest.param("7", "`7` is more than one: say which, `shop#7`, `shop#12`", id="a branch called as a number"),
        pytest.param("few-lft", "there is no preview `few-lft`. Did you mean `few-left`?", id="nearly a branch"),
        pytest.param(
            "xyz",
            "there is no preview `xyz`. There are `shop#7`, `shop#8`, `other/site#8`, `shop#12`.",
            id="nothing near",
        ),
        pytest.param(
            "1e9", "there is no preview `1e9`. There are `shop#7`, `shop#8`, `other/site#8`, `shop#12`.", id="no number"
        ),
    ],
)
def test_a_key_that_names_none_or_two_is_explained(key: str, text: str):
    with pytest.raises(Failure) as failure:
        pick(key, CARDS)
    assert failure.value.text == text
    assert failure.value.code == 2


def test_where_there_are_none_a_push_is_advised():
    with pytest.raises(Failure, match="There are none yet: `git push preview my-branch` makes one"):
        pick("7", [])
