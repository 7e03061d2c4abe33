"""Requests the pages of a store's list of orders. Limits the rate, repeats failed requests, and misses no order."""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from time import monotonic, sleep
from typing import Any

from connector.clients.storefront_api import StoreApi
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from connector.core.retry import parse_retry_after
from mappings.order_listing import ListedOrder, OrderListing, OrderPage
from mappings.problems import Problem
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError

#: For one page: 100 orders of WooCommerce took half a second, of a slow shop much longer.
TIMEOUT_S = 60.0
#: 250 orders of Shopify, each with hundreds of lines.
MAX_PAGE_BYTES = 32 * 1024 * 1024
#: Attempts at one page, and the pause after the first, doubled each time.
MAX_ATTEMPTS = 5
FIRST_PAUSE_S = 2.0
#: The longest time that a reading waits when a store asks for patience. Otherwise it ends, and is tried again later.
MAX_RETRY_AFTER_S = 300.0
#: How often a period is read whose orders move from page to page meanwhile.
MAX_READINGS_OF_PERIOD = 5
#: No list of a shorter time is split.
MIN_PERIOD = timedelta(minutes=1)
STOP_CHECK_S = 0.1


class ReadingFailedError(Exception):
    """A store's orders could not be read.

    Args:
        problem: why, without data of orders.
        detail: for the log, in English.
        retry_after_s: how long the store wants to be left alone.
    """

    def __init__(self, problem: Problem, *, detail: str | None = None, retry_after_s: float = 0.0) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.detail = detail
        self.retry_after_s = retry_after_s


class ListEnding(Enum):
    COMPLETE = auto()
    MOVED = auto()  # an order may have moved to a page that was read before
    TOO_LONG = auto()  # nothing of it was read


class ReadingStoppedError(Exception):
    """The process is about to stop, or another one has taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time in which the orders changed that are read."""

    after: datetime
    before: datetime

    def halves(self) -> "tuple[Window, Window]":
        middle = self.after + (self.before - self.after) / 2
        return Window(after=self.after, before=middle), Window(after=middle, before=self.before)

    def contains(self, listed: ListedOrder) -> bool:
        """Whether an order changed in it. A page may have others; those that are younger are read next time."""
        return listed.updated_at is None or self.after <= listed.updated_at < self.before


class OrderPages:
    """The pages of one store's list of orders.

    Args:
        check: called before each request and during pauses. Raises `ReadingStoppedError`.
        clock: to read a date in `Retry-After`.
    """

    def __init__(
        self, api: StoreApi, listing: OrderListing[Any], *, check: Callable[[], None], clock: Callable[[], datetime]
    ) -> None:
        self.api = api
        self.store = api.store
        self.listing = listing
        self.check = check
        self.clock = clock
        self._next_request_at = 0.0  # monotonic

    def read(self, window: Window) -> Iterator[tuple[Window, OrderPage]]:
        """Yield the pages of the orders that changed in a window, each with the part of it that its list is of.

        Some pages come twice, if orders move from page to page. Raises `ReadingFailedError`, `ReadingStoppedError`.
        """
        for _ in range(MAX_READINGS_OF_PERIOD):
            ending = yield from self._read_once(window)
            if ending is ListEnding.COMPLETE:
                return
            if ending is ListEnding.TOO_LONG:
                for half in window.halves():
                    yield from self.read(half)
                return
        raise ReadingFailedError(build_message("listing_moves"))

    def _read_once(self, window: Window) -> Generator[tuple[Window, OrderPage], None, "ListEnding"]:
        """Yield the pages of one list."""
        total: int | None = None
        seen: set[str] = set()
        request: ApiRequest | None = self.listing.first_request(self.store, after=window.after, before=window.before)
        while request is not None:
            key = json.dumps([request.method, request.path, dict(request.query), request.data], sort_keys=True)
            if key in seen:
                raise ReadingFailedError(build_message("listing_repeats"))
            seen.add(key)
            page = self._parse(request, self._fetch(request))
            if total is None and self._is_too_long(page, window):
                return ListEnding.TOO_LONG
            if total is not None and page.total is not None and page.total != total:
                return ListEnding.MOVED
            total = page.total if total is None else total
            yield window, page
            request = page.next_request
        return ListEnding.COMPLETE

    def _is_too_long(self, page: OrderPage, window: Window) -> bool:
        max_orders = self.listing.max_orders
        is_long = max_orders is not None and page.total is not None and page.total > max_orders
        return is_long and window.before - window.after > MIN_PERIOD

    def _fetch(self, request: ApiRequest) -> HttpResult:
        """Return a response that is worth parsing."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            self._wait_for_turn()
            result = self.api.request(
                request.method,
                request.path,
                query=request.query or None,
                data=request.data,
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_PAGE_BYTES,
            )
            if not is_temporary(result):
                break
            retry_after_s = parse_retry_after(result.retry_after, self.clock()) or 0.0
            if attempt == MAX_ATTEMPTS or retry_after_s > MAX_RETRY_AFTER_S:
                raise ReadingFailedError(result.failure, retry_after_s=retry_after_s)
            self.pause(max(retry_after_s, FIRST_PAUSE_S * 2 ** (attempt - 1)))
        if result.status in (401, 403):
            raise ReadingFailedError(result.error or build_message("credentials_rejected"))
        if result.error is not None:
            raise ReadingFailedError(result.error)
        return result

    def _parse(self, request: ApiRequest, result: HttpResult) -> OrderPage:
        response = ApiResponse(status=result.status or 0, headers=result.headers, data=result.parse_json())
        try:
            return self.listing.read_page(self.store, request, response)
        except UnexpectedResponseError as error:
            problem = build_message("listing_unexpected", status=response.status)
            raise ReadingFailedError(problem, detail=str(error)) from error

    def _wait_for_turn(self) -> None:
        self.check()
        self.pause(self._next_request_at - monotonic())
        self._next_request_at = monotonic() + 1 / self.listing.requests_per_s

    def pause(self, seconds: float) -> None:
        """Sleep, unless the reading is to stop. Raises `ReadingStoppedError`."""
        wake_at = monotonic() + seconds
        while (left_s := wake_at - monotonic()) > 0:
            sleep(min(STOP_CHECK_S, left_s))
            self.check()


def is_temporary(result: HttpResult) -> bool:
    """Return whether the same request may succeed in a moment."""
    if result.status is None:
        return True
    return result.status in (408, 425, 429) or result.status >= 500
