"""Becomes another program, within limits: what works on files of a pull request may take so much, and no more.

`python -m controller.adapters.kubernetes.confine FOLDER PROGRAM ARGUMENTS`: output and errors are the files `out` and
`err` of the folder.
"""

import os
import resource
import sys
from pathlib import Path

MAX_OUTPUT = 4 * 2**20
LIMITS = {
    resource.RLIMIT_CPU: 20,
    resource.RLIMIT_AS: 4 * 2**30,
    resource.RLIMIT_DATA: 512 * 2**20,
    resource.RLIMIT_FSIZE: MAX_OUTPUT,
    resource.RLIMIT_CORE: 0,
}
"""Seconds and bytes. Go reserves far more memory (AS) than it uses (DATA)."""


def _confine(folder: str, *argv: str) -> None:
    for what, most in LIMITS.items():
        _, allowed = resource.getrlimit(what)
        limit = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(what, (limit, limit))
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), number)
    os.execv(argv[0], argv)  # noqa: S606 - a list of words, without a shell


if __name__ == "__main__":
    _confine(*sys.argv[1:])
