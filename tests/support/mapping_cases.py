"""Samples, stores and accounts with invented data, and shortcuts from a payload to a body."""

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import RequestBody
from mappings.order import Address, Charge, Line, Order, Payment, Shipping
from mappings.problems import MappingError, render_problems
from mappings.settings import Account, Store

#: Payload by file stem, which begins with the storefront's name.
SAMPLES = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parents[1] / "samples").glob("*.json"))
    if path.stem.partition("_")[0] in STOREFRONTS
}
CUSTOMER_ID = DESTINATIONS["lapyme"].sample.settings["customer_id"]
WAREHOUSE_ID = DESTINATIONS["lapyme"].sample.settings["assigned_warehouse_id"]
#: The base URL of sample accounts.
DESTINATION_URL = "https://destination.example"


def storefront_name(sample: str) -> str:
    return sample.partition("_")[0]


def build_store(storefront: str, **settings: Any) -> Store:
    example = {"secrets": ["secreto"], **STOREFRONTS[storefront].sample.settings}
    table = {"name": "tienda", "id": "tienda", "storefront": storefront, **example, **settings}
    store: Store = STOREFRONTS[storefront].settings_schema().load(table)
    return store


def build_account(destination: str, **settings: Any) -> Account:
    example = {"base_url": DESTINATION_URL, **DESTINATIONS[destination].sample.settings}
    table = {"name": "cuenta", "id": "cuenta", "destination": destination, **example, **settings}
    account: Account = DESTINATIONS[destination].settings_schema().load(table)
    return account


def sample_webhook(sample: str) -> Any:
    """Return the webhook payload of a sample: the order, or the thin payload that names it."""
    storefront, order = STOREFRONTS[storefront_name(sample)], SAMPLES[sample]
    return storefront.sample.build_payload(order, storefront.sample.topic, build_store(storefront.name))


def line(total: Decimal | str, quantity: int = 1, sku: str | None = "MATE") -> Line:
    return Line(sku=sku, name="Mate", quantity=quantity, total=Decimal(total))


def with_parts(
    order: Order,
    *lines: Line,
    shipping: Sequence[Shipping] = (),
    charges: Sequence[Charge] = (),
    total: str | None = None,
) -> Order:
    """Return `order` with these parts. The total is their sum unless given."""
    order = replace(order, lines=list(lines), shipping=list(shipping), charges=list(charges))
    return replace(order, total=order.parts_total if total is None else Decimal(total))


def parse_order(storefront: str, payload: Any, **store: Any) -> Order:
    return STOREFRONTS[storefront].parse_order(payload, build_store(storefront, **store))


def shipping_address(order: Order) -> Address:
    assert order.ship_to is not None
    return order.ship_to


def order_payments(order: Order) -> list[Payment]:
    assert order.payments is not None
    return order.payments


def build_body(order: Order, destination: str, **account: Any) -> RequestBody:
    return DESTINATIONS[destination].build_request(
        order, build_account(destination, **account), build_store(order.storefront)
    )


def mapping_problems(order: Order, destination: str, **account: Any) -> list[str]:
    """Return the problems of the order; empty if it can be sent."""
    try:
        build_body(order, destination, **account)
    except MappingError as error:
        return render_problems(error.problems)
    return []
