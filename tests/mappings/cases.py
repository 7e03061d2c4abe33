"""Samples, stores and accounts of invented people, and the shortest way from a payload to a body."""

import json
from pathlib import Path
from typing import Any

from mappings import DESTINATIONS, STOREFRONTS
from mappings.order import Order
from mappings.schema import MappingError
from mappings.settings import Account, Store
from mappings.spoke import Written

#: File name, which begins with the storefront's, to payload.
SAMPLES = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parents[1] / "samples").glob("*.json"))
    if path.stem.partition("_")[0] in STOREFRONTS
}
CUSTOMER = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
WAREHOUSE = "7a1f0c52-93be-4b6f-8c2d-0e5f6a7b8c9d"

#: What each destination's account cannot do without.
NEEDED: dict[str, dict[str, Any]] = {
    "rayo": {"api_key": "clave"},
    "lapyme": {"api_key": "clave", "customer_id": CUSTOMER, "assigned_warehouse_id": WAREHOUSE},
    "centelar": {"base_url": "https://centelar.example", "connection_id": 123},
}
#: Settings with which an order that holds something of everything can go.
GENEROUS: dict[str, dict[str, Any]] = {
    "rayo": {},
    "lapyme": {"charges": {"tip": "PROPINA", "fee": "RECARGO"}},
    "centelar": {
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
        "payment_types": {"bacs": "promissory", "offline": "promissory"},
    },
}


#: What each storefront's store cannot do without.
NEEDED_BY_STORE: dict[str, dict[str, Any]] = {"tiendanube": {"store_id": 4410733, "api_token": "ficha"}}


def storefront_of(sample: str) -> str:
    return sample.partition("_")[0]


def make_store(storefront: str, **settings: Any) -> Store:
    needed = NEEDED_BY_STORE.get(storefront, {})
    table = {"name": "tienda", "id": "tienda", "storefront": storefront, "secrets": ["secreto"], **needed, **settings}
    store: Store = STOREFRONTS[storefront].settings().load(table)
    return store


def make_account(destination: str, **settings: Any) -> Account:
    table = {"name": "cuenta", "id": "cuenta", "destination": destination, **NEEDED.get(destination, {}), **settings}
    account: Account = DESTINATIONS[destination].settings().load(table)
    return account


def webhook_of(sample: str) -> Any:
    """Return the body of the webhook about a sample: the order, or what names it."""
    storefront, order = STOREFRONTS[storefront_of(sample)], SAMPLES[sample]
    if storefront.thin_body is None:
        return order
    return storefront.thin_body(order, storefront.sample_topic, make_store(storefront.name))


def read(storefront: str, payload: Any, **store: Any) -> Order:
    return STOREFRONTS[storefront].read(payload, make_store(storefront, **store))


def write(order: Order, destination: str, **account: Any) -> Written:
    return DESTINATIONS[destination].write(order, make_account(destination, **account), make_store(order.storefront))


def problems_of(order: Order, destination: str, **account: Any) -> list[str]:
    """Return what stops the order; nothing where it may go."""
    try:
        write(order, destination, **account)
    except MappingError as error:
        return error.problems
    return []
