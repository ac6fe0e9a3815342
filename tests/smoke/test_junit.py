from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke import junit, junit_out
from smoke.junit import MAX_BYTES, JunitError, read
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

SAMPLES = Path(__file__).parent / "junit"


def sample(name: str) -> dict[str, CheckResult]:
    return {case.name: case for case in read((SAMPLES / f"{name}.xml").read_bytes(), Path("/repo"))}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "pytest",
            {
                "tests.test_shop › test_front[a-b]": "passed",
                "tests.test_shop › test_buy": "failed",
                "tests.test_shop › test_gift": "",
                "tests.test_shop › test_setup": "failed",
            },
        ),
        ("rerunfailures_old", {"tests.test_shop › test_flaky": "failed passed"}),
        ("rerunfailures_new", {"tests.test_shop › test_flaky": "failed passed"}),
        ("jest", {"cart adds": "passed", "cart › removes": "failed"}),
        ("playwright", {"shop.spec.ts › buys a book": "failed passed", "shop.spec.ts › pays": "failed failed"}),
        (
            "surefire",
            {
                "shop.CartTest › adds": "failed failed passed",
                "shop.CartTest › removes": "failed failed failed",
                "shop.CartTest › later": "",
            },
        ),
        ("gradle", {"shop.CartTest › adds()": "failed"}),
        (
            "gotestsum",
            {"example.com/shop/cart › TestAdd": "failed passed", "example.com/shop/cart › TestRemove": "passed"},
        ),
        ("nested", {"cart › adds": "passed", "broken": "failed", "all › alone": "passed"}),
    ],
)
def test_every_dialect_is_understood(name: str, expected: dict[str, str]):
    found = {name: " ".join(attempt.outcome for attempt in case.attempts) for name, case in sample(name).items()}
    assert found == expected


@pytest.mark.parametrize(
    ("name", "case", "place"),
    [
        pytest.param(
            "pytest", "tests.test_shop › test_front[a-b]", ("tests/test_shop.py", 4), id="pytest counts from 0"
        ),
        pytest.param("pytest", "tests.test_shop › test_buy", ("tests/test_shop.py", 12), id="where it failed"),
        pytest.param("jest", "cart › removes", ("src/cart.test.js", 14), id="in the test, not in a library"),
        pytest.param("playwright", "shop.spec.ts › pays", ("shop.spec.ts", 9), id="in brackets"),
        pytest.param("surefire", "shop.CartTest › later", ("", None), id="nobody knows"),
    ],
)
def test_where_a_case_stands(name: str, case: str, place: tuple[str, int | None]):
    found = sample(name)[case]
    assert (found.file, found.line) == place


def test_reasons_messages_details_and_times():
    cases = sample("pytest")
    assert cases["tests.test_shop › test_gift"].skipped == "no gifts today"
    failed = cases["tests.test_shop › test_buy"].attempts[0]
    assert (failed.message, failed.took) == ("assert 1 == 2", timedelta(milliseconds=2))
    assert "E       assert 1 == 2" in failed.details
    assert sample("surefire")["shop.CartTest › adds"].attempts[-1].took == timedelta(seconds=1000.5)
    assert sample("jest")["cart › removes"].attempts[0].message == "Error: expect(received).toBe(expected)"
    assert sample("surefire")["shop.CartTest › later"].skipped == "skipped"


BOMB = """<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuite><testcase name="&b;"/></testsuite>"""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(BOMB.encode(), "document type", id="an entity bomb"),
        pytest.param(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuite/>', "document type", id="another's file"),
        pytest.param(b"", "not XML", id="nothing"),
        pytest.param(b"<testsuite>", "not XML", id="cut short"),
        pytest.param(b"<testsuite>&nbsp;</testsuite>", "not XML", id="an unknown entity"),
        pytest.param(b'<?xml version="1.0" encoding="nonsense"?><a/>', "not XML", id="an unknown encoding"),
        pytest.param(b"<html/>", "begins with <html>", id="something else"),
        pytest.param(b"<testsuite>" * 100, "nested too deeply", id="too deep"),
        pytest.param(b" " * (MAX_BYTES + 1), "more than 20 MiB", id="too large"),
    ],
)
def test_what_is_refused(data: bytes, words: str):
    with pytest.raises(JunitError, match=words):
        read(data)


