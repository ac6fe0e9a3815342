"""`mayfly init`: a `.preview.yaml` to begin with, the embedded forge beside the checkout, and the remote `preview`."""

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.adapters.git.setup import connect
from controller.cli import guess
from controller.cli.console import Failure
from controller.cli.homes import FOLDER
from controller.cli.schema import spec_schema
from controller.common.spec import FILE
from controller.settings import Home, Local

SCHEMA = "preview.schema.json"
MAX_READ = 256 * 1024
MAX_NAMES = 20_000


@dataclass(frozen=True, slots=True)
class Initialised:
    checkout: Path
    repo: str
    main: str
    wrote_spec: bool
    remote_added: bool


def init(folder: Path, home: Path | None, *, force: bool) -> Initialised:
    """Can be repeated. Raises Failure, Refused or Unavailable, and changes nothing that a person wrote."""
    top = _checkout(folder)
    mine = Home((home or top / FOLDER).resolve())
    mine.forge.mkdir(parents=True, exist_ok=True)
    connected = connect(top, mine.forge)
    schema = mine.path / SCHEMA
    schema.write_text(spec_schema(), encoding="utf-8")
    wrote = _write_spec(top, schema, force=force)
    _write_policy(mine, connected.repo, connected.main)
    return Initialised(top, connected.repo, connected.main, wrote, connected.remote_added)


def begin(folder: Path, home: Path | None, *, force: bool, as_json: bool) -> None:
    """Does it, and tells what to do next."""
    made = init(folder, home, force=force)
    if as_json:
        print(json.dumps(asdict(made), default=str))
        return
    print(f"{'Wrote' if made.wrote_spec else 'Left as it is:'} {made.checkout / FILE}")
    print(f"{'Added' if made.remote_added else 'There already:'} the remote `preview`")
    print(f"\nEvery branch but `{made.main}` is a pull request. Look at the file, commit it on one, then:\n")
    print("  mayfly serve                    # in another terminal")
    print("  git push preview my-branch")


def _checkout(folder: Path) -> Path:
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        raise Failure(f"{folder} is not in a git checkout: `git init` makes one")
    if not _git(Path(top), "rev-parse", "--verify", "--quiet", "HEAD"):
        raise Failure(f"{top} has no commit yet: make the first one, then try again")
    return Path(top)


def _write_spec(top: Path, schema: Path, *, force: bool) -> bool:
    file = top / FILE
    if file.is_symlink():
        raise Failure(f"{file} is a link; a preview reads only a regular file")
    if file.exists() and not force:
        return False
    reference = schema.relative_to(top) if schema.is_relative_to(top) else schema
    file.write_text(guess.write(guess.guess(*_look(top)), reference.as_posix()), encoding="utf-8")
    return True


def _write_policy(home: Home, repo: str, main: str) -> None:
    """With the PATH of whoever runs this: a preview finds the programs that this person's own terminal finds."""
    if home.policy_file.exists():
        return
    path = json.dumps(os.environ.get("PATH") or Local().path)
    home.policy_file.write_text(f"""\
# What is allowed here, and how much: the operator's. `mayfly schema --policy` tells every key.
local:
  path: {path} # the PATH of previews: nothing else of your environment reaches them

# listen: 127.0.0.1:8080 # on loopback there is no login; elsewhere a token is needed (`mayfly token create`)
# previews: {{max_alive: 30, max_removals: 5, sleep_after: 2h, expire_after: 3 days, max_life: 14 days}}
# allow: {{build: true, command_checks: true, browser_checks: true, memory: 2Gi, services: 10}}
# On a cluster also allow: {{forks: approve}} (off, approve or on: whether pull requests from forks run); here never.

# Main, deployed to http://production.localhost:8080, checked, and rolled back where it fails; and watched.
# targets: [{{name: production, repository: {repo}, branch: {main}, soak: 1m}}]
# probes:
#   - {{name: main, url: "http://production.localhost:8080", objective: 99.9% over 30 days, target: production}}
# notify: [{{name: oncall, url: "https://example.com/hooks/mayfly"}}]
""")


def _look(top: Path) -> tuple[frozenset[str], dict[str, str]]:
    names = frozenset(_git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")[:MAX_NAMES])
    texts = {name: _text(top / name) for name in guess.READ if name in names}
    return names, texts


def _text(file: Path) -> str:
    if file.is_symlink() or not file.is_file():
        return ""
    with file.open("rb") as stream:
        return stream.read(MAX_READ).decode(errors="replace")


def _git(folder: Path, *words: str) -> str:
    """What git says; empty where it refuses. Raises Failure where there is no git."""
    try:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, timeout=30, check=False)
    except FileNotFoundError:
        raise Failure("git is not installed, or not on PATH") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"git did not answer within 30 s in {folder}") from None
    return done.stdout.decode(errors="surrogateescape").rstrip("\n") if done.returncode == 0 else ""
