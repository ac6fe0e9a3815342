"""Regular expressions that strangers wrote: one that backtracks for ever is ended after a second of its own."""

import re
import signal
import threading
from types import FrameType

from smoke.target import Broken

SECONDS = 1.0


def search(pattern: str, text: str) -> re.Match[str] | None:
    """`re.search`. Raises Broken where it takes more than a second of processor time.

    Python looks for signals while it matches, so a timer of this process's own processor time ends it; only the main
    thread can set one.
    """
    if threading.current_thread() is not threading.main_thread():
        return re.search(pattern, text)

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise Broken(f"the regular expression {pattern!r} takes too long on this answer")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        return re.search(pattern, text)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