def test_too_many_tests_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(junit, "MAX_TESTS", 3)
    with pytest.raises(JunitError, match="more than 3 tests"):
        read(b"<testsuite>" + b"".join(b"<testcase name='%d'/>" % number for number in range(4)) + b"</testsuite>")


@pytest.mark.parametrize("file", ["/etc/passwd", "../x.py", "", "a" * 600])
def test_a_file_outside_the_repository_is_nowhere(file: str):
    [case] = read(f'<testsuite><testcase name="a" file="{file}" line="x"/></testsuite>'.encode(), Path("/repo"))
    assert (case.file, case.line) == ("", None)


@pytest.mark.parametrize("time", ["", "nan", "inf", "-1", "1e400", "soon", "1e18"])
def test_a_time_that_is_none_is_no_time(time: str):
    [case] = read(f'<testsuite><testcase name="a" time="{time}"/></testsuite>'.encode())
    assert case.took == timedelta()


tags = st.sampled_from(
    [
        "testsuite",
        "testcase",
        "failure",
        "error",
        "skipped",
        "rerunFailure",
        "flakyFailure",
        "rerun",
        "x:y",
        "stackTrace",
    ]
)
texts = st.text("ab<&>\"' 1.,:/é\x00", max_size=8)


@st.composite
def documents(draw: st.DrawFn, depth: int = 0) -> str:
    tag = draw(tags) if depth else "testsuites"
    names = draw(st.lists(st.sampled_from(["name", "classname", "file", "line", "time", "message"]), unique=True))
    attributes = "".join(f' {name}="{draw(texts)}"' for name in names)
    children = draw(st.lists(documents(depth + 1), max_size=3)) if depth < 4 else []
    return f"<{tag}{attributes}>{draw(texts)}{''.join(children)}</{tag}>"


@given(st.one_of(st.binary(max_size=200), documents().map(str.encode)))
def test_the_reader_answers_or_refuses_and_nothing_else(data: bytes):
    try:
        cases = read(data)
    except JunitError:
        return
    assert all(case.attempts or case.skipped for case in cases)
    assert len({(case.name, case.file, case.line) for case in cases}) <= len(cases)


attempts = st.lists(
    st.builds(
        Attempt,
        st.sampled_from(Outcome),
        st.integers(0, 10**6).map(lambda n: timedelta(milliseconds=n)),
        st.text(max_size=9),
        st.text(max_size=9),
    ),
    max_size=4,
).map(
    lambda some: (
        [a for a in some if a.outcome is not Outcome.PASSED] + [a for a in some if a.outcome is Outcome.PASSED][:1]
    )
)


@given(st.lists(attempts, max_size=5))
def test_what_is_written_is_read_again(every: list[list[Attempt]]):
    results = tuple(
        CheckResult(f"check {n}", "http", tuple(tried), skipped=None if tried else "why")
        for n, tried in enumerate(every)
    )
    run = SuiteRun("smoke", "abc", datetime(2026, 1, 5, tzinfo=UTC), timedelta(seconds=1), results)
    found = read(junit_out.write(run))
    as_read = [[attempt.outcome is Outcome.PASSED for attempt in case.attempts] for case in found]
    assert as_read == [[attempt.outcome is Outcome.PASSED for attempt in result.attempts] for result in results]


def test_a_run_as_junit_xml():
    def attempt(outcome: Outcome, message: str = "") -> Attempt:
        return Attempt(outcome, timedelta(milliseconds=250), message, "the lines" if message else "")

    case = CheckResult("cart › adds", "test", (attempt(Outcome.PASSED),), file="cart.py", line=3)
    results = (
        CheckResult("good", "http", (attempt(Outcome.PASSED),)),
        CheckResult("flaky", "http", (attempt(Outcome.FAILED, "once"), attempt(Outcome.PASSED))),
        CheckResult("bad", "http", (attempt(Outcome.FAILED, "a\x00"), attempt(Outcome.BROKEN, "b"))),
        CheckResult("unknown", "http", (attempt(Outcome.BROKEN, "c"),)),
        CheckResult("left out", "http", skipped="`bad` did not pass"),
        CheckResult("tests", "command", (attempt(Outcome.PASSED),), cases=(case,)),
    )
    run = SuiteRun(
        "smoke", "abc", datetime(2026, 1, 5, tzinfo=UTC), timedelta(seconds=1), results, error="it was cut off"
    )
    assert junit_out.write(run).decode() == (SAMPLES / "written.xml").read_text().rstrip("\n")
