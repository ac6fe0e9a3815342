import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.jsonpath import find, parse, same

SHOP = {"items": [{"id": 3, "a key": "x"}, {"id": 4}], "none": None, "it's": {"on-sale": True}, 'say "hi"': 1}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", SHOP),
        ("$.items[0].id", 3),
        ("$.items[-1].id", 4),
        ("$.items[*].id", [3, 4]),
        ("$.items.length()", 2),
        ('$.items[0]["a key"]', "x"),
        ("$.items[0]['a key']", "x"),
        ('$["it\'s"].on-sale', True),
        ("$['say \"hi\"']", 1),
        ("$.none", None),
        ("$.items[*].id.length()", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: object):
    if value is None and "length" in path:
        with pytest.raises(LookupError):
            find(SHOP, path)
    else:
        assert find(SHOP, path) == value


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$.nothing", "there is no 'nothing' (there is 'items', 'none'"),
        ("$.items[2]", "there is no item 2 (the list has 2)"),
        ("$.items.id", "'id' leads into a list"),
        ("$.none.x", "'x' leads into null"),
        ("$.items[0].id.x", "leads into a number"),
        ('$.items[0]["a key"].x', "leads into text"),
        ('$["it\'s"].on-sale.x', "leads into a boolean"),
        ("$.none[*]", "needs a list, and there is null"),
        ("$[0]", "0 leads into an object"),
        ("$.items[*].id[*].x", "needs a list, and there is a number"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(path: str, words: str):
    with pytest.raises(LookupError) as caught:
        find(SHOP, path)
    assert words in str(caught.value)


@pytest.mark.parametrize("path", ["", "items", "$items", "$.", "$[", "$[x]", "$..a", "$.a b", "$[1e3]"])
def test_what_is_no_path(path: str):
    with pytest.raises(ValueError, match="write it like"):
        parse(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(values, st.text("$.[]*-()'\"ab01length", max_size=12))
def test_any_path_into_anything_answers_or_says_why_not(document: object, path: str):
    with contextlib.suppress(ValueError, LookupError):
        find(document, "$" + path)


@given(values, values)
def test_equality_is_jsons(one: object, other: object):
    assert same(one, one)
    assert same(one, other) == same(other, one)


def test_a_boolean_is_no_number():
    assert not same(1, True)
    assert not same([0, {"a": 1}], [0, {"a": True}])
    assert same(1, 1.0)
