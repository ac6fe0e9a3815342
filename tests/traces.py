"""What is left of something that was played below a folder of its own."""

from pathlib import Path


def processes_in(folder: Path) -> list[str]:
    """Ids of those whose command or environment names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in about:
            found.append(entry.name)
    return found
