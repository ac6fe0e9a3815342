"""Where this Mayfly keeps what it knows: `--home`, or `MAYFLY_HOME`, or the nearest `.mayfly` above the folder."""

import os
from pathlib import Path

from controller.cli.console import Failure
from controller.settings import Home

FOLDER = ".mayfly"


def find(given: Path | None, start: Path | None = None) -> Home:
    """Raises Failure where there is none."""
    named = given or (Path(value) if (value := os.environ.get("MAYFLY_HOME")) else None)
    if named is not None:
        if not named.is_dir():
            raise Failure(f"{named}: there is no such folder")
        return Home(named.resolve())
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return Home(folder / FOLDER)
    raise Failure(f"there is no `{FOLDER}` in {here} or above it: `mayfly init` in a git checkout makes one")
