"""Who ordered and for how much, read from the payloads of the orders that a list shows. Nothing of it is stored.

Reading fifty orders takes longer than all else on the page, and a live list shows the same ones every few seconds, so a
process remembers the last ones. It shows none whose payload was deleted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from flask import Flask, current_app

from connector.core.json_body import InvalidJsonError
from connector.database.models import Delivery, Event
from connector.database.queries.events import list_small_event_ids, load_events
from connector.delivery.order_source import load_order_source
from connector.runtime import Runtime
from mappings.order import Order
from mappings.problems import MappingError

MAX_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    customer: str | None
    total: Decimal
    currency: str


def configure_summaries(app: Flask) -> None:
    summaries: dict[int, OrderSummary | None] = {}
    app.extensions["order_summaries"] = summaries


def summarize_orders(runtime: Runtime, deliveries: Iterable[Delivery]) -> Mapping[int, OrderSummary]:
    """Return the customer and the amount by event id.

    An order is left out if its webhook only names it, if its payload cannot be read, is large, or was deleted.
    """
    remembered: dict[int, OrderSummary | None] = current_app.extensions["order_summaries"]
    event_ids = list_small_event_ids(runtime.database, {delivery.event_id for delivery in deliveries})
    remembered_now = remembered.copy()  # other threads add and remove
    summaries = {event_id: remembered_now[event_id] for event_id in event_ids if event_id in remembered_now}
    for event in load_events(runtime.database, event_ids - summaries.keys()):
        summaries[event.id] = remembered[event.id] = summarize(runtime, event)
    for event_id in list(remembered)[:-MAX_REMEMBERED]:
        remembered.pop(event_id, None)
    return {event_id: summary for event_id, summary in summaries.items() if summary is not None}


def summarize(runtime: Runtime, event: Event) -> OrderSummary | None:
    store = runtime.settings.stores_by_id.get(event.store)
    if store is None:
        return None
    try:
        source = load_order_source(runtime.settings, event, store)
        order = None if source.is_thin else source.parse()
    except (InvalidJsonError, MappingError):
        return None
    except Exception as error:  # a bug must not hide the list
        runtime.log.error("summary_failed", event_id=event.id, error=type(error).__name__)
        return None
    if order is None:
        return None
    return OrderSummary(customer=find_customer(order), total=order.total, currency=order.currency)


def find_customer(order: Order) -> str | None:
    """Return the name of who receives the order, else of who ordered or pays."""
    customer = order.customer
    names = [
        order.ship_to and order.ship_to.full_name,
        customer and (customer.name or " ".join(filter(None, (customer.first_name, customer.last_name)))),
        order.bill_to and (order.bill_to.full_name or order.bill_to.company),
    ]
    return next((name for name in names if name), None)
