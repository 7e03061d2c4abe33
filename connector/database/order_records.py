"""What is on record about orders that a store lists: their events, the accounts that have them, and the newest payload.

A page of orders takes a constant number of queries.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import col, select

from connector.database.engine import Database
from connector.database.models import Delivery, Event, omit
from connector.database.orders import EventSummary, load_erased, newest_event


@dataclass(slots=True, kw_only=True)
class OrderRecord:
    """What is on record about one order.

    Args:
        newest_body: the payload of the newest event that contains the order; empty if it was pruned. None: it was not
            loaded, since that event is newer than the listed version.
        states: by account, the state and the reason of its delivery.
        is_erased: whether its personal data was erased on request.
    """

    events: list[Event] = field(default_factory=list)  # without their bodies
    newest: Event | None = None
    newest_body: bytes | None = None
    states: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    is_erased: bool = False


def load_order_records(
    database: Database, store: str, versions: Mapping[str, datetime | None]
) -> dict[str, OrderRecord]:
    """By order id; no record for an order without events.

    Args:
        store: its id.
        versions: by order id, when the listed version was made. None: the list does not say.
    """
    order_ids = list(versions)
    events = (
        select(Event)
        .where(Event.store == store, col(Event.order_id).in_(order_ids))
        .order_by(col(Event.id))
        .options(*omit(Event.body))
    )
    deliveries = select(Delivery.order_id, Delivery.account, Delivery.state, Delivery.reason).where(
        Delivery.store == store, col(Delivery.order_id).in_(order_ids)
    )
    records: dict[str, OrderRecord] = {}
    with database.read() as session:
        for event in session.exec(events):
            records.setdefault(event.order_id or "", OrderRecord()).events.append(event)
        for order_id, account, state, reason in session.exec(deliveries):
            if order_id in records:
                records[order_id].states[account] = (state, reason)
        for _, order_id in load_erased(session.connection(), [(store, order_id) for order_id in order_ids]):
            records.setdefault(order_id, OrderRecord()).is_erased = True
        for record in records.values():
            record.newest = find_newest(record.events)
        to_compare = [
            record.newest.id
            for order_id, record in records.items()
            if record.newest is not None and not is_older(versions[order_id], record.newest)
        ]
        bodies = dict(session.exec(select(Event.id, Event.body).where(col(Event.id).in_(to_compare))).all())
    for record in records.values():
        record.newest_body = bodies.get(record.newest.id) if record.newest is not None else None
    return records


def is_older(updated_at: datetime | None, event: Event) -> bool:
    """Whether a version of an order is certainly older than an event's."""
    return updated_at is not None and updated_at < event.source_updated_at


def find_newest(events: Collection[Event]) -> Event | None:
    """The newest event that contains the order."""
    newest = newest_event(
        EventSummary(
            id=event.id,
            source_updated_at=event.source_updated_at,
            is_paid=event.is_paid,
            has_order=event.has_order,
            is_cancellation=event.is_cancellation,
        )
        for event in events
    )
    return next((event for event in events if newest is not None and event.id == newest.id), None)


def recorded_keys(database: Database, store: str, event_keys: Collection[str]) -> set[str]:
    """Those of these event keys that an event has."""
    statement = select(Event.event_key).where(Event.store == store, col(Event.event_key).in_(event_keys))
    with database.read() as session:
        return set(session.exec(statement))
