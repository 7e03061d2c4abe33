"""The orders of a batch of events: read together, changed in memory, written together."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import insert, update
from sqlmodel import col

from connector.database.deliveries import held_values
from connector.database.engine import Transaction
from connector.database.models import Delivery, Event, Note, State
from connector.database.orders import EventSummary, alert_values, load_order_events, newest_event
from connector.database.sql.run import insert_rows, parse_time, run
from connector.database.sql.statements import INSERT_DELIVERIES, LOCK_ORDER_DELIVERIES
from mappings.problems import Problem

OrderKey = tuple[str, str]  # store id, order id


@dataclass(slots=True, kw_only=True)
class OrderDelivery:
    """The columns of a delivery that decide how it reacts to an event."""

    account: str
    event_id: int
    state: str
    reason: str | None
    locked_since: datetime | None
    may_be_sent: bool = False  # before the database was restored from a backup
    id: int | None = None  # assigned when it is inserted


class OrderBatch:
    """A unit of work. Its rows are locked until the transaction ends.

    Args:
        orders: the orders whose rows to read.
        before_event_id: the first event of this batch. Its events are added one by one.
    """

    def __init__(self, transaction: Transaction, orders: Collection[OrderKey], before_event_id: int) -> None:
        self.transaction = transaction
        self.now = transaction.now
        self.events: dict[OrderKey, list[EventSummary]] = defaultdict(list)
        self.deliveries: dict[OrderKey, list[OrderDelivery]] = defaultdict(list)
        self._new: list[tuple[OrderDelivery, dict[str, Any]]] = []
        self._changed: dict[int, dict[str, Any]] = defaultdict(dict)
        self._changed_events: dict[int, dict[str, Any]] = defaultdict(dict)
        self._alerts: list[tuple[OrderDelivery, Problem]] = []
        self._has_due = False
        for store, group in groupby(sorted(orders), key=lambda order: order[0]):
            self._load(store, [order_id for _, order_id in group], before_event_id)

    def _load(self, store: str, order_ids: list[str], before_event_id: int) -> None:
        """Load the orders of one store."""
        params: dict[str, Any] = {"store": store, "order_ids": order_ids}
        connection = self.transaction.connection
        order_events = load_order_events(connection, store, order_ids, before_id=before_event_id)
        for order_id, event in order_events:
            self.events[store, order_id].append(event)
        if not order_events:
            return  # so there are no deliveries either
        for order_id, id_, account, event_id, state, reason, locked_since, sent_before_restore in run(
            connection, LOCK_ORDER_DELIVERIES, params
        ):
            delivery = OrderDelivery(
                id=id_,
                account=account,
                event_id=event_id,
                state=state,
                reason=reason,
                locked_since=parse_time(locked_since),
                may_be_sent=bool(sent_before_restore),
            )
            self.deliveries[store, order_id].append(delivery)

    def newest_event(self, order: OrderKey) -> EventSummary | None:
        return newest_event(self.events[order])

    def add_deliveries(
        self,
        order: OrderKey,
        order_number: str | None,
        accounts: Mapping[str, str],
        *,
        held_because: Problem | None = None,
    ) -> None:
        """Add a waiting delivery for each account that has none for this order.

        Args:
            accounts: account id to destination name.
            held_because: hold them, for this reason.
        """
        event = self.newest_event(order)
        if event is None:
            return
        existing_accounts = {delivery.account for delivery in self.deliveries[order]}
        for account in sorted(set(accounts) - existing_accounts):
            values = new_delivery(order, account, accounts[account], order_number, event.id, self.now)
            if held_because is not None:
                values |= held_values(held_because)
            delivery = OrderDelivery(
                account=account,
                event_id=event.id,
                state=values["state"],
                reason=values["reason"],
                locked_since=None,
            )
            self.deliveries[order].append(delivery)
            self._new.append((delivery, values))

    def change_delivery(self, delivery: OrderDelivery, **values: Any) -> None:
        for name in ("event_id", "state", "reason"):
            if name in values:
                setattr(delivery, name, values[name])
        if delivery.id is None:
            next(new_values for new, new_values in self._new if new is delivery).update(values)
        else:
            self._changed[delivery.id].update(values, updated_at=self.now)
        self._has_due = self._has_due or values.get("due_at") is not None

    def compare_delivery(self, delivery: OrderDelivery) -> None:
        """Have a worker look for what changed since the delivery was sent. It is not a change of the delivery."""
        if delivery.id is not None:
            self._changed[delivery.id].update(compare_at=self.now)

    def change_event(self, event: EventSummary, **values: Any) -> None:
        for name in ("is_cancellation", "undoes_deletion"):
            if name in values:
                setattr(event, name, values[name])
        self._changed_events[event.id].update(values)

    def add_alert(self, delivery: OrderDelivery, message: Problem) -> None:
        self._alerts.append((delivery, message))

    def write(self) -> None:
        """Write the changes, and notify the workers if a delivery is due."""
        self._insert_deliveries()
        for delivery_id, values in self._changed.items():
            self.transaction.execute(update(Delivery).where(col(Delivery.id) == delivery_id).values(values))
        for event_id, values in self._changed_events.items():
            self.transaction.execute(update(Event).where(col(Event.id) == event_id).values(values))
        if self._alerts:
            rows = [alert_values(delivery.id, message, self.now) for delivery, message in self._alerts]
            self.transaction.execute(insert(Note), rows)
        if self._new or self._has_due:
            self.transaction.notify()

    def _insert_deliveries(self) -> None:
        ids = insert_deliveries(self.transaction, [values for _, values in self._new])
        for delivery, values in self._new:
            delivery.id = ids.get((values["account"], values["store"], values["order_id"]))


def new_delivery(
    order: OrderKey, account: str, destination: str, order_number: str | None, event_id: int, now: datetime
) -> dict[str, Any]:
    """The values of a delivery that waits and is due at once."""
    return {
        "account": account,
        "store": order[0],
        "destination": destination,
        "order_id": order[1],
        "order_number": order_number,
        "event_id": event_id,
        "state": State.WAITING,
        "reason": None,
        "problems": [],
        "created_at": now,
        "due_at": now,
    }


def insert_deliveries(transaction: Transaction, rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    """Insert those that do not exist; the unique index decides. Returns ids by account, store and order id."""
    inserted = insert_rows(transaction.connection, INSERT_DELIVERIES, rows)
    return {(account, store, order_id): id_ for account, store, order_id, id_ in inserted}
