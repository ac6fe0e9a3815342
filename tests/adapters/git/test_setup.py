from pathlib import Path

import pytest

from controller.adapters.git.forge import GitForge
from controller.adapters.git.setup import connect, create_repository
from controller.errors import Refused
from tests.adapters.git.world import ENV, git

pytestmark = pytest.mark.processes


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "/nonexistent")


def a_checkout(folder: Path, branch: str = "main", *, commit: bool = True) -> Path:
    git(folder.parent, "init", "--quiet", f"--initial-branch={branch}", str(folder))
    if commit:
        (folder / "README.md").write_text("shop")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message=Begin")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return a_checkout(tmp_path / "shop")


async def test_a_checkout_gets_its_forge_and_a_pushed_branch_is_a_pull_request(checkout: Path) -> None:
    root = checkout / ".mayfly" / "forge"
    connected = connect(checkout, root)
    assert (connected.repo, connected.path, connected.main) == ("shop", root / "shop.git", "main")
    assert connected.created
    assert connected.remote_added
    assert git(checkout, "status", "--porcelain") == ""
    git(checkout, "push", "preview", "main:refs/heads/feature")
    assert [pull.branch for pull in await GitForge(root).open_pulls("shop")] == ["feature"]


def test_it_can_be_repeated(checkout: Path) -> None:
    root = checkout / ".mayfly" / "forge"
    connect(checkout, root)
    git(checkout, "commit", "--quiet", "--allow-empty", "--message=Main goes on")
    again = connect(checkout, root)
    assert not again.created
    assert not again.remote_added
    assert (checkout / ".git" / "info" / "exclude").read_text().count(".mayfly/") == 1
    assert [path.name for path in root.iterdir()] == ["shop.git"]


@pytest.mark.parametrize("branch", ["master", "trunk"])
async def test_the_main_branch_is_the_one_there_is(tmp_path: Path, branch: str) -> None:
    checkout = a_checkout(tmp_path / "shop", branch)
    assert connect(checkout, tmp_path / "forge").main == branch
    git(checkout, "push", "preview", f"{branch}:refs/heads/feature")
    [pull] = await GitForge(tmp_path / "forge").open_pulls("shop")
    assert pull.base == branch


def test_a_clone_on_another_branch_still_finds_main(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(checkout), str(clone))
    git(clone, "checkout", "--quiet", "-b", "feature")
    git(clone, "branch", "--quiet", "-D", "main")
    connected = connect(clone / ".git" / "..", tmp_path / "forge")
    assert connected.main == "main"
    assert git(connected.path, "rev-parse", "main") == git(checkout, "rev-parse", "main")


def test_a_subfolder_and_a_worktree_lead_to_the_same_repository(checkout: Path, tmp_path: Path) -> None:
    (checkout / "deep").mkdir()
    first = connect(checkout / "deep", tmp_path / "forge")
    git(checkout, "worktree", "add", "--quiet", str(tmp_path / "beside"))
    second = connect(tmp_path / "beside", tmp_path / "forge")
    assert first.path == second.path
    assert second.checkout == tmp_path / "beside"
    (tmp_path / "beside" / ".mayfly").mkdir()
    (tmp_path / "beside" / ".mayfly" / "file").touch()
    assert git(tmp_path / "beside", "status", "--porcelain") == ""


def test_a_submodule_is_a_checkout_of_its_own(checkout: Path, tmp_path: Path) -> None:
    library = a_checkout(tmp_path / "library")
    git(checkout, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(library), "lib")
    connected = connect(checkout / "lib", tmp_path / "forge")
    assert connected.repo == "lib"
    assert ".mayfly/" in (checkout / ".git" / "modules" / "lib" / "info" / "exclude").read_text()


def test_a_folder_with_any_name_becomes_a_repository(tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path / "my $(shop) füße")
    connected = connect(checkout, tmp_path / "the forge")
    assert connected.repo == "my-shop-f-e"
    assert "Preview of feature" in git(checkout, "push", "preview", "main:refs/heads/feature")


def test_a_remote_that_leads_elsewhere_is_not_changed(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "remote", "add", "preview", "https://forge.example/shop.git")
    with pytest.raises(Refused, match=r"leads to https://forge\.example/shop\.git"):
        connect(checkout, tmp_path / "forge")
    assert not (tmp_path / "forge").exists()


@pytest.mark.parametrize("what", ["no checkout", "no commit"])
def test_what_cannot_be_connected_is_refused(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    if what == "no commit":
        a_checkout(folder, commit=False)
    with pytest.raises(Refused, match=r"not a git repository|make the first one"):
        connect(folder, tmp_path / "forge")
    assert not (tmp_path / "forge").exists()


def test_a_repository_is_made_once(tmp_path: Path) -> None:
    path = create_repository(tmp_path, "shop")
    (path / "kept").touch()
    (path / "hooks" / "post-receive").unlink()
    assert create_repository(tmp_path, "shop") == path
    assert (path / "kept").exists()
    assert (path / "hooks" / "post-receive").exists()


async def test_a_new_installation_writes_its_own_hook_at_the_start(tmp_path: Path) -> None:
    hook = create_repository(tmp_path, "shop") / "hooks" / "post-receive"
    mine = hook.read_text()
    hook.write_text("#!/bin/sh\nexec /an/older/one\n")
    await GitForge(tmp_path).announce("http://{label}.localhost:8080")
    assert hook.read_text() == mine


def test_sha256_checkouts_are_served_too(tmp_path: Path) -> None:
    checkout = tmp_path / "shop"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "--initial-branch=main", str(checkout))
    git(checkout, "commit", "--quiet", "--allow-empty", "--message=Begin", env=ENV)
    connected = connect(checkout, tmp_path / "forge")
    assert git(connected.path, "rev-parse", "main") == git(checkout, "rev-parse", "main")
