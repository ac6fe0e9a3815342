"""What may work later is tried again with back-off; what cannot work stops with its reason."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from controller.adapters.shared.steps import StepFailed
from controller.errors import Refused, Unavailable

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
_log = structlog.get_logger()


async def patiently(
    attempt: Callable[[], Awaitable[None]], waits: Callable[[str], None], fails: Callable[[StepFailed], None]
) -> None:
    """Returns once an attempt succeeded or failed for good; never raises but when cancelled."""
    pause = FIRST_PAUSE
    while True:
        try:
            await attempt()
        except Unavailable as error:
            waits(error.reason)
            await asyncio.sleep(error.retry_after.total_seconds() if error.retry_after else pause)
        except (StepFailed, Refused) as error:
            return fails(error if isinstance(error, StepFailed) else StepFailed(error.reason))
        except Exception as error:  # noqa: BLE001 - a bug must not leave a release under way for ever
            _log.exception("a release failed")
            return fails(StepFailed(f"a mistake in Mayfly itself: {type(error).__name__}: {error}"))
        else:
            return None
        pause = min(LONGEST_PAUSE, pause * 2)
