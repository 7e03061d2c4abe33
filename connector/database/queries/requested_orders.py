"""Finds what is kept of the orders that a request about personal data names."""

from collections.abc import Sequence

from sqlmodel import col, func, select

from connector.database.engine import Database
from connector.database.models import Delivery, ErasedOrder, Event
from connector.database.order_batch import OrderKey
from connector.database.queries.personal_data import PersonalRecords

#: Ids in one query: SQLite takes some 32,000 parameters.
BATCH_SIZE = 500


def find_named_orders(database: Database, store: str, order_ids: Sequence[str]) -> PersonalRecords:
    """What is kept of these orders of a store: by their ids, never by their numbers, which may be another's id."""
    orders: set[OrderKey] = set()
    with database.read() as session:
        for start in range(0, len(order_ids), BATCH_SIZE):
            ids = order_ids[start : start + BATCH_SIZE]
            for model in (Event, Delivery):
                statement = select(model.order_id).where(col(model.store) == store, col(model.order_id).in_(ids))
                orders |= {(store, order_id) for order_id in session.exec(statement.distinct()) if order_id}
    return PersonalRecords(orders=tuple(sorted(orders)))


def find_store_orders(database: Database, store: str) -> PersonalRecords:
    """What is kept of all orders of a store, and of its events that name none."""
    with database.read() as session:
        deliveries = session.exec(select(Delivery.order_id).where(Delivery.store == store).distinct()).all()
        events = session.exec(
            select(Event.order_id).where(Event.store == store, col(Event.order_id).is_not(None)).distinct()
        ).all()
        without_order = select(Event.id).where(
            Event.store == store, col(Event.order_id).is_(None), func.length(col(Event.body)) > 0
        )
        event_ids = session.exec(without_order.order_by(col(Event.id))).all()
    orders = {(store, order_id) for order_id in (*deliveries, *events) if order_id}
    return PersonalRecords(orders=tuple(sorted(orders)), event_ids=tuple(event_ids))


def are_erased(database: Database, records: PersonalRecords) -> bool:
    """Return whether all of these orders are erased."""
    stores = {store for store, _ in records.orders}
    statement = select(ErasedOrder.store, ErasedOrder.order_id).where(
        col(ErasedOrder.store).in_(stores), col(ErasedOrder.erased_at).is_not(None)
    )
    with database.read() as session:
        return set(records.orders) <= {(store, order_id) for store, order_id in session.exec(statement)}
