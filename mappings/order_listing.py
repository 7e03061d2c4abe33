"""How the orders of a store that changed in a period are read from the storefront's API, page by page."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic

from mappings.settings import StoreT
from mappings.store_api import ApiRequest, ApiResponse

#: The topic of an event that stands for an order in a list.
CATCH_UP_TOPIC = "catch-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrder:
    """An order in a list. `payload` has the shape that `Storefront.parse_order` takes."""

    order_id: str
    #: None: it does not say, which no storefront documents. It may have changed at any time.
    updated_at: datetime | None
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    orders: list[ListedOrder]
    next_request: ApiRequest | None  # None: this is the last page
    #: How many entries are left out because they are no orders, or have no id.
    unreadable: int = 0
    #: Every order that changed before this is on this page or an earlier one. None: known only after the last page.
    complete_until: datetime | None = None
    #: How many orders the whole list has. If it changes from page to page, orders may have moved to a page that was
    #: read before, so the list is read again from the start. None: orders on this platform do not move so.
    total: int | None = None


class OrderListing(ABC, Generic[StoreT]):
    """Pure functions: `connector` sends the requests. It ends a list that asks for the same page again."""

    #: A period with more orders is read in two lists, so that an interrupted reading does not start over. For lists
    #: that have a `total` and no `complete_until`. None: no limit.
    max_orders: ClassVar[int | None] = None
    #: The storefront's limit, or a polite one.
    requests_per_s: ClassVar[float] = 2.0

    @abstractmethod
    def first_request(self, store: StoreT, *, after: datetime, before: datetime) -> ApiRequest:
        """Return the request for the first page of the orders that changed from `after` up to `before`.

        All statuses: open, closed, cancelled. A page may also have orders from a little outside of the period.
        """

    @abstractmethod
    def read_page(self, store: StoreT, request: ApiRequest, response: ApiResponse) -> OrderPage:
        """Return the page in a response. Raises `UnexpectedResponseError`."""
