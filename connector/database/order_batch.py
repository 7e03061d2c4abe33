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
from connector.database.sql.execute import exists_any, insert_numbered, update_rows

OrderKey = tuple[str, str]  # store id, order id


class Known:
    """What counts of an event for its order."""

    __slots__ = ("cancels", "carries_order", "id", "says_paid", "version")

    def __init__(self, id_: int, version: datetime, says_paid: bool, carries_order: bool, cancels: bool) -> None:
        self.id = id_
        self.version = version
        self.says_paid = says_paid
        self.carries_order = carries_order
        self.cancels = cancels


#: Of orders of one store: a pair in an IN would be looked up through no index by SQLite.
STORE: BindParameter[str] = bindparam("store")
ORDERS: BindParameter[list[str]] = bindparam("orders", expanding=True)
OF_ORDERS = and_(events.c.store == STORE, events.c.order_id.in_(ORDERS), events.c.id < bindparam("before"))
EVENTS_OF = select(
    *(events.c[name] for name in ("order_id", "id", "version", "says_paid", "carries_order", "cancels"))
).where(OF_ORDERS)
#: What of a delivery decides its way.
DECISIVE = ("id", "store", "order_id", "account", "event_id", "state", "reason", "frozen_since", "due_at")
DELIVERIES_OF = (
    select(*(deliveries.c[name] for name in DECISIVE))
    .where(deliveries.c.store == STORE, deliveries.c.order_id.in_(ORDERS))
    .order_by(deliveries.c.id)
    .with_for_update()
)


class Book:
    """Nobody else changes these rows before the transaction ends.

    Args:
        orders: whose rows to read.
        before: the first event of this batch; each enters when its turn comes.
    """

    def __init__(self, transaction: Transaction, orders: Collection[OrderKey], before: int) -> None:
        self.transaction = transaction
        self.now = transaction.now
        self.events: dict[OrderKey, list[Known]] = defaultdict(list)
        self.deliveries: dict[OrderKey, list[Delivery]] = defaultdict(list)
        self._new: list[Delivery] = []
        self._changed: dict[int, dict[str, Any]] = defaultdict(dict)
        self._changed_events: dict[int, dict[str, Any]] = defaultdict(dict)
        self._alerts: list[tuple[Delivery, str]] = []
        self._wakes = False
        if orders:
            self._read(sorted(orders), before)

    def _read(self, orders: list[OrderKey], before: int) -> None:
        for store, group in groupby(orders, key=lambda order: order[0]):
            ids = [order_id for _, order_id in group]
            if not exists_any(self.transaction.connection, events, "order_id", ids, before=before, store=store):
                continue  # most are new: then there is no delivery of them either
            given: dict[str, Any] = {"store": store, "orders": ids, "before": before}
            for row in read_rows(self.transaction.execute(EVENTS_OF, given)):
                self.events[store, row.order_id].append(Known(*row[1:]))
            del given["before"]
            for row in read_rows(self.transaction.execute(DELIVERIES_OF, given)):
                self.deliveries[store, row.order_id].append(draft(row._mapping))

    def newest(self, order: OrderKey) -> Known | None:
        """Of those that carry the order: by the source's time, then by arrival.

        Created and paid may bear the same second and come in any order: of those, paid is the later.
        """
        whole = [known for known in self.events[order] if known.carries_order]
        return max(whole, key=lambda known: (known.version, known.says_paid, known.id), default=None)

    def add_deliveries(self, order: OrderKey, number: str | None, accounts: Mapping[str, str]) -> None:
        """One waiting delivery per account, unless the order is on its way there already."""
        newest = self.newest(order)
        present = {delivery.account for delivery in self.deliveries[order]}
        if newest is None:
            return
        for account in sorted(set(accounts) - present):
            values = new_delivery(order, account, accounts[account], number, newest.id, self.now)
            delivery = draft({**values, "id": None, "reason": None, "frozen_since": None})
            self.deliveries[order].append(delivery)
            self._new.append(delivery)

    def change(self, delivery: Delivery, **values: Any) -> None:
        for name, value in values.items():
            setattr(delivery, name, value)
        if delivery.id is not None:
            self._changed[delivery.id].update(values, updated_at=self.now)
        self._wakes = self._wakes or values.get("due_at") is not None

    def change_event(self, event: Known, **values: Any) -> None:
        event.cancels = values.get("cancels", event.cancels)
        self._changed_events[event.id].update(values)

    def alert(self, delivery: Delivery, text: str) -> None:
        self._alerts.append((delivery, text))

    def write(self) -> None:
        """Write what was changed, and wake the forwarders where something is due."""
        self._insert()
        update_rows(self.transaction.connection, deliveries, self._changed)
        update_rows(self.transaction.connection, events, self._changed_events)
        if self._alerts:
            rows = [
                {"delivery_id": delivery.id, "at": self.now, "kind": "alert", "text": text}
                for delivery, text in self._alerts
            ]
            self.transaction.execute(insert(notes), rows)
        if self._new or self._wakes:
            self.transaction.announce()

    def _insert(self) -> None:
        if not self._new:
            return
        names = [*new_delivery(("", ""), "", "", None, 0, self.now), "reason"]
        made = insert_deliveries(self.transaction, [{n: getattr(one, n) for n in names} for one in self._new])
        for delivery in self._new:
            delivery.id = made.get((delivery.account, delivery.store, delivery.order_id))


def draft(values: Mapping[str, Any]) -> Delivery:
    """A delivery that can be changed in memory, at a fraction of the price of the table's class."""
    return cast(Delivery, SimpleNamespace(**values))


def new_delivery(
    order: OrderKey, account: str, destination: str, number: str | None, event_id: int, now: datetime
) -> dict[str, Any]:
    """The row of a delivery that waits, due at once."""
    return {
        "account": account,
        "store": order[0],
        "destination": destination,
        "order_id": order[1],
        "order_number": number,
        "event_id": event_id,
        "state": State.WAITING,
        "problems": [],
        "warnings": [],
        "created_at": now,
        "updated_at": now,
        "due_at": now,
        "attempts": 0,
        "is_manual": False,
        "run_tries": 0,
        "run_open_s": 0.0,
        "revision": 1,
    }


def insert_deliveries(transaction: Transaction, rows: list[dict[str, Any]]) -> dict[tuple[str, ...], int]:
    """Insert those that are not there; the unique index decides. Returns their ids by account, store, order id."""
    unique = ["account", "store", "order_id"]
    return insert_numbered(transaction.connection, deliveries, rows, unique=unique)
