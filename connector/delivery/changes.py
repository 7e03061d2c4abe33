"""Finds what changed in orders after they were delivered, such as a refund or another address.

A person must act on it at the destination: the connector sends a delivered order no second time.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connector.clients.storefront_api import FetchError
from connector.core.messages import build_message
from connector.database.comparisons import deliveries_to_compare, postpone_comparison, record_comparison
from connector.database.corrections import load_corrections
from connector.database.models import Delivery, Event
from connector.database.queries.events import load_event, load_newest_event
from connector.delivery.order_source import OrderSource, load_order_source
from connector.runtime import Runtime, open_store_api
from mappings.destination import Destination
from mappings.preview.dry_run import diff_bodies
from mappings.problems import MappingError, Problem
from mappings.settings import Account

#: Deliveries per run.
BATCH_SIZE = 20
FETCH_TIMEOUT_S = 10.0
RETRY_AFTER = timedelta(minutes=5)
#: Fields that are named in an alert.
MAX_FIELDS = 10


def compare_changed(runtime: Runtime) -> bool:
    """Compare delivered orders that changed since with what was sent. Return whether there may be more."""
    deliveries = deliveries_to_compare(runtime.database, limit=BATCH_SIZE)
    for delivery in deliveries:
        try:
            change = find_change(runtime, delivery)
        except FetchError:
            postpone_comparison(runtime.database, delivery, runtime.clock() + RETRY_AFTER)
            continue
        except Exception as error:  # a bug in the connector, or the order cannot be read: nothing to compare
            runtime.log.error("comparison_failed", delivery_id=delivery.id, error=type(error).__name__)
            change = None
        record_comparison(runtime.database, delivery, change)
    return len(deliveries) == BATCH_SIZE


def find_change(runtime: Runtime, delivery: Delivery) -> Problem | None:
    """Return how the newest version of a delivered order differs from what was sent, without any value of it.

    None if it does not, and for what has an alert of its own: a cancelled order. Raises `FetchError`.
    """
    account = runtime.settings.accounts.get(delivery.account)
    newest, sent = load_newest_event(runtime.database, delivery), load_event(runtime.database, delivery.event_id)
    if account is None or delivery.body is None or not newest.body:
        return None
    source = load_source(runtime, newest, account)
    if source.storefront.is_customer_erased(source.payload):
        return None
    try:
        order = source.parse()
        if order.is_cancelled:
            return None
        if order.is_refunded:
            return build_message("refunded_after_delivery")
        body = build_body(runtime, source, account)
    except MappingError as error:
        return build_message("unmappable_after_delivery", problem=error.problems[0].without_order_data())
    differences = diff_bodies(sent_body(runtime, delivery, sent, account), body)
    has_customer_search = runtime.settings.destination(account).customer_api is not None
    fields = [difference.field for difference in differences]
    fields = [field for field in fields if not (has_customer_search and field == "customer_id")]
    if not fields:
        return None
    more = ["…"] if len(fields) > MAX_FIELDS else []
    return build_message("changed_after_delivery", fields=", ".join([*fields[:MAX_FIELDS], *more]))


def load_source(runtime: Runtime, event: Event, account: Account) -> OrderSource:
    """Return the order of an event with all that its destination needs. Raises `FetchError`, `MappingError`."""
    settings = runtime.settings
    destination: Destination[Any] = settings.destination(account)
    store = settings.stores_by_id[event.store]
    corrections = load_corrections(runtime.database, event.store, event.order_id)
    source = load_order_source(settings, event, store, destination.required_details(account), corrections)
    if not source.missing:
        return source
    with open_store_api(runtime, store) as api:
        return source.fetch(api, timeout_s=FETCH_TIMEOUT_S)


def build_body(runtime: Runtime, source: OrderSource, account: Account) -> Any:
    """Return what would be sent if nothing of the order had left the shop. Raises `MappingError`."""
    order = source.parse().overridden().without_fulfillment()
    return runtime.settings.destination(account).build_request(order, account, source.store).body


def sent_body(runtime: Runtime, delivery: Delivery, event: Event, account: Account) -> Any:
    """Return what was sent: made again from its event, so that new settings are no change; else as it was stored."""
    try:
        store = runtime.settings.stores_by_id[event.store]
        corrections = load_corrections(runtime.database, event.store, event.order_id)
        source = load_order_source(runtime.settings, event, store, corrections=corrections)
        if event.body and not source.is_thin:
            return build_body(runtime, replace(source, missing=()), account)
    except MappingError:
        pass  # it lacks what was fetched for it
    return json.loads(delivery.body or b"{}")
