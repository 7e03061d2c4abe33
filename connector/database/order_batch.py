"""The orders that a batch of events speaks of: read at once, changed in memory, written at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import groupby
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import BindParameter, and_, bindparam, insert, select

from connector.database.engine import Transaction
from connector.database.models import Delivery, State, deliveries, events, notes, read_rows
from connector.database.sql.execute import insert_ignore_returning_ids, row_exists, update_rows

OrderKey = tuple[str, str]  # store id, order id


class EventSummary:
    """What counts of an event for its order."""

    __slots__ = ("has_order", "id", "is_cancellation", "is_paid", "source_updated_at")

    def __init__(
        self, id_: int, source_updated_at: datetime, is_paid: bool, has_order: bool, is_cancellation: bool
    ) -> None:
        self.id = id_
        self.source_updated_at = source_updated_at
        self.is_paid = is_paid
        self.has_order = has_order
        self.is_cancellation = is_cancellation


#: Of orders of one store: a pair in an IN would be looked up through no index by SQLite.
STORE: BindParameter[str] = bindparam("store")
ORDERS: BindParameter[list[str]] = bindparam("orders", expanding=True)
EVENTS_FILTER = and_(events.c.store == STORE, events.c.order_id.in_(ORDERS), events.c.id < bindparam("before"))
SELECT_EVENTS = select(
    *(events.c[name] for name in ("order_id", "id", "source_updated_at", "is_paid", "has_order", "is_cancellation"))
).where(EVENTS_FILTER)
#: What of a delivery decides its way.
DECISION_COLUMNS = ("id", "store", "order_id", "account", "event_id", "state", "reason", "locked_since", "due_at")
SELECT_DELIVERIES = (
    select(*(deliveries.c[name] for name in DECISION_COLUMNS))
    .where(deliveries.c.store == STORE, deliveries.c.order_id.in_(ORDERS))
    .order_by(deliveries.c.id)
    .with_for_update()
)


class OrderBatch:
    """Nobody else changes these rows before the transaction ends.

    Args:
        orders: whose rows to read.
        before: the first event of this batch; each enters when its turn comes.
    """

    def __init__(self, transaction: Transaction, orders: Collection[OrderKey], before_event_id: int) -> None:
        self.transaction = transaction
        self.now = transaction.now
        self.events: dict[OrderKey, list[EventSummary]] = defaultdict(list)
        self.deliveries: dict[OrderKey, list[Delivery]] = defaultdict(list)
        self._new: list[Delivery] = []
        self._changed: dict[int, dict[str, Any]] = defaultdict(dict)
        self._changed_events: dict[int, dict[str, Any]] = defaultdict(dict)
        self._alerts: list[tuple[Delivery, str]] = []
        self._has_due = False
        if orders:
            self._read(sorted(orders), before_event_id)

    def _read(self, orders: list[OrderKey], before_event_id: int) -> None:
        for store, group in groupby(orders, key=lambda order: order[0]):
            ids = [order_id for _, order_id in group]
            if not row_exists(
                self.transaction.connection, events, "order_id", ids, before_id=before_event_id, store=store
            ):
                continue  # most are new: then there is no delivery of them either
            params: dict[str, Any] = {"store": store, "orders": ids, "before": before_event_id}
            for row in read_rows(self.transaction.execute(SELECT_EVENTS, params)):
                self.events[store, row.order_id].append(EventSummary(*row[1:]))
            del params["before"]
            for row in read_rows(self.transaction.execute(SELECT_DELIVERIES, params)):
                self.deliveries[store, row.order_id].append(mutable_row(row._mapping))

    def newest_event(self, order: OrderKey) -> EventSummary | None:
        """Of those that carry the order: by the source's time, then by arrival.

        Created and paid may bear the same second and come in any order: of those, paid is the later.
        """
        events_with_order = [event for event in self.events[order] if event.has_order]
        return max(
            events_with_order, key=lambda event: (event.source_updated_at, event.is_paid, event.id), default=None
        )

    def add_deliveries(self, order: OrderKey, order_number: str | None, accounts: Mapping[str, str]) -> None:
        """One waiting delivery per account, unless the order is on its way there already."""
        newest_event = self.newest_event(order)
        existing_accounts = {delivery.account for delivery in self.deliveries[order]}
        if newest_event is None:
            return
        for account in sorted(set(accounts) - existing_accounts):
            values = new_delivery(order, account, accounts[account], order_number, newest_event.id, self.now)
            delivery = mutable_row({**values, "id": None, "reason": None, "locked_since": None})
            self.deliveries[order].append(delivery)
            self._new.append(delivery)

    def change_delivery(self, delivery: Delivery, **values: Any) -> None:
        for name, value in values.items():
            setattr(delivery, name, value)
        if delivery.id is not None:
            self._changed[delivery.id].update(values, updated_at=self.now)
        self._has_due = self._has_due or values.get("due_at") is not None

    def change_event(self, event: EventSummary, **values: Any) -> None:
        event.is_cancellation = values.get("is_cancellation", event.is_cancellation)
        self._changed_events[event.id].update(values)

    def add_alert(self, delivery: Delivery, text: str) -> None:
        self._alerts.append((delivery, text))

    def write(self) -> None:
        """Write what was changed, and wake the forwarders where something is due."""
        self._insert_deliveries()
        update_rows(self.transaction.connection, deliveries, self._changed)
        update_rows(self.transaction.connection, events, self._changed_events)
        if self._alerts:
            rows = [
                {"delivery_id": delivery.id, "at": self.now, "kind": "alert", "text": text}
                for delivery, text in self._alerts
            ]
            self.transaction.execute(insert(notes), rows)
        if self._new or self._has_due:
            self.transaction.notify()

    def _insert_deliveries(self) -> None:
        if not self._new:
            return
        column_names = [*new_delivery(("", ""), "", "", None, 0, self.now), "reason"]
        ids = insert_deliveries(
            self.transaction, [{name: getattr(new_row, name) for name in column_names} for new_row in self._new]
        )
        for delivery in self._new:
            delivery.id = ids.get((delivery.account, delivery.store, delivery.order_id))


def mutable_row(values: Mapping[str, Any]) -> Delivery:
    """A delivery that can be changed in memory, at a fraction of the price of the table's class."""
    return cast(Delivery, SimpleNamespace(**values))


def new_delivery(
    order: OrderKey, account: str, destination: str, order_number: str | None, event_id: int, now: datetime
) -> dict[str, Any]:
    """The row of a delivery that waits, due at once."""
    return {
        "account": account,
        "store": order[0],
        "destination": destination,
        "order_id": order[1],
        "order_number": order_number,
        "event_id": event_id,
        "state": State.WAITING,
        "problems": [],
        "warnings": [],
        "created_at": now,
        "updated_at": now,
        "due_at": now,
        "attempts": 0,
        "is_manual": False,
        "attempts_in_run": 0,
        "circuit_open_s_at_start": 0.0,
        "revision": 1,
    }


def insert_deliveries(transaction: Transaction, rows: list[dict[str, Any]]) -> dict[tuple[str, ...], int]:
    """Insert those that are not there; the unique index decides. Returns their ids by account, store, order id."""
    unique = ["account", "store", "order_id"]
    return insert_ignore_returning_ids(transaction.connection, deliveries, rows, unique=unique)
