"""What a person does to deliveries. Every action is one transaction, and leaves a note."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, func, select

from connector.core.exceptions import ConflictError, NotFoundError
from connector.core.messages import build_message, render_stored
from connector.database.deliveries import reset_values, update_delivery
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.models import Attempt, Delivery, Event, Reason, State
from connector.database.order_batch import insert_deliveries, new_delivery
from connector.database.orders import add_note, is_cancelled, load_erased, matches_order, select_newest
from mappings.destination import Outcome
from mappings.problems import Problem

#: Why a delivery may not be queued again, by its state or reason, unless `force` is used.
REFUSALS: Mapping[str, Problem] = {
    State.DELIVERED: build_message("already_delivered"),
    State.DISCARDED: build_message("already_discarded"),
    Reason.UNCERTAIN: build_message("is_uncertain"),
}
ERASED = build_message("order_erased")
#: Why a delivery may not be marked as delivered or discarded, by its state.
NOT_RESOLVED: Mapping[str, str] = {
    State.WAITING: "still_waiting",
    State.SENDING: "being_sent",
    State.DELIVERED: "is_delivered",
    State.DISCARDED: "is_discarded",
}
#: What a delivery was when it was queued again, by its reason, or else its state.
PREVIOUS_STATES: Mapping[str, Problem] = {
    State.WAITING: build_message("was_waiting"),
    State.DELIVERED: build_message("was_delivered"),
    Reason.UNMAPPABLE: build_message("was_unmappable"),
    Reason.REFUSED: build_message("was_refused"),
    Reason.UNCERTAIN: build_message("was_uncertain"),
    Reason.EXHAUSTED: build_message("was_exhausted"),
    Reason.HELD: build_message("was_held"),
    Reason.CANCELLED: build_message("was_cancelled"),
    Reason.FILTERED: build_message("was_filtered"),
    Reason.BY_HAND: build_message("was_discarded_by_hand"),
    Reason.EXPIRED: build_message("was_expired"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriggerResult:
    """What was done for one account: its delivery was queued, or nothing was done."""

    account: str
    id: int | None  # None: there is no delivery, and none was created
    done: str  # "queued" or "left"
    why: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriggerRequest:
    """A person's request to queue deliveries again.

    Args:
        force: even if that may create a second order, or the order was cancelled or filtered.
        new_key: use a new idempotency key, since no earlier attempt was processed.
        looked: the person looked at the destination, where the order is not.
    """

    actor: str
    note: str | None = None
    force: bool = False
    new_key: bool = False
    looked: bool = False


def retrigger_delivery(
    database: Database,
    delivery_id: int,
    request: RetriggerRequest,
    *,
    supports_idempotency: bool,
    idempotency: IdempotentRequest | None = None,
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, or `ConflictError` if its state forbids it.

    Args:
        supports_idempotency: whether its destination takes an idempotency key.
    """

    def retrigger(transaction: Transaction) -> Delivery:
        delivery = lock_delivery(transaction, delivery_id)
        if refusal := find_refusal(delivery, force=request.force, looked=request.looked):
            raise ConflictError(render_stored(refusal))
        if request.new_key and not (supports_idempotency and request.force):
            raise ConflictError("`new_key` needs `force` and a destination with idempotency keys")
        if request.new_key and delivery.state == State.WAITING:
            raise ConflictError("it is waiting: its key cannot change until its attempts have ended")
        requeue(
            transaction,
            delivery,
            request,
            supports_idempotency=supports_idempotency,
            ignores_routes=request.force,
        )
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
    excluded: Mapping[str, Problem],
    named_account: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> list[RetriggerResult]:
    """Create the deliveries that the routes want now, and queue the existing ones whose state allows it.

    Args:
        accounts: account id to destination name, for the accounts whose routes take the event's topics.
        excluded: account id to the reason, for the accounts whose routes exclude the order.
        named_account: do it only for this account of `accounts`, whatever its routes say.
        destinations_with_idempotency: destinations that take an idempotency key.
    """
    store, order_id = event.store, event.order_id

    def retrigger(transaction: Transaction) -> list[RetriggerResult]:
        if order_id is None:
            return []
        transaction.lock_orders([(store, order_id)])
        statement = select(Delivery).where(matches_order(Delivery, store, order_id)).order_by(col(Delivery.id))
        existing = transaction.load_all(statement.with_for_update())
        if named_account is not None:
            existing = [delivery for delivery in existing if delivery.account == named_account]
        results = [
            RetriggerResult(account=delivery.account, id=delivery.id, done="left", why=excluded[delivery.account])
            if delivery.account in excluded
            else requeue_or_skip(
                transaction,
                delivery,
                request,
                supports_idempotency=delivery.destination in destinations_with_idempotency,
                ignores_routes=named_account is not None,
            )
            for delivery in existing
        ]
        newest_id = transaction.load_one(select_newest(store, order_id))
        is_blocked = is_cancelled(transaction.connection, store, order_id) and not request.force
        missing_accounts = sorted(set(accounts) - {delivery.account for delivery in existing})
        left = dict(excluded)
        if load_erased(transaction.connection, [(store, order_id)]):
            left |= dict.fromkeys(missing_accounts, ERASED)
        elif is_blocked or newest_id is None:
            left |= dict.fromkeys(missing_accounts, build_message("order_cancelled" if is_blocked else "order_deleted"))
        results += [
            RetriggerResult(account=account, id=None, done="left", why=left[account])
            for account in missing_accounts
            if account in left
        ]
        missing_accounts = [account for account in missing_accounts if account not in left]
        if newest_id is None or not missing_accounts:
            return results
        rows = [
            new_delivery((store, order_id), account, accounts[account], event.order_number, newest_id, transaction.now)
            for account in missing_accounts
        ]
        created = {account: id_ for (account, _, _), id_ in insert_deliveries(transaction, rows).items()}
        override: dict[str, Any] = {"ignores_routes": named_account is not None}
        if request.force:
            override |= {"override_event_id": last_event_id(transaction, store, order_id), "is_forced": True}
        for delivery_id in sorted(created.values()):
            update_delivery(transaction, delivery_id, override)
            add_note(transaction, delivery_id, "retrigger", request.note or "", request.actor)
        transaction.notify()
        why = build_message("created_for_route" if named_account is None else "created_for_account")
        return results + [
            RetriggerResult(account=account, id=id_, done="queued", why=why) for account, id_ in sorted(created.items())
        ]

    return transact_idempotently(database, retrigger, idempotency)


