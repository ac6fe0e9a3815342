"""What a process needs before it is a controller: its home for itself, its port, its log."""

import fcntl
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from controller.errors import Refused
from controller.settings import Home, Policy


class Held(Refused):
    """Another process looks after this home."""

    def __init__(self, home: Home, pid: int) -> None:
        super().__init__(f"another Mayfly (pid {pid}) already looks after {home.path}")
        self.pid = pid


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Holds the home for this process; the lock goes with the process, however that ends. Raises Held or Refused."""
    try:
        home.path.mkdir(parents=True, exist_ok=True)
        file = home.lock.open("a+")
    except OSError as error:
        raise Refused(f"cannot write to {home.path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Held(home, int(file.read().strip() or 0)) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def alone(home: Home, policy: Policy) -> Iterator[None]:
    """On a cluster, a Lease says who acts, and replicas may share a home."""
    if policy.platform == "kubernetes":
        yield
        return
    with only_one(home):
        yield


@contextmanager
def listener(policy: Policy) -> Iterator[socket.socket]:
    """Bound before anything else is done: a port that is taken stops the start, and says so."""
    host, port = policy.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            hint = "set another `listen` in mayfly.yaml, or use --listen"
            raise Refused(f"cannot listen on {policy.listen}: {error.strerror}; {hint}") from error
        yield bound


def log_to_stderr() -> None:
    """For people at a terminal, JSON lines elsewhere. Tracebacks without local variables: those may hold secrets."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    shape: list[structlog.typing.Processor] = (
        [plain] if sys.stderr.isatty() else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
