"""Finds listed orders and versions that are not on record, and creates an event for each.

If a known version is mistaken for an unknown one, no harm is done: the intake creates no second delivery.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from connector.core.json_body import InvalidJsonError, parse_json
from connector.core.messages import build_message
from connector.database.events import IncomingWebhook
from connector.database.models import Event, EventSource
from connector.database.order_records import OrderRecord, is_older, load_order_records, recorded_keys
from connector.database.privacy_requests import is_erased_order_recorded
from connector.runtime import Runtime
from mappings.order_listing import CATCH_UP_TOPIC, ListedOrder
from mappings.problems import MappingError
from mappings.settings import Store
from mappings.storefront import Storefront, WebhookIdentity

#: What makes a listed version differ from what is on record, beside the order's content.
FACTS = frozenset({"paid", "cancelled"})
UNREADABLE = build_message("listed_order_unreadable")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVersion:
    """A listed order with what the intake needs."""

    listed: ListedOrder
    event: IncomingWebhook

    @property
    def topics(self) -> Set[str]:
        return self.event.identity.topics

    def is_wanted(self, record: OrderRecord) -> bool:
        """Return whether it matters: a route takes it, or something of the order is on record. Drafts do not.

        An order whose customer was erased does if something of it is on record.
        """
        if self.event.identity.erased_order_id is not None:
            return bool(record.events)
        is_draft = self.event.identity.ignore_reason is not None
        return not is_draft and bool(self.event.accounts or record.events)

    @property
    def is_unreadable(self) -> bool:
        return self.event.identity.ignore_reason == UNREADABLE


def find_unknown(runtime: Runtime, store: Store, orders: Sequence[ListedOrder]) -> list[ListedVersion]:
    """Return those of a page's orders that are not on record as they are listed."""
    records = load_order_records(runtime.database, store.id, {listed.order_id: listed.updated_at for listed in orders})
    unknown = []
    for listed in orders:
        record = records.get(listed.order_id, OrderRecord())
        if record.is_erased:
            continue
        version = describe(runtime, store, listed, is_new=not record.events)
        if version.is_unreadable or (version.is_wanted(record) and not is_on_record(runtime, store, version, record)):
            unknown.append(version)
    keys = [version.event.identity.event_key for version in unknown]
    recorded = recorded_keys(runtime.database, store.id, keys) if keys else set()
    return [version for version in unknown if version.event.identity.event_key not in recorded]


def describe(runtime: Runtime, store: Store, listed: ListedOrder, *, is_new: bool) -> ListedVersion:
    """Return a listed order as an event. One that cannot be read at all becomes an event that is ignored and says so.

    Args:
        is_new: whether nothing of the order is on record.
    """
    storefront = runtime.settings.storefront(store)
    try:
        identity = storefront.identify_listed(listed.payload, is_new=is_new)
        body = storefront.listed_body(listed.payload, store)
        if storefront.has_thin_webhooks and identity.is_cancellation:
            # Webhooks that only name the order have the time when they came: none of them is to count as newer.
            identity = replace(identity, source_updated_at=None)
    except Exception as error:  # whatever is wrong with one order, the others are read
        runtime.log.warning("listed_order_unreadable", store=store.id, error=type(error).__name__)
        body = json.dumps(listed.payload).encode()
        identity = unreadable_identity(listed, body)
    event = IncomingWebhook(
        store=store.id,
        identity=identity,
        body=body,
        accounts=runtime.settings.accounts_for(store.id, identity.topics_for_routes),
        can_undo_cancellation=storefront.can_undo_cancellation,
        source=EventSource.CATCH_UP,
    )
    return ListedVersion(listed=listed, event=event)


def unreadable_identity(listed: ListedOrder, body: bytes) -> WebhookIdentity:
    digest = hashlib.sha256(body).hexdigest()
    return WebhookIdentity(
        topic=CATCH_UP_TOPIC,
        topics=frozenset({CATCH_UP_TOPIC}),
        event_key=f"{CATCH_UP_TOPIC}:{listed.order_id}:{digest}",
        ignore_reason=UNREADABLE,
    )


