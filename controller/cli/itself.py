"""Mayfly's own commands, as a person types them: each a process of its own."""

import os
import subprocess
import sys

from controller.cli.proof import Unmet
from controller.settings import Home

ENDS_WITHIN = 60
"""Seconds."""


def mayfly(home: Home, *words: str) -> str:
    """What it says. Raises Unmet where it does not end well."""
    command = [sys.executable, "-m", "controller", *words, "--home", str(home.path)]
    shown = f"`mayfly {' '.join(words)}` ends well"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ENDS_WITHIN,
            check=False,
            cwd=home.path.parent,
            env=os.environ | {"COLUMNS": "200"},
        )
    except subprocess.TimeoutExpired as error:
        raise Unmet(shown, (error.output or b"").decode(errors="replace")) from error
    said = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0:
        raise Unmet(shown, said)
    return said
