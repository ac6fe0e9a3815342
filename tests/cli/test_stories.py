"""What the demo pushes: the patches apply, one after another, and the shop's spec is one."""

import shutil
from pathlib import Path

import pytest

from controller.cli.chapters import ALIVE, SHOP, alive_file, chapter_file
from controller.common.spec import parse
from tests.cli.test_init import git

CHAPTERS = range(1, 7)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("stories", "__pycache__"))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=main")
    return folder


def test_the_shops_spec_is_one():
    spec = parse((SHOP / ".preview.yaml").read_bytes(), "0" * 40)
    assert list(spec.checks.suites()) == ["smoke", "e2e"]
    assert all((SHOP / file).is_file() for file in spec.files())


@pytest.mark.processes
def test_the_story_applies_chapter_by_chapter(shop: Path):
    for chapter in CHAPTERS:
        git(shop, "am", "--quiet", str(chapter_file(chapter)))
    assert git(shop, "rev-list", "--count", "main") == "7"
    assert git(shop, "status", "--short") == ""


@pytest.mark.processes
@pytest.mark.parametrize("branch", ALIVE)
def test_a_branch_that_stays_applies_to_main(shop: Path, branch: str):
    git(shop, "am", "--quiet", str(alive_file(branch)))
    assert git(shop, "status", "--short") == ""
