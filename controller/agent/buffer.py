"""Samples on disk until the controller has taken them. A file is a batch: its name is the batch's, and never changes.

    00000000007-3f2a….jsonl     a sample in each line, as `remote.Found`; files are taken in the order of their names
    lost                        how many samples there was no room for

A batch that was once given out is never added to, so that sent again it is the same; nor is one of a process before.
Each sample is one write: a killed process loses none, and the end of a line that a dead machine left is no sample.
"""

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import structlog

from controller.errors import Refused
from controller.probes.model import Sample
from controller.probes.remote import found

log = structlog.get_logger()
ROOM = 100_000
"""Samples; about 20 MB. Of more the oldest are lost, and counted."""
FULL = 48 * 1024
"""Bytes of a batch. The API takes 64 KiB, of at most 500 samples."""
MOST = 400
SUFFIX = ".jsonl"


@dataclass(slots=True)
class _File:
    name: str
    samples: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        return self.samples >= MOST or self.size >= FULL


class Buffer:
    """Of one process: whoever makes it holds the folder's lock."""

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        """Raises Refused where the folder cannot be written to."""
        self._folder = folder
        self._room = room
        self._descriptor = -1
        self._files: deque[_File] = deque()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                self._files.append(_File(path.name, len(_lines(path))))
            self.lost = int((folder / "lost").read_text()) if (folder / "lost").exists() else 0
        except (OSError, ValueError) as error:
            raise Refused(f"cannot keep samples in {folder}: {error}") from error

    @property
    def waiting(self) -> int:
        return sum(file.samples for file in self._files)

    def add(self, sample: Sample) -> None:
        """Raises nothing: what the disk does not take is lost."""
        line = found(sample).model_dump_json(exclude_defaults=True).encode() + b"\n"
        try:
            file = self._last()
            if os.write(self._descriptor, line) < len(line):
                self.close()  # the rest of this line would be the begin of another
                self._lose(1)
                return
        except OSError as error:
            log.error("a sample cannot be kept", reason=error.strerror)
            self._lose(1)
            return
        file.samples += 1
        file.size += len(line)
        while self.waiting > self._room:
            self._drop_oldest()

    @property
    def batches(self) -> int:
        return len(self._files)

    def oldest(self) -> tuple[str, list[bytes]] | None:
        """A batch's name, and its samples as JSON; None where nothing waits."""
        while self._files:
            if len(self._files) == 1:
                self.close()
            file = self._files[0]
            with suppress(FileNotFoundError):
                if lines := _lines(self._folder / file.name):
                    return _batch(file), lines
            self._remove_oldest()
        return None

    def done(self, batch: str) -> None:
        """It was taken."""
        if self._is_oldest(batch):
            self._remove_oldest()

    def refused(self, batch: str) -> None:
        """It never will be taken."""
        if self._is_oldest(batch):
            self._drop_oldest()

    def close(self) -> None:
        """What is added from here is in a new file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _last(self) -> _File:
        """The open one. Raises OSError."""
        if self._descriptor >= 0 and self._files[-1].is_full:
            self.close()
        if self._descriptor < 0:
            number = int(self._files[-1].name.partition("-")[0]) + 1 if self._files else 1
            file = _File(f"{number:011d}-{uuid4().hex}{SUFFIX}")
            self._descriptor = os.open(self._folder / file.name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._files.append(file)
        return self._files[-1]

    def _drop_oldest(self) -> None:
        if len(self._files) == 1:
            self.close()
        samples = self._files[0].samples
        self._remove_oldest()
        self._lose(samples)

    def _remove_oldest(self) -> None:
        (self._folder / self._files.popleft().name).unlink(missing_ok=True)

    def _is_oldest(self, batch: str) -> bool:
        """Else there was no room for it any more, while it was under way."""
        return bool(self._files) and _batch(self._files[0]) == batch

    def _lose(self, samples: int) -> None:
        self.lost += samples
        log.warning("samples are lost", these=samples, all=self.lost)
        with suppress(OSError):
            replace(self._folder / "lost", f"{self.lost}\n".encode())


def replace(path: Path, data: bytes) -> None:
    """Whole, or not at all. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(data)
    new.replace(path)


def _batch(file: _File) -> str:
    return file.name.removesuffix(SUFFIX).partition("-")[2]


def _lines(path: Path) -> list[bytes]:
    """The whole ones. Raises OSError."""
    return [line for line in path.read_bytes().splitlines() if line.startswith(b"{") and line.endswith(b"}")]