def is_on_record(runtime: Runtime, store: Store, version: ListedVersion, record: OrderRecord) -> bool:
    """Return whether what is on record about an order includes the listed version."""
    if erased_order_id := version.event.identity.erased_order_id:
        return is_erased_order_recorded(runtime.database, store.id, erased_order_id)
    newest, storefront = record.newest, runtime.settings.storefront(store)
    if not record.events or lacks_delivery(runtime, version, record) or lacks_cancellation(version, record):
        return False
    if newest is None or was_deleted_since(record.events, newest):
        return is_known_by_time(version, record, storefront)
    if is_older(version.listed.updated_at, newest):
        return True
    payload = parse_payload(record.newest_body)
    if payload is None or is_thin(storefront, payload, store):
        return is_known_by_time(version, record, storefront)
    if FACTS & version.topics != FACTS & set(newest.topics):
        return False
    return is_same_order(storefront, store, payload, version.listed.payload)


def lacks_delivery(runtime: Runtime, version: ListedVersion, record: OrderRecord) -> bool:
    """Return whether an account has no delivery of the order, and no event had topics that its routes take.

    A webhook that only names an order may have come after the payment, and not say so.
    """
    without_delivery = version.event.accounts.keys() - record.states.keys()
    if not without_delivery:
        return False
    taken: set[str] = set()
    for event in record.events:
        taken.update(event.accounts, runtime.settings.accounts_for(event.store, event.topics))
    return not without_delivery <= taken


def lacks_cancellation(version: ListedVersion, record: OrderRecord) -> bool:
    """Return whether the store cancelled a recorded order, and no event says so."""
    if "cancelled" not in version.topics or not record.states:
        return False
    return not any("cancelled" in event.topics for event in record.events)


def was_deleted_since(events: Sequence[Event], newest: Event) -> bool:
    """Return whether the order was deleted after its newest version was made. If it is listed, it is back."""
    return any(event.is_cancellation and event.source_updated_at > newest.source_updated_at for event in events)


def is_known_by_time(version: ListedVersion, record: OrderRecord, storefront: Storefront[Any]) -> bool:
    """Return whether something about the order came when, or after, the listed version was made.

    The time of a webhook that only names an order is when it arrived: the order that is then fetched is no older. A
    later change may have repeated its bytes.
    """
    updated_at = version.listed.updated_at
    times = [event.source_updated_at for event in record.events]
    if storefront.has_thin_webhooks:
        times += [event.repeated_at for event in record.events if event.repeated_at is not None]
    return updated_at is None or max(times) >= updated_at


def is_thin(storefront: Storefront[Any], payload: Mapping[str, Any], store: Store) -> bool:
    """Return whether a payload only names the order."""
    return any(fetch.is_order for fetch in storefront.required_fetches(payload, store, frozenset()))


def parse_payload(body: bytes | None) -> Mapping[str, Any] | None:
    """Return an event's payload; None if it was pruned."""
    try:
        payload = parse_json(body) if body else None
    except InvalidJsonError:
        return None
    return payload if isinstance(payload, Mapping) else None


def is_same_order(
    storefront: Storefront[Any], store: Store, recorded: Mapping[str, Any], listed: Mapping[str, Any]
) -> bool:
    """Return whether two payloads have the same order, whenever it was saved last.

    Lists and webhooks differ in links, and shops move the time of the last change without one.
    """
    return recorded == listed or map_order(storefront, store, recorded) == map_order(storefront, store, listed)


def map_order(storefront: Storefront[Any], store: Store, payload: Mapping[str, Any]) -> Any:
    """Return the order without the time of its last change, or what keeps it from being mapped."""
    try:
        return replace(storefront.parse_order(payload, store), updated_at=None)
    except MappingError as error:
        return error.problems
    except Exception as error:  # a fault of ours: the delivery will say so
        return type(error).__name__
