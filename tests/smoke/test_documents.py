from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import Field

from smoke.documents import (
    DocumentError,
    Duration,
    Json,
    Size,
    Strict,
    format_duration,
    load,
    parse_duration,
    parse_size,
)


class Cat(Strict):
    kind: Literal["cat"]
    lives: int = 9


class Dog(Strict):
    kind: Literal["dog"]
    barks: bool = True


class House(Strict):
    name: str = ""
    port: int = 80
    wait: Duration = timedelta(seconds=1)
    memory: Size = 0
    env: dict[str, str] = {}
    expect: Json = None
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []


def read(text: str | bytes) -> House:
    return load(text, House, "house.yaml")


def complaint(text: str | bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        read(text)
    return str(caught.value)


def test_an_empty_document_is_all_defaults():
    assert read("") == House()


def test_values_stay_as_they_were_written():
    house = read("name: 1e10000\nenv: {VERSION: 1.10, ON: yes, DAY: 2026-01-01, ZIP: 01234}")
    assert house.name == "1e10000"
    assert house.env == {"VERSION": "1.10", "ON": "yes", "DAY": "2026-01-01", "ZIP": "01234"}


def test_what_is_compared_as_json_has_jsons_types():
    assert read("expect: {n: 3, ok: true, none: null, list: [1.5, '2']}").expect == {
        "n": 3,
        "ok": True,
        "none": None,
        "list": [1.5, "2"],
    }


def test_durations_and_sizes_are_human():
    house = read("wait: 1h 30m\nmemory: 512Mi\nport: 8080")
    assert (house.wait, house.memory, house.port) == (timedelta(minutes=90), 2**29, 8080)


def test_merge_keys_work():
    assert read("pets:\n- &a {kind: cat, lives: 7}\n- <<: *a\n  lives: 3").pets == [
        Cat(kind="cat", lives=7),
        Cat(kind="cat", lives=3),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "name: x\nprot: 1",
            "house.yaml: line 2, column 1: `prot`: unknown key; known are env, expect, memory,"
            " name, pets, port, wait. Did you mean `port`?",
            id="an unknown key",
        ),
        pytest.param(
            "pets:\n- kind: cat\n  livse: 3",
            "house.yaml: line 3, column 3: `pets.0.livse`: unknown key; known are kind, lives. Did you mean `lives`?",
            id="an unknown key deep inside a variant",
        ),
        pytest.param("pets: [{kind: cta}]", "Did you mean `cat`?", id="a variant that does not exist"),
        pytest.param("port: web", "line 1, column 7: `port`", id="a word where a number belongs"),
        pytest.param("wait: soon", "write it like `90s`", id="no duration"),
        pytest.param("wait: 99999999999999999999 weeks", "longer than anything", id="for ever"),
        pytest.param("memory: lots", "write it like `512Mi`", id="no size"),
        pytest.param("a: 1\na: 2", "line 2, column 1: the key `a` is written twice", id="twice"),
        pytest.param("? [a]\n: 1", "a key must be a word", id="a list as a key"),
        pytest.param("name: [", "line 1, column 8: not valid YAML", id="unclosed"),
        pytest.param("name: !!python/object:os.system x", "", id="a python tag is only text"),
        pytest.param(b"\xff\xfe", "not UTF-8", id="not text"),
        pytest.param("x: " + "a" * 300_000, "at most 262,144", id="too large"),
        pytest.param("[" * 3000, "house.yaml", id="too deep for the parser"),
        pytest.param("[" * 200_000, "line 1, column 41: it nests more than 40 levels", id="too deep for the stack"),
        pytest.param("[" * 50 + "]" * 50, "nests more than 40 levels", id="too deep"),
        pytest.param("a: &a [x]\nb: &b [*b]", "more than 40 levels", id="a loop"),
        pytest.param("- 1", "valid dictionary", id="a list at the top"),
    ],
)
def test_what_is_refused_and_how(text, words):
    if words:
        assert words in complaint(text)
    else:
        assert read(text).name == "x"


def test_a_bomb_is_refused_before_it_expands():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "expands to more than 10,000 values" in complaint("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2 days", 172800), ("1h30m", 5400), ("250ms", 0.25), ("1 Week", 604800)],
)
def test_durations(text, seconds):
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "duration", [timedelta(days=20, microseconds=1), timedelta(days=90), timedelta(milliseconds=1), timedelta(0)]
)
def test_a_duration_is_read_as_it_was_written(duration):
    assert House.model_validate_json(House(wait=duration).model_dump_json()).wait == duration


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 parsecs", "1h and more"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="write it like"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250 ms"), (4.2, "4.2 s"), (90, "2 min"), (7500, "2 h 5 min"), (259200, "3 days")],
)
def test_durations_are_said_to_people(seconds, text):
    assert format_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(("text", "size"), [("1024", 1024), ("2Gi", 2**31), ("500M", 500_000_000)])
def test_sizes(text, size):
    assert parse_size(text) == size
