"""`mayfly init` in real checkouts."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from controller.common.spec import parse
from controller.settings import Home, Local, Policy
from tests.cli.conftest import Mayfly

pytestmark = pytest.mark.processes


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Its path has spaces and a quote; it holds a Flask application and one commit."""
    folder = tmp_path / "it's a shop"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "requirements.txt").write_text("flask\n")
    (folder / "app.py").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


def test_init_writes_a_spec_and_adds_the_remote(checkout: Path, mayfly: Mayfly):
    result = mayfly("init", checkout)
    assert result.exit_code == 0
    assert result.stdout == (
        f"Wrote {checkout}/.preview.yaml\n"
        "Added the remote `preview`\n"
        "\n"
        "Every branch but `main` is a pull request. Look at the file, commit it on one, then:\n"
        "\n"
        "  mayfly serve                    # in another terminal\n"
        "  git push preview my-branch\n"
    )
    spec = parse((checkout / ".preview.yaml").read_bytes(), "0" * 40)
    assert spec.services["web"].command == ("python", "-m", "flask", "--app", "app", "run", "--port", "{port}")
    assert git(checkout, "ls-remote", "preview", "refs/heads/main").split()[0] == git(checkout, "rev-parse", "HEAD")


def test_what_init_makes_is_kept_out_of_the_repository(checkout: Path, mayfly: Mayfly):
    mayfly("init", checkout)
    assert git(checkout, "status", "--short") == "?? .preview.yaml"


def test_the_file_names_a_schema_that_is_there(checkout: Path, mayfly: Mayfly):
    mayfly("init", checkout)
    first = (checkout / ".preview.yaml").read_text().splitlines()[0]
    reference = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((checkout / reference).read_text())["title"] == ".preview.yaml"


def test_previews_find_the_programs_that_this_terminal_finds(
    checkout: Path, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch
):
    path = f'{os.environ["PATH"]}:/odd place/it\'s "quoted": #1'
    monkeypatch.setenv("PATH", path)
    mayfly("init", checkout)
    assert Home(checkout / ".mayfly").policy() == Policy(local=Local(path=path))


def test_the_examples_in_the_policy_are_right_once_they_are_said(checkout: Path, mayfly: Mayfly):
    mayfly("init", checkout)
    file = checkout / ".mayfly" / "mayfly.yaml"
    _, examples = file.read_text().split("where it fails; and watched.\n")
    file.write_text(examples.replace("# ", ""))
    policy = Home(checkout / ".mayfly").policy()
    [target], [probe], [_] = policy.targets, policy.probes, policy.notify
    assert (target.repository, target.branch) == ("it-s-a-shop", "main")
    assert probe.url == policy.url(target.name)


def test_a_policy_that_is_there_stays(checkout: Path, mayfly: Mayfly):
    (checkout / ".mayfly").mkdir()
    (checkout / ".mayfly" / "mayfly.yaml").write_text("listen: 127.0.0.1:9\n")
    mayfly("init", checkout)
    assert (checkout / ".mayfly" / "mayfly.yaml").read_text() == "listen: 127.0.0.1:9\n"


def test_init_works_from_a_folder_below(checkout: Path, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch):
    (checkout / "deep").mkdir()
    monkeypatch.chdir(checkout / "deep")
    assert mayfly("init").exit_code == 0
    assert (checkout / ".mayfly" / "forge").is_dir()


def test_a_second_init_leaves_what_a_person_wrote(checkout: Path, mayfly: Mayfly):
    mayfly("init", checkout)
    (checkout / ".preview.yaml").write_text("mine")
    result = mayfly("init", checkout)
    assert result.exit_code == 0
    assert f"Left as it is: {checkout}/.preview.yaml\nThere already: the remote `preview`\n" in result.stdout
    assert (checkout / ".preview.yaml").read_text() == "mine"


def test_force_writes_it_anew(checkout: Path, mayfly: Mayfly):
    (checkout / ".preview.yaml").write_text("mine")
    mayfly("init", checkout, "--force")
    assert "services:" in (checkout / ".preview.yaml").read_text()


def test_init_as_json(checkout: Path, mayfly: Mayfly):
    made = json.loads(mayfly("init", checkout, "--json").stdout)
    assert (made["main"], made["wrote_spec"], made["remote_added"]) == ("main", True, True)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, mayfly: Mayfly):
    result = mayfly("init", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{tmp_path} is not in a git checkout: `git init` makes one\n"


def test_a_checkout_without_a_commit_is_refused_and_left_alone(tmp_path: Path, mayfly: Mayfly):
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "--quiet")
    result = mayfly("init", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{folder} has no commit yet: make the first one, then try again\n"
    assert sorted(entry.name for entry in folder.iterdir()) == [".git"]


def test_a_remote_that_leads_elsewhere_is_not_touched(checkout: Path, mayfly: Mayfly):
    git(checkout, "remote", "add", "preview", "/somewhere/else")
    result = mayfly("init", checkout)
    assert result.exit_code == 2
    assert "the remote `preview`" in result.stderr
    assert git(checkout, "remote", "get-url", "preview") == "/somewhere/else"
    assert not (checkout / ".preview.yaml").exists()


def test_a_spec_that_is_a_link_is_not_written_through(checkout: Path, mayfly: Mayfly, tmp_path: Path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (checkout / ".preview.yaml").symlink_to(victim)
    assert mayfly("init", checkout, "--force").exit_code == 2
    assert victim.read_text() == "mine"
