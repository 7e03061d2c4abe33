"""What a person does to deliveries. Every act is one transaction, is noted, and says why when the state forbids it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from connector.core.exceptions import ConflictError, NotFoundError
from connector.database.deliveries import reset_values
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.models import Delivery, Event, Reason, State, attempts, deliveries, events, read_row, read_rows
from connector.database.order_batch import insert_deliveries, new_delivery
from connector.database.orders import add_note, is_cancelled, matches_order, row_id, select_newest
from mappings.destination import Outcome

#: States that a person leaves only with `force`: sending again may make a second order.
NEEDS_FORCE = {State.DELIVERED, State.DISCARDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriggerResult:
    id: int
    done: str  # "queued" or "left"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriggerRequest:
    """What a person asks for, and who that is.

    Args:
        force: go on although it may make a second order, or the order was cancelled or filtered.
        new_key: no earlier attempt was processed, so the key's revision grows.
    """

    actor: str
    note: str | None = None
    force: bool = False
    new_key: bool = False


def retrigger_delivery(
    database: Database,
    delivery_id: int,
    request: RetriggerRequest,
    *,
    supports_idempotency: bool,
    idempotency: IdempotentRequest | None = None,
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, or `ConflictError` where its state forbids it.

    Args:
        has_key: its destination takes an idempotency key.
    """

    def retrigger(transaction: Transaction) -> Delivery:
        delivery = lock_delivery(transaction, delivery_id)
        if refusal := retrigger_refusal(delivery, force=request.force):
            raise ConflictError(refusal)
        if request.new_key and not (supports_idempotency and request.force):
            raise ConflictError("`new_key` goes with `force`, at a destination that takes a key")
        if request.new_key and delivery.state == State.WAITING:
            raise ConflictError("it is waiting: its key stays until its attempts have ended")
        requeue(transaction, delivery, request, supports_idempotency=supports_idempotency)
        transaction.notify()
        return lock_delivery(transaction, delivery_id)

    return transact_idempotently(database, retrigger, idempotency)


def retrigger_event(
    database: Database,
    event: Event,
    request: RetriggerRequest,
    *,
    accounts: Mapping[str, str],
    destinations_with_idempotency: set[str],
    idempotency: IdempotentRequest | None = None,
) -> list[RetriggerResult]:
    """Make what the routes want now, and queue what is parked but `uncertain`. The rest is left unless forced.

    Args:
        accounts: account id to destination name, for every account whose routes want the event's topics.
        keyed: destinations with an idempotency key.
    """
    store, order_id = event.store, event.order_id

    def retrigger(transaction: Transaction) -> list[RetriggerResult]:
        if order_id is None:
            return []
        transaction.lock_orders([(store, order_id)])
        statement = select(deliveries).where(matches_order(deliveries, store, order_id)).order_by(deliveries.c.id)
        existing: list[Delivery] = read_rows(transaction.execute(statement.with_for_update()))
        results = [
            requeue_or_skip(
                transaction,
                delivery,
                request,
                supports_idempotency=delivery.destination in destinations_with_idempotency,
            )
            for delivery in existing
        ]
        newest = transaction.execute(select_newest(store, order_id)).scalar_one_or_none()
        is_blocked = is_cancelled(transaction.connection, store, order_id) and not request.force
        missing_accounts = sorted(set(accounts) - {delivery.account for delivery in existing})
        if is_blocked or newest is None or not missing_accounts:
            return results
        override = {"override_event_id": last_event_id(transaction, store, order_id)} if request.force else {}
        rows = [
            new_delivery((store, order_id), account, accounts[account], event.order_number, newest, transaction.now)
            | override
            for account in missing_accounts
        ]
        created_ids = sorted(insert_deliveries(transaction, rows).values())
        for delivery_id in created_ids:
            add_note(transaction, delivery_id, "retrigger", request.note or "", request.actor)
        transaction.notify()
        return results + [
            RetriggerResult(id=id_, done="queued", why="made for the routes of now") for id_ in created_ids
        ]

    return transact_idempotently(database, retrigger, idempotency)


