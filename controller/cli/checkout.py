"""Ada's checkout of the shop, and what she does there with git."""

import os
import shutil
import subprocess
from pathlib import Path

from controller.cli.chapters import SHOP
from controller.cli.proof import Unmet

REMOTE = "preview"
PUSH_WITHIN = 60
"""Seconds."""
_PERSON = {"NAME": "Ada Bell", "EMAIL": "ada@example.com"}
_OWN = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
"""Nothing of the configuration of whoever plays the demo."""


class Checkout:
    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """The shop as a repository with one commit, on `main`."""
        shutil.copytree(SHOP, self.path, ignore=shutil.ignore_patterns("stories", "__pycache__", ".mayfly"))
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=Ridge & Rill opens")

    def git(self, *words: str) -> str:
        """What it says, on both channels. Raises Unmet where it refuses."""
        person = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _PERSON.items()}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | person
        done = _run(
            ["git", "-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", *words],
            self.path,
            environment | _OWN,
        )
        said = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise Unmet(f"`git {' '.join(words)}` works", said)
        return said

    def main(self) -> str:
        """The newest revision of the forge's main, fetched."""
        self.git("fetch", "--quiet", REMOTE, "main")
        return self.git("rev-parse", "FETCH_HEAD").strip()

    def commit(self, patch: Path) -> str:
        """Applies a mailed patch as a commit; its revision."""
        self.git("am", "--quiet", "--keep-non-patch", str(patch))
        return self.git("rev-parse", "HEAD").strip()


def _run(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PUSH_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.output or b"").decode(errors="replace")
        raise Unmet(f"`{' '.join(words)}` ends within {PUSH_WITHIN} s", said) from error
