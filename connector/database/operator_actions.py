"""What a person does to deliveries. Every act is one transaction, is noted, and says why when the state forbids it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from connector.core.exceptions import ConflictError, NotFoundError
from connector.database.deliveries import fresh_start
from connector.database.engine import Database, Transaction
from connector.database.idempotency import Once, transact_once
from connector.database.models import Delivery, Event, Reason, State, attempts, deliveries, events, read_row, read_rows
from connector.database.order_batch import insert_deliveries, new_delivery
from connector.database.orders import add_note, is_cancelled, of_order, row_id, select_newest
from mappings.integration import Outcome

#: States that a person leaves only with `force`: sending again may make a second order.
NEEDS_FORCE = {State.DELIVERED, State.DISCARDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriggered:
    id: int
    done: str  # "queued" or "left"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for, and who that is.

    Args:
        force: go on although it may make a second order, or the order was cancelled or filtered.
        new_key: no earlier attempt was processed, so the key's revision grows.
    """

    who: str
    note: str | None = None
    force: bool = False
    new_key: bool = False


def retrigger_delivery(
    database: Database, delivery_id: int, asked: Asked, *, has_key: bool, once: Once | None = None
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, or `ConflictError` where its state forbids it.

    Args:
        has_key: its destination takes an idempotency key.
    """

    def retrigger(transaction: Transaction) -> Delivery:
        delivery = lock_delivery(transaction, delivery_id)
        if why := forbids(delivery, force=asked.force):
            raise ConflictError(why)
        if asked.new_key and not (has_key and asked.force):
            raise ConflictError("`new_key` goes with `force`, at a destination that takes a key")
        if asked.new_key and delivery.state == State.WAITING:
            raise ConflictError("it is waiting: its key stays until its attempts have ended")
        requeue(transaction, delivery, asked, has_key=has_key)
        transaction.announce()
        return lock_delivery(transaction, delivery_id)

    return transact_once(database, retrigger, once)


def retrigger_event(
    database: Database,
    event: Event,
    asked: Asked,
    *,
    accounts: Mapping[str, str],
    keyed: set[str],
    once: Once | None = None,
) -> list[Retriggered]:
    """Make what the routes want now, and queue what is parked but `uncertain`. The rest is left unless forced.

    Args:
        accounts: account id to destination name, for every account whose routes want the event's topics.
        keyed: destinations with an idempotency key.
    """
    store, order_id = event.store, event.order_id

    def retrigger(transaction: Transaction) -> list[Retriggered]:
        if order_id is None:
            return []
        transaction.lock_orders([(store, order_id)])
        mine = select(deliveries).where(of_order(deliveries, store, order_id)).order_by(deliveries.c.id)
        present: list[Delivery] = read_rows(transaction.execute(mine.with_for_update()))
        done = [requeue_or_leave(transaction, one, asked, has_key=one.destination in keyed) for one in present]
        newest = transaction.execute(select_newest(store, order_id)).scalar_one_or_none()
        is_stopped = is_cancelled(transaction.connection, store, order_id) and not asked.force
        wanted = sorted(set(accounts) - {one.account for one in present})
        if is_stopped or newest is None or not wanted:
            return done
        overruled = {"overruled": newest_id(transaction, store, order_id)} if asked.force else {}
        rows = [
            new_delivery((store, order_id), account, accounts[account], event.order_number, newest, transaction.now)
            | overruled
            for account in wanted
        ]
        made = sorted(insert_deliveries(transaction, rows).values())
        for delivery_id in made:
            add_note(transaction, delivery_id, "retrigger", asked.note or "", asked.who)
        transaction.announce()
        return done + [Retriggered(id=id_, done="queued", why="made for the routes of now") for id_ in made]

    return transact_once(database, retrigger, once)


def requeue_or_leave(transaction: Transaction, delivery: Delivery, asked: Asked, *, has_key: bool) -> Retriggered:
    if why := forbids(delivery, force=asked.force):
        return Retriggered(id=row_id(delivery), done="left", why=why)
    why = f"it was {delivery.reason or delivery.state}"
    requeue(transaction, delivery, asked, has_key=has_key)
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


def requeue(transaction: Transaction, delivery: Delivery, asked: Asked, *, has_key: bool) -> None:
    """Let it wait anew, due now: with the newest version, or with the same bytes where an attempt may have landed."""
    now = transaction.now
    values: dict[str, Any] = {**fresh_start(now), "is_manual": True, "updated_at": now}
    is_doubtful = delivery.reason == Reason.UNCERTAIN or delivery.frozen_since is not None
    may_have_landed = delivery.state == State.DELIVERED or is_doubtful
    if delivery.state == State.WAITING:
        values = {"due_at": now, "is_manual": True, "updated_at": now}
    elif has_key and may_have_landed and delivery.body is not None and not asked.new_key:
        values["frozen_since"] = now
    else:
        values["frozen_since"] = None
        values["event_id"] = transaction.execute(select_newest(delivery.store, delivery.order_id)).scalar_one()
        if has_key and (asked.new_key or was_refused(transaction, delivery)):
            values["revision"] = delivery.revision + 1
    if asked.force:
        values["overruled"] = newest_id(transaction, delivery.store, delivery.order_id)
    transaction.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values))
    add_note(transaction, row_id(delivery), "retrigger", asked.note or "", asked.who)


def was_refused(transaction: Transaction, delivery: Delivery) -> bool:
    """True when its key stands for bytes that were surely refused, though it was discarded since."""
    last = select(attempts.c.outcome).where(
        attempts.c.delivery_id == delivery.id, attempts.c.number == delivery.attempts
    )
    is_last_refused = transaction.execute(last).scalar_one_or_none() == Outcome.REFUSED
    return delivery.reason == Reason.REFUSED or (delivery.state == State.DISCARDED and is_last_refused)


def resolve_delivery(
    database: Database,
    delivery_id: int,
    *,
    as_: str,
    remote_id: str | None,
    note: str | None,
    who: str,
    once: Once | None = None,
) -> Delivery:
    """Settle a parked delivery by a person's word. Raises `NotFoundError`, `ConflictError`."""

    def resolve(transaction: Transaction) -> Delivery:
        delivery = lock_delivery(transaction, delivery_id)
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
            "updated_at": transaction.now,
        }
        transaction.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))
        add_note(transaction, delivery_id, "resolve", note or "", who)
        return lock_delivery(transaction, delivery_id)

    return transact_once(database, resolve, once)


def lock_delivery(transaction: Transaction, delivery_id: int) -> Delivery:
    statement = select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()
    delivery: Delivery | None = read_row(transaction.execute(statement))
    if delivery is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return delivery


def newest_id(transaction: Transaction, store: str, order_id: str) -> int:
    """The id of the last event that came in for the order."""
    last: int = transaction.execute(select(func.max(events.c.id)).where(of_order(events, store, order_id))).scalar_one()
    return last