def requeue_or_skip(
    transaction: Transaction,
    delivery: Delivery,
    request: RetriggerRequest,
    *,
    supports_idempotency: bool,
    ignores_routes: bool,
) -> RetriggerResult:
    refusal = find_refusal(delivery, force=request.force, looked=request.looked)
    if refusal is not None:
        return RetriggerResult(account=delivery.account, id=delivery.id, done="left", why=refusal)
    why = PREVIOUS_STATES[delivery.reason or delivery.state]
    requeue(transaction, delivery, request, supports_idempotency=supports_idempotency, ignores_routes=ignores_routes)
    return RetriggerResult(account=delivery.account, id=delivery.id, done="queued", why=why)


def find_refusal(delivery: Delivery, *, force: bool, looked: bool = False) -> Problem | None:
    """Why a delivery may not be queued again; None if it may."""
    return retrigger_refusal(
        delivery.state,
        delivery.reason,
        force=force,
        looked=looked,
        is_erased=delivery.erased_at is not None,
        may_be_sent=bool(delivery.sent_before_restore),
    )


def retrigger_refusal(
    state: str,
    reason: str | None,
    *,
    force: bool,
    looked: bool = False,
    is_erased: bool = False,
    may_be_sent: bool = False,
) -> Problem | None:
    """Like `find_refusal`, of the columns that decide."""
    if is_erased:
        return ERASED
    if state == State.SENDING:
        return build_message("being_sent")
    if force or (looked and reason in (Reason.UNCERTAIN, Reason.HELD)):
        return None
    if reason == Reason.HELD and may_be_sent:
        return build_message("held_since_restore")
    return REFUSALS.get(state) or REFUSALS.get(reason or "")


def requeue(
    transaction: Transaction,
    delivery: Delivery,
    request: RetriggerRequest,
    *,
    supports_idempotency: bool,
    ignores_routes: bool,
) -> None:
    """Queue a delivery, due now, and record who did it."""
    queue_again(
        transaction, delivery, request, supports_idempotency=supports_idempotency, ignores_routes=ignores_routes
    )
    add_note(transaction, delivery.id, "retrigger", request.note or "", request.actor)


