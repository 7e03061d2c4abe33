"""What a person does to deliveries. Every act is one transaction, is noted, and says why when the state forbids it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from connector.database.deliveries import fresh_start
from connector.database.engine import Database
from connector.database.events import insert_deliveries
from connector.database.orders import add_note, is_cancelled, of_order, row_id, select_newest
from connector.database.tables import Delivery, Event, Reason, State, attempts, deliveries, events
from connector.errors import ConflictError, NotFoundError
from mappings.spoke import Outcome

#: States that a person leaves only with `force`: sending again may make a second order.
NEEDS_FORCE = {State.DELIVERED, State.DISCARDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriggered:
    id: int
    done: str  # "queued" or "left"
    why: str


def retrigger_delivery(
    database: Database, delivery_id: int, *, has_key: bool, force: bool, new_key: bool, note: str | None, now: datetime
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, or `ConflictError` where its state forbids it.

    Args:
        has_key: its destination takes an idempotency key.
        new_key: a person says that no earlier attempt was processed: the key's revision grows.
    """
    with database.write() as connection:
        delivery = read_delivery(connection, delivery_id)
        if why := forbids(delivery, force=force):
            raise ConflictError(why)
        if new_key and not (has_key and force):
            raise ConflictError("`new_key` goes with `force`, at a destination that takes a key")
        if new_key and delivery.state == State.WAITING:
            raise ConflictError("it is waiting: its key stays until its attempts have ended")
        requeue(connection, delivery, has_key=has_key, force=force, new_key=new_key, note=note, now=now)
        return read_delivery(connection, delivery_id)


def retrigger_event(
    database: Database,
    event: Event,
    *,
    accounts: Mapping[str, str],
    keyed: set[str],
    force: bool,
    note: str | None,
    now: datetime,
) -> list[Retriggered]:
    """Make what the routes want now, and queue what is parked but `uncertain`. The rest is left unless `force`.

    Args:
        accounts: account id to destination name, for every account whose routes want the event's topics.
        keyed: destinations with an idempotency key.
    """
    if event.order_id is None:
        return []
    with database.write() as connection:
        statement = select(deliveries).where(of_order(deliveries, event.store, event.order_id))
        present = [Delivery(**row._mapping) for row in connection.execute(statement)]
        done = [
            requeue_or_leave(
                connection, delivery, has_key=delivery.destination in keyed, force=force, note=note, now=now
            )
            for delivery in present
        ]
        if is_cancelled(connection, event.store, event.order_id) and not force:
            return done
        overruled = newest_id(connection, event.store, event.order_id) if force else None
        made = insert_deliveries(
            connection, event.store, event.order_id, event.order_number, accounts, now, overruled=overruled
        )
        for delivery_id in made:
            add_note(connection, delivery_id, "retrigger", note or "", now)
        return done + [
            Retriggered(id=delivery_id, done="queued", why="made for the routes of now") for delivery_id in made
        ]


def requeue_or_leave(
    connection: Connection, delivery: Delivery, *, has_key: bool, force: bool, note: str | None, now: datetime
) -> Retriggered:
    if why := forbids(delivery, force=force):
        return Retriggered(id=row_id(delivery), done="left", why=why)
    why = f"it was {delivery.reason or delivery.state}"
    requeue(connection, delivery, has_key=has_key, force=force, new_key=False, note=note, now=now)
    return Retriggered(id=row_id(delivery), done="queued", why=why)


def forbids(delivery: Delivery, *, force: bool) -> str | None:
    """Why a delivery may not be queued again; None when it may."""
    if delivery.state == State.SENDING:
        return "it is being sent: wait for its outcome"
    if force:
        return None
    if delivery.state in NEEDS_FORCE:
        return f"it is {delivery.state}: look first, then use `force`"
    if delivery.reason == Reason.UNCERTAIN:
        return "it is uncertain: look at the destination first, then resolve it or use `force`"
    return None


def requeue(
    connection: Connection,
    delivery: Delivery,
    *,
    has_key: bool,
    force: bool,
    new_key: bool,
    note: str | None,
    now: datetime,
) -> None:
    """Let it wait anew, due now: with the newest version, or with the same bytes where an attempt may have landed."""
    values: dict[str, Any] = {**fresh_start(now), "is_manual": True, "updated_at": now}
    is_doubtful = delivery.reason == Reason.UNCERTAIN or delivery.frozen_since is not None
    may_have_landed = delivery.state == State.DELIVERED or is_doubtful
    if delivery.state == State.WAITING:
        values = {"due_at": now, "is_manual": True, "updated_at": now}
    elif has_key and may_have_landed and delivery.body is not None and not new_key:
        values["frozen_since"] = now
    else:
        values["frozen_since"] = None
        values["event_id"] = connection.execute(select_newest(delivery.store, delivery.order_id)).scalar_one()
        if has_key and (new_key or was_refused(connection, delivery)):
            values["revision"] = delivery.revision + 1
    if force:
        values["overruled"] = newest_id(connection, delivery.store, delivery.order_id)
    connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values))
    add_note(connection, row_id(delivery), "retrigger", note or "", now)


def was_refused(connection: Connection, delivery: Delivery) -> bool:
    """True when its key stands for bytes that were surely refused, though it was discarded since."""
    last = select(attempts.c.outcome).where(
        attempts.c.delivery_id == delivery.id, attempts.c.number == delivery.attempts
    )
    is_last_refused = connection.execute(last).scalar_one_or_none() == Outcome.REFUSED
    return delivery.reason == Reason.REFUSED or (delivery.state == State.DISCARDED and is_last_refused)


def resolve_delivery(
    database: Database, delivery_id: int, *, as_: str, remote_id: str | None, note: str | None, now: datetime
) -> Delivery:
    """Settle a parked delivery by a person's word. Raises `NotFoundError`, `ConflictError`."""
    with database.write() as connection:
        delivery = read_delivery(connection, delivery_id)
        may_discard = delivery.state == State.WAITING and as_ == State.DISCARDED
        if delivery.state != State.PARKED and not may_discard:
            raise ConflictError(f"it is {delivery.state}: only what is parked can be resolved")
        values = {
            "state": as_,
            "reason": Reason.BY_HAND if as_ == State.DISCARDED else None,
            "remote_id": remote_id or delivery.remote_id,
            "due_at": None,
            "claim": None,
            "claim_expires_at": None,
            "updated_at": now,
        }
        connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))
        add_note(connection, delivery_id, "resolve", note or "", now)
        return read_delivery(connection, delivery_id)


def read_delivery(connection: Connection, delivery_id: int) -> Delivery:
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return Delivery(**row._mapping)


def newest_id(connection: Connection, store: str, order_id: str) -> int:
    """The id of the last event that came in for the order."""
    last: int = connection.execute(select(func.max(events.c.id)).where(of_order(events, store, order_id))).scalar_one()
    return last
