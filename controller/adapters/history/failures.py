"""What a database says when it cannot, as one of our two errors."""

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from controller.errors import Refused, Unavailable

_FOR_A_PERSON = ("readonly", "read-only", "malformed", "not a database", "permission denied", "unable to open")


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Unavailable, or Refused where a person must do something. `place` names the history, without a password."""
    try:
        yield
    except (OSError, DisconnectionError, PoolTimeout) as error:
        raise Unavailable(f"the history ({place}) does not answer: {error}") from error
    except DBAPIError as error:
        said = str(error.orig).strip().partition("\n")[0]
        if any(words in said for words in _FOR_A_PERSON):
            raise Refused(f"the history ({place}) cannot be used: {said}") from error
        raise Unavailable(f"the history ({place}) does not answer: {said}") from error
    except SQLAlchemyError as error:
        raise Refused(f"the history ({place}) cannot be used: {error}") from error
