"""Finds what is kept about a person, for the command line, the API and the dashboard."""

from collections.abc import Iterator
from dataclasses import dataclass

from connector.core.exceptions import InvalidRequestError, NotFoundError
from connector.core.json_body import parse_json
from connector.database.queries.personal_data import (
    OrderRows,
    PersonalRecords,
    find_by_email,
    find_by_order,
    iter_rows,
)
from connector.runtime import Runtime
from mappings.order import Address, Customer, Order

#: A shorter text, such as a first name, is in texts about others, too.
MIN_MENTION_LENGTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """By what a person's records are found: an order, or an e-mail address.

    Args:
        order: an order's number or id.
        order_id: just this id. It needs a store.
        store: a store's name in the configuration, or the id of a retired one. None: all stores.
    """

    order: str | None = None
    order_id: str | None = None
    email: str | None = None
    store: str | None = None


def find_records(runtime: Runtime, criterion: Criterion) -> PersonalRecords:
    """Return what is kept. Raises `InvalidRequestError`, `NotFoundError`."""
    if [criterion.order, criterion.order_id, criterion.email].count(None) != 2:
        raise InvalidRequestError("name either an order or an e-mail address")
    store_id = find_store_id(runtime, criterion.store)
    if criterion.order_id is not None and store_id is not None:
        return PersonalRecords(orders=((store_id, criterion.order_id),))
    if criterion.order is not None:
        return find_by_order(runtime.database, criterion.order.strip(), store=store_id)
    email = (criterion.email or "").strip()
    if "@" not in email:
        raise InvalidRequestError("that is not an e-mail address")
    return find_by_email(runtime.database, email, store=store_id)


def find_kept_records(runtime: Runtime, criterion: Criterion) -> PersonalRecords:
    """Return what is kept, if anything is. Raises `InvalidRequestError`, `NotFoundError`."""
    records = find_records(runtime, criterion)
    if not records.count:
        raise NotFoundError("nothing is kept about such an order")
    return records


def find_store_id(runtime: Runtime, name: str | None) -> str | None:
    """Return the id of a store. Raises `NotFoundError`."""
    stores = runtime.settings.stores
    if name is None or name in runtime.settings.retired or name in {store.id for store in stores.values()}:
        return name
    if name not in stores:
        raise NotFoundError("no such store")
    return stores[name].id


def list_rows(runtime: Runtime, records: PersonalRecords) -> list[OrderRows]:
    return list(iter_rows(runtime.database, records))


def list_mentions(runtime: Runtime, rows: OrderRows) -> set[str]:
    """Return by what texts of people mention the customer of an order, as far as its payloads can be read."""
    mentions = {correction.value for correction in rows.corrections if "." in correction.field}
    for order in iter_orders(runtime, rows):
        mentions |= {text for text in (order.email, order.phone, order.document) if text}
        for person in (order.customer, order.ship_to, order.bill_to):
            mentions |= set(list_names(person)) if person is not None else set()
        if order.customer and order.customer.email:
            mentions.add(order.customer.email)
    return {mention for mention in mentions if len(mention) >= MIN_MENTION_LENGTH}


def list_names(person: Customer | Address) -> Iterator[str]:
    """Yield a person's name, as one text, and telephone number."""
    if person.name:
        yield person.name
    if person.first_name and person.last_name:
        yield f"{person.first_name} {person.last_name}"
    if person.phone:
        yield person.phone


def iter_orders(runtime: Runtime, rows: OrderRows) -> Iterator[Order]:
    """Yield the versions of an order that can be read."""
    stores = {store.id: store for store in runtime.settings.stores.values()}
    store = stores.get(rows.store)
    if store is None:
        return
    storefront = runtime.settings.storefront(store)
    for event in rows.events:
        try:
            yield storefront.parse_order(parse_json(event.body), store)
        except Exception:  # noqa: S112  # pruned, thin, or not an order: there is nothing to read
            continue
