"""A shop whose API lists its orders, without HTTP: for what only a well-timed list can show."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from connector.catch_up.reading import ReadingResult, read_changes
from connector.clients.http import MAX_RESPONSE_BYTES
from connector.core.http_result import HttpResult
from connector.database.models import StoreReading
from connector.database.readings import load_reading
from mappings import STOREFRONTS
from mappings.fields import parse_datetime
from mappings.order_listing import ListedOrder, OrderListing, OrderPage
from mappings.settings import Store
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError
from tests.support.orders import woo_order
from tests.support.service import Service

PAGE_SIZE = 2


class NumberedPages(OrderListing[Any]):
    """Pages by number of orders sorted by their last change, as a WooCommerce shop has them."""

    requests_per_s = 1_000.0

    def first_request(self, store: Any, *, after: datetime, before: datetime) -> ApiRequest:
        query = {"after": after.isoformat(), "before": before.isoformat(), "page": "1"}
        return ApiRequest(path="/orders", query=query)

    def read_page(self, store: Any, request: ApiRequest, response: ApiResponse) -> OrderPage:
        if not response.is_success or not isinstance(response.data, list):
            raise UnexpectedResponseError("The response has no list of orders.")
        orders = [
            ListedOrder(order_id=str(order["id"]), updated_at=changed_at(order), payload=order)
            for order in response.data
        ]
        number = int(request.query["page"])
        is_last = response.headers["x-pages"] == str(number)
        next_request = None if is_last else replace(request, query={**request.query, "page": str(number + 1)})
        return self.build_page(orders, next_request, int(response.headers["x-total"]))

    def build_page(self, orders: list[ListedOrder], next_request: ApiRequest | None, total: int) -> OrderPage:
        complete_until = orders[-1].updated_at if orders else None
        return OrderPage(orders=orders, next_request=next_request, complete_until=complete_until)


class MovingPages(NumberedPages):
    """Pages between which orders may move, as a Tiendanube shop has them."""

    def build_page(self, orders: list[ListedOrder], next_request: ApiRequest | None, total: int) -> OrderPage:
        return OrderPage(orders=orders, next_request=next_request, total=total)


class LimitedPages(MovingPages):
    max_orders: ClassVar[int | None] = 2


def changed_at(order: Mapping[str, Any]) -> datetime | None:
    return parse_datetime(order.get("date_modified_gmt"), is_utc=True) or parse_datetime(order.get("updated_at"))


@dataclass(kw_only=True)
class Shop:
    """The API of a store. `responses` come first; None stands for no response."""

    store: Store
    orders: list[Any] = field(default_factory=list)
    responses: list[HttpResult] = field(default_factory=list)
    requests: list[Mapping[str, str]] = field(default_factory=list)  # their queries
    on_request: Callable[[int], None] = lambda _number: None

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        query: Mapping[str, str] | None = None,
        data: Any = None,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> HttpResult:
        query = query or {}
        self.requests.append(query)
        self.on_request(len(self.requests))
        if self.responses:
            return self.responses.pop(0)
        after, before = (datetime.fromisoformat(query[name]) for name in ("after", "before"))
        orders = sorted(
            (order for order in self.orders if is_between(order, after, before)),
            key=lambda order: str(changed_at(order)),
        )
        start = PAGE_SIZE * (int(query["page"]) - 1)
        pages = max(1, -(-len(orders) // PAGE_SIZE))
        headers = {"x-total": str(len(orders)), "x-pages": str(pages)}
        return HttpResult(status=200, headers=headers, body=json.dumps(orders[start : start + PAGE_SIZE]).encode())

    @property
    def pages_requested(self) -> list[str]:
        return [query["page"] for query in self.requests]


def is_between(order: Mapping[str, Any], after: datetime, before: datetime) -> bool:
    updated_at = changed_at(order)
    return updated_at is None or after <= updated_at < before


def open_shop(
    service: Service, monkeypatch: pytest.MonkeyPatch, listing: OrderListing[Any] | None = None, **settings: Any
) -> Shop:
    """Give the service's WooCommerce store an API with a shop behind it, that lists no orders yet."""
    name = "tienda-ar" if "tienda-ar" in service.runtime.settings.stores else "nube"
    access: dict[str, Any] = {"api_url": "https://tienda.example", "api_token": "clave:secreto"}
    access["catch_up_overlap_s"] = 0.0
    store = replace(service.runtime.settings.stores[name], **access | settings)
    shop = Shop(store=store)
    monkeypatch.setattr(type(STOREFRONTS[store.storefront]), "order_listing", listing or NumberedPages())
    monkeypatch.setitem(service.runtime.store_apis, store.id, shop)
    monkeypatch.setitem(service.runtime.settings.stores, name, store)
    return shop


def minutes_ago(service: Service, minutes: float) -> str:
    """Return a time as a WooCommerce order has it."""
    return f"{service.clock().astimezone(UTC) - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}"


def changed_order(service: Service, number: int, minutes: float = 10, **changes: Any) -> dict[str, Any]:
    """Return a paid order that changed so many minutes ago."""
    return woo_order(number, date_modified_gmt=minutes_ago(service, minutes), **changes)


def catch_up(service: Service, shop: Shop, **options: Any) -> ReadingResult:
    return read_changes(service.runtime, shop.store, **options)


def missing_ids(result: ReadingResult) -> list[str]:
    return [order.order_id for order in result.missing]


def recorded_reading(service: Service, shop: Shop) -> StoreReading:
    reading = load_reading(service.database, shop.store.id)
    assert reading is not None
    return reading
