"""Reads of GitHub: from memory while that is fresh, else asked for with its ETags, once for all who ask at the time.

A list of several pages is read until two readings agree, so that what moved from one page to another meanwhile is
neither lost nor there twice. Where one page fails, the list does, and what was known before stays as it was.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.adapters.github import lists
from controller.adapters.github.shelf import Asked, Book, Key, Page, Query, Shelf
from controller.adapters.github.wire import Answer
from controller.errors import Refused, Unavailable

READINGS = 3
"""Of a list that changes while it is read; then it is read in a later round."""
MOST_PAGES = 200

Ask = Callable[[Key, Query, str], Awaitable[Answer]]
"""Gets one page (with the ETag that is known, if any). Raises what is to be raised: answers are 2xx or 304."""


@dataclass(frozen=True, slots=True)
class _Flight:
    asked: Asked
    book: asyncio.Task[Book]


class Reader:
    def __init__(self, ask: Ask, api: str, clock: Callable[[], datetime], shelf: Shelf) -> None:
        self._ask = ask
        self._api = api
        self._clock = clock
        self._shelf = shelf
        self._flights: dict[Key, _Flight] = {}

    async def read(self, key: Key, fresh: timedelta) -> Book:
        """`fresh`: how long ago it may have been asked for; zero asks anew."""
        known = self._shelf.get(key)
        if known is not None and self._shelf.is_fresh(key, known.asked, fresh, self._clock()):
            return known
        flight = self._flights.get(key)
        if flight is None or not self._shelf.is_fresh(key, flight.asked, fresh, self._clock()):
            flight = self._start(key)
        return await asyncio.shield(flight.book)  # others may wait for it too

    async def close(self) -> None:
        flights = [flight.book for flight in self._flights.values()]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _start(self, key: Key) -> _Flight:
        asked = self._shelf.ask(self._clock())
        flight = _Flight(asked, asyncio.create_task(self._read(key, asked)))
        self._flights[key] = flight
        flight.book.add_done_callback(lambda _: self._land(key, flight))
        return flight

    def _land(self, key: Key, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _read(self, key: Key, asked: Asked) -> Book:
        known = self._shelf.get(key)
        for _ in range(READINGS):
            book = Book(await self._pages(key, known.pages if known else ()), asked)
            if len(book.pages) == 1 or (known is not None and book.shapes == known.shapes):
                self._shelf.put(key, book)
                return book
            known, asked = book, self._shelf.ask(self._clock())
        raise Unavailable(f"{key.repo}/{key.path} changes faster than it can be read")

    async def _pages(self, key: Key, known: tuple[Page, ...]) -> tuple[Page, ...]:
        by_query = {page.query: page for page in known}
        pages: list[Page] = []
        query: Query | None = key.query
        while query is not None:
            if len(pages) == MOST_PAGES:
                raise Refused(f"{key.repo}/{key.path} has more than {MOST_PAGES} pages")
            page = await self._page(key, query, by_query.get(query))
            pages.append(page)
            query = page.following
        return tuple(pages)

    async def _page(self, key: Key, query: Query, known: Page | None) -> Page:
        answer = await self._ask(key, query, known.etag if known else "")
        what = f"GET {key.repo}/{key.path}"
        if answer.status == 304:
            if known is None:
                raise Unavailable(f"GitHub says that {what} did not change, and we never knew it")
            return known
        etag = answer.headers.get("ETag", "")
        if key.of is None:
            return Page(query, etag, (lists.one(answer, key.shape, what),), None, len(answer.body))
        following = lists.next_page(answer, self._api, f"repos/{key.repo}/{key.path}")
        return Page(query, etag, lists.items(answer, key.shape, key.of, what), following, len(answer.body))
