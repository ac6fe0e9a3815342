"""A person with a checkout, and the embedded forge they push to: real git, real hooks."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from controller.adapters.git.forge import GitForge
from controller.adapters.git.setup import create_repository
from controller.common.nouns import PreviewKey

ENV = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git(folder: Path, *words: str, env: Mapping[str, str] = ENV) -> str:
    """What git says, on both of its streams. Fails the test where git fails."""
    done = subprocess.run(
        ["git", "-C", folder, *words],
        env=env,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stdout}{done.stderr}"
    return (done.stdout + done.stderr).rstrip("\n")


class GitWorld:
    """`root/shop.git` with a commit on main, and a checkout with the remote `preview`."""

    repo = "shop"

    def __init__(self, folder: Path) -> None:
        self.root = folder / "forge"
        self.bare = create_repository(self.root, self.repo)
        self.checkout = folder / "checkout"
        self.forge = GitForge(self.root)
        self._tracks: dict[PreviewKey, str] = {}
        git(folder, "init", "--quiet", "--initial-branch=main", str(self.checkout))
        git(self.checkout, "remote", "add", "preview", str(self.bare))
        self.commit("Begin", {"README.md": "shop"})
        self.send("main")

    def commit(self, title: str, files: Mapping[str, str] | None = None) -> str:
        """On the branch that is checked out; returns the revision."""
        for path, text in (files or {}).items():
            (self.checkout / path).parent.mkdir(parents=True, exist_ok=True)
            (self.checkout / path).write_text(text)
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--allow-empty", f"--message={title}")
        return git(self.checkout, "rev-parse", "HEAD")

    def send(self, *refs: str) -> str:
        """Pushes, and returns what the person reads."""
        return git(self.checkout, "push", "preview", *refs)

    def branch(self, name: str, files: Mapping[str, str] | None = None, title: str = "A change") -> str:
        """Makes a branch of main with one commit and pushes it; returns what the person reads."""
        git(self.checkout, "checkout", "--quiet", "-B", name, "main", "--")
        self.commit(title, files)
        return self.send(f"refs/heads/{name}")

    async def open_pull(
        self, branch: str, files: Mapping[str, str] | None = None, title: str = "A change"
    ) -> PreviewKey:
        await asyncio.to_thread(self.branch, branch, files, title)
        [key] = [pull.key for pull in await self.forge.open_pulls(self.repo) if pull.branch == branch]
        self._tracks[key] = branch
        return key

    async def push(self, key: PreviewKey, files: Mapping[str, str] | None = None) -> str:
        return await asyncio.to_thread(self._push, self._tracks[key], files)

    async def close(self, key: PreviewKey) -> None:
        await asyncio.to_thread(self.send, f":refs/heads/{self._tracks[key]}")

    async def merge(self, key: PreviewKey) -> None:
        await asyncio.to_thread(self.merge_branch, self._tracks[key])

    async def push_main(self, files: Mapping[str, str], title: str = "A commit") -> str:
        return await asyncio.to_thread(self._push_main, files, title)

    async def break_it(self) -> None:
        shutil.rmtree(self.bare)

    def merge_branch(self, branch: str) -> None:
        git(self.checkout, "checkout", "--quiet", "main", "--")
        git(self.checkout, "merge", "--quiet", "--no-ff", "--no-edit", branch)
        self.send("main")

    def _push_main(self, files: Mapping[str, str], title: str) -> str:
        git(self.checkout, "checkout", "--quiet", "main", "--")
        revision = self.commit(title, files)
        self.send("main")
        return revision

    def _push(self, branch: str, files: Mapping[str, str] | None) -> str:
        git(self.checkout, "checkout", "--quiet", branch, "--")
        revision = self.commit("Another change", files)
        self.send(f"refs/heads/{branch}")
        return revision
