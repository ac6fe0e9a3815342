"""How the command line speaks: what was asked for on stdout, everything else on stderr, and an exit code that tells.

0 it holds · 1 the thing asked about failed · 2 the command or a file is wrong · 3 nothing is known: not running, broken
"""

# ruff: noqa: PLC0415 -- what is needed by some is loaded by them: `--help` is quick

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

FAILED, MISUSED, UNKNOWN = 1, 2, 3
EXIT_CODES = "Exit codes: 0 it holds; 1 it failed; 2 the command or a file is wrong; 3 not known: not running, broken."


class Failure(Exception):
    """Ends the command with a code; the text is for the person."""

    def __init__(self, text: str, code: int = MISUSED) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def out() -> "Console":
    """Where what was asked for goes. Text of an application is escaped by whoever prints it."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def say(text: str) -> None:
    """A line of advice or an error; never in the way of a pipe."""
    print(text, file=sys.stderr)


def leave(failure: Failure) -> NoReturn:
    say(failure.text)
    raise SystemExit(failure.code)


@contextmanager
def explained() -> Iterator[None]:
    """What a person can cause ends in one message and a code, never in a traceback."""
    from controller.errors import MayflyError, Refused
    from smoke.documents import DocumentError

    try:
        yield
    except Failure as failure:
        leave(failure)
    except DocumentError as error:
        leave(Failure(str(error)))
    except MayflyError as error:
        leave(Failure(error.reason, MISUSED if isinstance(error, Refused) else UNKNOWN))
    except KeyboardInterrupt:
        leave(Failure("", 130))
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:
        leave(Failure(f"{error.filename or 'mayfly'}: {error.strerror or error}", UNKNOWN))
