"""What GitHub answered, with its ETags and when it was last known to be so. Bounded: what was used longest ago goes.

What is doubted is asked for again, however fresh. Doubts and questions take turns: only a question that was asked after
the last doubt settles it, whenever its answer comes.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from pydantic import BaseModel

Query = tuple[tuple[str, str], ...]

MAX_BOOKS = 20_000
MAX_BYTES = 64 * 2**20
"""Of answers as they came, which is roughly what they take here."""
MAX_DOUBTS = 20_000
LARGEST_PART = 4
"""Nothing that takes more than this part of the shelf is kept: it would push everything else out."""


@dataclass(frozen=True, slots=True)
class Key:
    """What was asked for. `of` is None for one object, else names the list in each page (empty: the page is it)."""

    repo: str
    path: str
    query: Query
    shape: type[BaseModel]
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """When something was asked for: by the clock, and its turn among doubts."""

    at: datetime
    turn: int


@dataclass(frozen=True, slots=True)
class Page:
    """Of a list, or one object. `following` is the query of the next page."""

    query: Query
    etag: str
    shapes: tuple[BaseModel, ...]
    following: Query | None
    size: int


@dataclass(frozen=True, slots=True)
class Book:
    """All pages, as they were together when they were last asked for."""

    pages: tuple[Page, ...]
    asked: Asked

    @property
    def shapes(self) -> tuple[BaseModel, ...]:
        return tuple(shape for page in self.pages for shape in page.shapes)

    @property
    def size(self) -> int:
        return sum(page.size for page in self.pages)


class Shelf:
    def __init__(self, max_books: int = MAX_BOOKS, max_bytes: int = MAX_BYTES, max_doubts: int = MAX_DOUBTS) -> None:
        self._books: OrderedDict[Key, Book] = OrderedDict()
        self._doubts: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._all_doubted = 0
        """Turn of the latest doubt whose place is forgotten: whatever was asked before is doubted."""
        self._turns = count(1)
        self._max_books, self._max_bytes, self._max_doubts = max_books, max_bytes, max_doubts
        self._bytes = 0

    def ask(self, now: datetime) -> Asked:
        return Asked(now, next(self._turns))

    def get(self, key: Key) -> Book | None:
        if (book := self._books.get(key)) is not None:
            self._books.move_to_end(key)
        return book

    def put(self, key: Key, book: Book) -> None:
        """An answer that was asked for before the one that is here changes nothing."""
        if (known := self._books.get(key)) is not None:
            if known.asked.turn > book.asked.turn:
                return
            self._bytes -= self._books.pop(key).size
        if book.size > self._max_bytes // LARGEST_PART:
            return
        self._books[key] = book
        self._bytes += book.size
        while len(self._books) > self._max_books or self._bytes > self._max_bytes:
            self._bytes -= self._books.popitem(last=False)[1].size

    def doubt(self, repo: str, path: str) -> None:
        """What is at `path` and below it; the whole repository where it is empty. GitHub tells no repositories apart by
        the case of their letters."""
        place = repo.lower(), path
        self._doubts.pop(place, None)
        self._doubts[place] = next(self._turns)
        if len(self._doubts) > self._max_doubts:
            self._all_doubted = self._doubts.popitem(last=False)[1]

    def is_fresh(self, key: Key, asked: Asked, fresh: timedelta, now: datetime) -> bool:
        """Whether what was asked then is good enough now. A clock that was put back makes nothing fresh."""
        repo = key.repo.lower()
        doubted = max(self._all_doubted, *(self._doubts.get((repo, path), 0) for path in _above(key.path)))
        return asked.turn > doubted and timedelta() <= now - asked.at < fresh


def _above(path: str) -> Iterator[str]:
    """The path, everything above it, and the repository."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""
