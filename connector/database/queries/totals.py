"""Counts what a search matches, up to a limit, and reads no more rows than the search itself."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from connector.database.engine import Database
from connector.database.models import Delivery, Event
from connector.database.queries import deliveries, events
from connector.database.queries.deliveries import DeliveryFilter
from connector.database.queries.events import EventFilter
from connector.database.queries.pages import scan_floor
from connector.database.queries.terms import delivery_ids_by_term, event_ids_by_order

MAX_COUNTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many rows match.

    Args:
        is_exact: False if there are more than `count`: than `MAX_COUNTED`, or among the rows that were not read.
    """

    count: int
    is_exact: bool


def count_matching_deliveries(
    database: Database, delivery_filter: DeliveryFilter, *, term: str | None = None, stores: Collection[str] = ()
) -> Total:
    """Count what `search_deliveries` finds on all pages."""
    filters = deliveries.unindexed_conditions(delivery_filter)
    count, is_exact = 0, True
    with database.read() as session:
        low, high = deliveries.created_between(session, delivery_filter)
        ids = delivery_filter.ids if term is None else delivery_ids_by_term(session, term, stores)
        for conditions in deliveries.index_scans(delivery_filter):
            floor, stop_id = low, None
            if ids is not None:
                conditions = [*conditions, col(Delivery.id).in_(ids)]
            elif delivery_filter.job is not None:
                pass  # its own rows bound the scan
            elif filters and conditions:
                floor, stop_id = deliveries.index_scan_floor(session, conditions, low, high)
            elif filters:
                floor, stop_id = scan_floor(low, high)
            count += count_ids(session, Delivery, [col(Delivery.id).between(floor, high), *conditions, *filters])
            is_exact = is_exact and stop_id is None
    return limit_total(count, is_exact=is_exact)


def count_matching_events(database: Database, event_filter: EventFilter, *, stores: Collection[str] = ()) -> Total:
    """Count what `search_events` finds on all pages."""
    conditions = events.unindexed_conditions(event_filter)
    stop_id = None
    with database.read() as session:
        low, high = events.received_between(session, event_filter)
        if event_filter.order is not None:
            conditions.append(col(Event.id).in_(event_ids_by_order(session, event_filter.order, stores)))
        elif conditions:
            low, stop_id = scan_floor(low, high)
        count = count_ids(session, Event, [col(Event.id).between(low, high), *conditions])
    return limit_total(count, is_exact=stop_id is None)


def count_ids(session: Session, model: type[Delivery] | type[Event], conditions: list[Any]) -> int:
    ids = select(model.id).where(*conditions).limit(MAX_COUNTED + 1).subquery()
    return session.exec(select(func.count()).select_from(ids)).one()


def limit_total(count: int, *, is_exact: bool) -> Total:
    return Total(count=min(count, MAX_COUNTED), is_exact=is_exact and count <= MAX_COUNTED)