def queue_again(
    transaction: Transaction,
    delivery: Delivery,
    request: RetriggerRequest,
    *,
    supports_idempotency: bool,
    ignores_routes: bool,
) -> None:
    """Queue a delivery, due now.

    It gets the newest version of its order, or keeps its bytes if an attempt may have been processed.

    Args:
        ignores_routes: no route has to accept the order any more.
    """
    now = transaction.now
    values: dict[str, Any] = {**reset_values(now), "is_manual": True, "updated_at": now}
    is_doubtful = delivery.reason == Reason.UNCERTAIN or delivery.locked_since is not None
    are_bytes_lost = delivery.body is None and delivery.idempotency_key is not None  # they were pruned
    may_have_landed = delivery.state == State.DELIVERED or is_doubtful
    is_checked = request.force or request.looked
    if is_checked and delivery.sent_before_restore:
        values["sent_before_restore"] = False
    if delivery.state == State.WAITING:
        values = {"due_at": now, "is_manual": True, "updated_at": now}
    elif supports_idempotency and may_have_landed and delivery.body is not None and not request.new_key:
        values["locked_since"] = now
    elif supports_idempotency and delivery.sent_before_restore and not request.new_key and is_checked:
        # The destination says whether it has this key, and with the same content.
        values |= {"locked_since": now, "body": None, "idempotency_key": None}
        values["event_id"] = transaction.load_one(select_newest(delivery.store, delivery.order_id))
        if was_refused(transaction, delivery):
            values["revision"] = delivery.revision + 1
    elif supports_idempotency and is_doubtful and are_bytes_lost and not request.new_key:  # it will be parked again
        values["locked_since"] = delivery.locked_since or now
    else:
        values["locked_since"] = None
        values["event_id"] = transaction.load_one(select_newest(delivery.store, delivery.order_id))
        if supports_idempotency and (request.new_key or was_refused(transaction, delivery)):
            values["revision"] = delivery.revision + 1
    if request.force or delivery.reason == Reason.HELD:
        values["override_event_id"] = last_event_id(transaction, delivery.store, delivery.order_id)
    if request.force:
        values["is_forced"] = True
    if ignores_routes:
        values["ignores_routes"] = True
    update_delivery(transaction, delivery.id, values)


def was_refused(transaction: Transaction, delivery: Delivery) -> bool:
    """True if the bytes of its idempotency key were certainly refused, even if it was discarded or held since."""
    last_outcome = transaction.load_one(
        select(Attempt.outcome).where(Attempt.delivery_id == delivery.id, Attempt.number == delivery.attempts)
    )
    is_last_refused = last_outcome == Outcome.REFUSED
    may_hide_refusal = delivery.state == State.DISCARDED or delivery.reason == Reason.HELD
    return delivery.reason == Reason.REFUSED or (may_hide_refusal and is_last_refused)


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
    """Mark a parked delivery as delivered or discarded. Raises `NotFoundError`, `ConflictError`."""

    def resolve(transaction: Transaction) -> Delivery:
        delivery = lock_delivery(transaction, delivery_id)
        if resolve_refusal(delivery.state, new_state) is not None:
            raise ConflictError(f"it is {delivery.state}: only parked deliveries can be resolved")
        apply_resolution(transaction, delivery, new_state=new_state, remote_id=remote_id, note=note, actor=actor)
        return lock_delivery(transaction, delivery_id)

    return transact_idempotently(database, resolve, idempotency)


def resolve_refusal(state: str, new_state: str) -> Problem | None:
    """Why a delivery may not be marked as delivered or discarded; None if it may."""
    if state == State.PARKED or (state == State.WAITING and new_state == State.DISCARDED):
        return None
    return build_message(NOT_RESOLVED[state])


def apply_resolution(
    transaction: Transaction,
    delivery: Delivery,
    *,
    new_state: str,
    remote_id: str | None,
    note: str | None,
    actor: str,
) -> None:
    values = {
        "state": new_state,
        "reason": Reason.BY_HAND if new_state == State.DISCARDED else None,
        "remote_id": remote_id or delivery.remote_id,
        "due_at": None,
        "claimed_by": None,
        "claim_expires_at": None,
        "updated_at": transaction.now,
    }
    update_delivery(transaction, delivery.id, values)
    add_note(transaction, delivery.id, "resolve", note or "", actor)


def lock_delivery(transaction: Transaction, delivery_id: int) -> Delivery:
    """Raises `NotFoundError`."""
    delivery = transaction.load_one(select(Delivery).where(Delivery.id == delivery_id).with_for_update())
    if delivery is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return delivery


def last_event_id(transaction: Transaction, store: str, order_id: str) -> int | None:
    """The id of the last event of the order."""
    return transaction.load_one(select(func.max(Event.id)).where(matches_order(Event, store, order_id)))
