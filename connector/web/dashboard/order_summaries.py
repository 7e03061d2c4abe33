"""Who ordered and for how much, for the orders that a list shows: read from their payloads, or kept when fetched.

Reading fifty orders takes longer than all else on the page, and a live list shows the same ones every few seconds, so a
process remembers the last ones. It does not show an order whose payload was deleted.
"""

from collections.abc import Collection, Mapping

from flask import Flask, current_app

from connector.core.json_body import InvalidJsonError
from connector.database.models import Delivery, Event
from connector.database.queries.events import list_small_event_ids, load_events
from connector.delivery.order_source import load_order_source
from connector.delivery.order_summary import OrderSummary
from connector.runtime import Runtime
from mappings.problems import MappingError

MAX_REMEMBERED = 1_000


def configure_summaries(app: Flask) -> None:
    summaries: dict[int, OrderSummary | None] = {}
    app.extensions["order_summaries"] = summaries


def summarize_orders(runtime: Runtime, deliveries: Collection[Delivery]) -> Mapping[int, OrderSummary]:
    """Return the customer and the amount by delivery id.

    An order is left out if its webhook only names it and it was not fetched yet, if its payload cannot be read, is
    large, or was deleted.
    """
    summaries = {
        delivery.id: OrderSummary.from_json(delivery.summary) for delivery in deliveries if delivery.summary is not None
    }
    others = [delivery for delivery in deliveries if delivery.id not in summaries]
    by_event = summarize_events(runtime, {delivery.event_id for delivery in others})
    return summaries | {
        delivery.id: by_event[delivery.event_id] for delivery in others if delivery.event_id in by_event
    }


def summarize_events(runtime: Runtime, ids: Collection[int]) -> Mapping[int, OrderSummary]:
    """Return the customer and the amount by event id."""
    remembered: dict[int, OrderSummary | None] = current_app.extensions["order_summaries"]
    event_ids = list_small_event_ids(runtime.database, ids)
    remembered_now = remembered.copy()  # other threads add and remove
    summaries = {event_id: remembered_now[event_id] for event_id in event_ids if event_id in remembered_now}
    for event in load_events(runtime.database, event_ids - summaries.keys()):
        summaries[event.id] = remembered[event.id] = summarize_event(runtime, event)
    for event_id in list(remembered)[:-MAX_REMEMBERED]:
        remembered.pop(event_id, None)
    return {event_id: summary for event_id, summary in summaries.items() if summary is not None}


def summarize_event(runtime: Runtime, event: Event) -> OrderSummary | None:
    store = runtime.settings.stores_by_id.get(event.store)
    if store is None:
        return None
    try:
        source = load_order_source(runtime.settings, event, store)
        return None if source.is_thin else OrderSummary.from_order(source.parse())
    except (InvalidJsonError, MappingError):
        return None
    except Exception as error:  # a bug must not hide the list
        runtime.log.error("summary_failed", event_id=event.id, error=type(error).__name__)
        return None
