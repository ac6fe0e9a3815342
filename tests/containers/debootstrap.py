"""A base image from Debian's own packages, for where no image registry answers.

Made once by debootstrap and kept in the temporary folder. It holds what a base image of Mayfly needs (Python, git) and
the certificates that this machine trusts, so that a build reaches what the machine itself reaches.
"""

import os
import re
import shutil
import ssl
import subprocess
import tarfile
import tempfile
from pathlib import Path

SUITE = "bookworm"
INCLUDE = ("ca-certificates", "git", "python3", "python3-venv")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
"""Within the image."""
TIMEOUT = 600
"""Seconds."""
_LINE = re.compile(r"^deb +(?:\[[^]]*\] +)?(https?://\S+)|^URIs: *(https?://\S+)", re.MULTILINE)


class NoDebian(Exception):
    """Why there is no base image."""


def base() -> Path:
    """A tar archive of a root file system. Raises NoDebian with the reason."""
    kept = Path(tempfile.gettempdir()) / f"mayfly-base-{SUITE}-{os.geteuid()}.tar"
    if kept.exists() and kept.stat().st_uid == os.geteuid():
        return kept
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise NoDebian("no registry answers, and a base image of our own needs root and debootstrap")
    with tempfile.TemporaryDirectory(prefix="mayfly-debootstrap-") as folder:
        root, made = Path(folder) / "root", Path(folder) / "base.tar"
        _debootstrap(root)
        _trust(root)
        with tarfile.open(made, "w") as archive:
            archive.add(root, arcname=".", filter=_wanted)
        shutil.move(made, aside := kept.with_suffix(f".{os.getpid()}"))
        aside.rename(kept)
    return kept


def mirror(sources: Path = Path("/etc/apt")) -> str:
    """Debian's mirror as apt is told. Raises NoDebian where it is told none."""
    files = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    for file in files:
        if file.is_file() and (match := _LINE.search(file.read_text())) and "ubuntu" not in file.read_text():
            return match[1] or match[2]
    raise NoDebian("apt is told no mirror of Debian, so there are no packages for a base image of our own")


def _debootstrap(root: Path) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDE)}", SUITE, str(root), mirror()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise NoDebian(f"debootstrap did not end within {TIMEOUT} s") from None
    if done.returncode:
        raise NoDebian(f"debootstrap failed: {done.stdout.strip().splitlines()[-1:]}{done.stderr.strip()[-300:]}")


def _trust(root: Path) -> None:
    """This machine's certificates: a mirror or a proxy in between may have one of its own."""
    trusted = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    if trusted and Path(trusted).is_file():
        target = root / CERTIFICATES.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(trusted, target)


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without what apt downloaded and what only people read."""
    useless = (
        "./var/cache/apt/",
        "./var/lib/apt/lists/",
        "./usr/share/doc/",
        "./usr/share/man/",
        "./usr/share/locale/",
    )
    return None if member.name.startswith(useless) or member.isdev() else member
