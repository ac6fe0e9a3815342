"""Ada at the fake GitHub, in a process of its own: what the demo does there, and what it says where that cannot be."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import fake_github
from controller.cli.checkout import Checkout
from controller.cli.console import Failure
from controller.cli.fake_github import FakeGitHub
from controller.cli.hub_github import AtGitHub
from controller.cli.hubs import OnMain
from controller.cli.main import app
from controller.cli.person import Person, Pull
from controller.cli.proof import Unmet
from controller.settings import Home, Policy

NOWHERE = "http://127.0.0.1:9/webhooks/github"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "shop")
    made.make()
    return made


@pytest.fixture
def hub(checkout: Checkout) -> Iterator[AtGitHub]:
    hub = AtGitHub()
    hub.open(checkout, Home(checkout.path / ".mayfly"), NOWHERE)
    yield hub
    hub.stop()


def state(hub: AtGitHub, number: int) -> str:
    return hub.ada.ask("GET", f"/repos/acme/shop/pulls/{number}", dict[str, object])["state"]


def pushed(checkout: Checkout, hub: AtGitHub, branch: str) -> int:
    checkout.git("switch", "--quiet", "--create", branch, "main")
    checkout.git("commit", "--quiet", "--allow-empty", f"--message=Begin {branch}")
    return hub.push(branch)


@pytest.mark.processes
def test_pull_requests_open_with_a_push_and_end_as_people_end_them(checkout: Checkout, hub: AtGitHub):
    policy = Policy.model_validate(hub.policy)
    assert (policy.forge, policy.github.app_id) == ("github", 7)
    numbers = [pushed(checkout, hub, branch) for branch in ("one", "two")]
    assert numbers == [1, 2]
    assert hub.push("two") == 2
    head = checkout.git("rev-parse", "two").strip()
    assert (hub.reports(2), hub.checks(2, head), hub.deployment(2, head)) == ([], {}, "")

    hub.finish("one")
    hub.close({2: "two"})
    assert (state(hub, 1), state(hub, 2)) == ("closed", "closed")
    assert "refs/heads/one" not in checkout.git("ls-remote", "preview")
    merged = checkout.main()
    assert "Merge pull request #1" in checkout.git("log", "-1", "--format=%s", merged)
    assert (hub.on_main(merged, "production"), hub.deployed(1, "production")) == (OnMain(), "")


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_whoever_plays_can_open_a_pull_request_as_they_are_told(checkout: Checkout, hub: AtGitHub):
    checkout.git("switch", "--quiet", "--create", "my-branch")
    checkout.git("commit", "--quiet", "--allow-empty", "--message=Mine")
    subprocess.run(["bash", "-c", hub.invitation()], cwd=checkout.path, check=True, capture_output=True)
    assert state(hub, 1) == "open"


@pytest.mark.processes
def test_what_github_does_not_describe_is_told_at_the_end(tmp_path: Path):
    github = FakeGitHub(tmp_path / "github", NOWHERE)
    about = github.start()
    ada = Person(about.api, about.tokens["ada"])
    with pytest.raises(Unmet) as refused:
        ada.ask("POST", "/repos/acme/shop/pulls", Pull, {"title": "from nowhere"})
    assert refused.value.seen.startswith("422 ")
    with pytest.raises(Unmet) as unmet:
        github.stop()
    assert "not as GitHub describes itself" in unmet.value.seen
    github.stop()


def test_an_answer_that_does_not_come_is_told():
    with pytest.raises(Unmet) as unmet:
        Person("http://127.0.0.1:9/api/v3", "secret").ask("GET", "/user", Pull)
    assert unmet.value.expected == "GitHub answers GET /user"
    assert "secret" not in unmet.value.seen


def test_without_a_checkout_of_ours_there_is_no_fake_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fake_github, "ROOT", tmp_path)
    with pytest.raises(Failure, match="needs a checkout of Mayfly's repository"):
        FakeGitHub(tmp_path / "github", NOWHERE).start()


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fake_github, "NEEDS", ("json", "jsonschemer"))
    with pytest.raises(Failure, match="the fake GitHub needs jsonschemer: `make setup` installs everything"):
        FakeGitHub(tmp_path / "github", NOWHERE).start()


def test_a_forge_that_is_none_is_refused():
    result = CliRunner().invoke(app, ["demo", "--once", "--forge", "gitlab"])
    assert result.exit_code == 2
    assert "--forge: it is `git` or `fake-github`, not 'gitlab'" in result.output