def requeue_or_skip(
    transaction: Transaction, delivery: Delivery, request: RetriggerRequest, *, supports_idempotency: bool
) -> RetriggerResult:
    if reason := retrigger_refusal(delivery, force=request.force):
        return RetriggerResult(id=row_id(delivery), done="left", why=reason)
    reason = f"it was {delivery.reason or delivery.state}"
    requeue(transaction, delivery, request, supports_idempotency=supports_idempotency)
    return RetriggerResult(id=row_id(delivery), done="queued", why=reason)


def retrigger_refusal(delivery: Delivery, *, force: bool) -> str | None:
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
    transaction: Transaction, delivery: Delivery, request: RetriggerRequest, *, supports_idempotency: bool
) -> None:
    """Let it wait anew, due now: with the newest version, or with the same bytes where an attempt may have landed."""
    now = transaction.now
    values: dict[str, Any] = {**reset_values(now), "is_manual": True, "updated_at": now}
    is_doubtful = delivery.reason == Reason.UNCERTAIN or delivery.locked_since is not None
    may_have_landed = delivery.state == State.DELIVERED or is_doubtful
    if delivery.state == State.WAITING:
        values = {"due_at": now, "is_manual": True, "updated_at": now}
    elif supports_idempotency and may_have_landed and delivery.body is not None and not request.new_key:
        values["locked_since"] = now
    else:
        values["locked_since"] = None
        values["event_id"] = transaction.execute(select_newest(delivery.store, delivery.order_id)).scalar_one()
        if supports_idempotency and (request.new_key or was_refused(transaction, delivery)):
            values["revision"] = delivery.revision + 1
    if request.force:
        values["override_event_id"] = last_event_id(transaction, delivery.store, delivery.order_id)
    transaction.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values))
    add_note(transaction, row_id(delivery), "retrigger", request.note or "", request.actor)


def was_refused(transaction: Transaction, delivery: Delivery) -> bool:
    """True when its key stands for bytes that were surely refused, though it was discarded since."""
    last_outcome = select(attempts.c.outcome).where(
        attempts.c.delivery_id == delivery.id, attempts.c.number == delivery.attempts
    )
    is_last_refused = transaction.execute(last_outcome).scalar_one_or_none() == Outcome.REFUSED
    return delivery.reason == Reason.REFUSED or (delivery.state == State.DISCARDED and is_last_refused)


def resolve_delivery(
    database: Database,
    delivery_id: int,
    *,
    new_state: str,
    remote_id: str | None,
    note: str | None,
    actor: str,
    idempotency: IdempotentRequest | None = None,
) -> Delivery:
    """Settle a parked delivery by a person's word. Raises `NotFoundError`, `ConflictError`."""

    def resolve(transaction: Transaction) -> Delivery:
        delivery = lock_delivery(transaction, delivery_id)
        may_discard = delivery.state == State.WAITING and new_state == State.DISCARDED
        if delivery.state != State.PARKED and not may_discard:
            raise ConflictError(f"it is {delivery.state}: only what is parked can be resolved")
        values = {
            "state": new_state,
            "reason": Reason.BY_HAND if new_state == State.DISCARDED else None,
            "remote_id": remote_id or delivery.remote_id,
            "due_at": None,
            "claimed_by": None,
            "claim_expires_at": None,
            "updated_at": transaction.now,
        }
        transaction.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))
        add_note(transaction, delivery_id, "resolve", note or "", actor)
        return lock_delivery(transaction, delivery_id)

    return transact_idempotently(database, resolve, idempotency)


def lock_delivery(transaction: Transaction, delivery_id: int) -> Delivery:
    statement = select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()
    delivery: Delivery | None = read_row(transaction.execute(statement))
    if delivery is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return delivery


def last_event_id(transaction: Transaction, store: str, order_id: str) -> int:
    """The id of the last event that came in for the order."""
    last_id: int = transaction.execute(
        select(func.max(events.c.id)).where(matches_order(events, store, order_id))
    ).scalar_one()
    return last_id
