import json

import pytest

import benchmarks.__main__ as harness
from benchmarks.model import Row, Skipped


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    return tmp_path


def test_one_that_does_not_exist_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        harness.main(["plam"])
    assert ended.value.code == 2
    assert "there is no benchmark plam; there are " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ours", "code"), [pytest.param(5, 0, id="a goal that is met"), pytest.param(50, 1, id="a goal that is missed")]
)
def test_the_exit_code_says_whether_the_goals_are_met(results, monkeypatch, capsys, ours, code):
    async def measure():
        return [Row.at_most("planning", ours, 10, "ms", peer=2, against="sorting")]

    monkeypatch.setattr("benchmarks.plan.measure", measure)
    assert harness.main(["plan", "--json"]) == code
    report = json.loads(capsys.readouterr().out)
    assert report["rows"]["plan"][0]["ours"] == ours
    assert json.loads((results / "latest.json").read_text()) == report


def test_one_that_cannot_be_measured_is_no_success(results, monkeypatch, capsys):
    async def measure():
        raise OSError("no such file")

    monkeypatch.setattr("benchmarks.plan.measure", measure)
    assert harness.main(["plan"]) == 2
    assert "no such file" in capsys.readouterr().err
    assert "no such file" in (results / "latest.json").read_text()


def test_one_that_has_not_what_it_needs_is_skipped_with_the_reason(results, monkeypatch, capsys):
    async def measure():
        raise Skipped("it needs a cluster in KUBECONFIG")

    monkeypatch.setattr("benchmarks.plan.measure", measure)
    assert harness.main(["plan"]) == 0
    assert "plan is skipped: it needs a cluster" in capsys.readouterr().err
    assert json.loads((results / "latest.json").read_text())["skipped"] == {"plan": "it needs a cluster in KUBECONFIG"}
