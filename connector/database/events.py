"""Records events, and keeps each order's deliveries up to date with its newest event."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from sqlalchemy import ColumnElement, and_, update
from sqlmodel import col

from connector.core.messages import build_message
from connector.database.deliveries import held_values, reset_values
from connector.database.engine import Database, Transaction
from connector.database.models import Event, EventSource, Reason, State
from connector.database.order_batch import OrderBatch, OrderDelivery, OrderKey
from connector.database.orders import (
    CAME_BACK,
    CAME_BACK_AFTER_DELETION,
    CAME_BACK_AFTER_SENDING,
    CANCELLED_AFTER_SENDING,
    MAX_EVENT_ID,
    EventSummary,
    cancellation_values,
    is_doubtful_deletion,
    last_deletion_id,
    load_erased,
    may_have_been_processed,
    version_since_deletion,
)
from connector.database.privacy_requests import record_erased_order
from connector.database.sql.run import insert_rows
from connector.database.sql.statements import INSERT_EVENTS
from connector.database.store_errors import record_store_errors
from mappings.problems import Problem, dump_problems
from mappings.storefront import WebhookIdentity

CANCELLED = build_message("cancelled_order")
CANCELLED_BEFORE = build_message("cancelled_before")
NO_LONGER_CANCELLED = build_message("no_longer_cancelled")
NO_ROUTE = build_message("no_route_for_topic")
NO_ROUTE_UNPAID = build_message("no_route_for_unpaid")
NO_ORDER = build_message("order_not_named")
ERASED = build_message("order_erased")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingWebhook:
    """A webhook, as received."""

    store: str  # its id
    identity: WebhookIdentity
    body: bytes
    accounts: Mapping[str, str]  # account id to destination name, for the accounts whose routes take its topics
    can_undo_cancellation: bool = False  # whether an order that the store cancelled can come back there
    traceparent: str | None = None
    source: EventSource = EventSource.WEBHOOK
    is_erased: bool = False  # its order's personal data was erased, so it has no content

    @property
    def key(self) -> tuple[str, str]:
        return self.store, self.identity.event_key

    @property
    def order_key(self) -> OrderKey | None:
        """The order that it is about. None if it is ignored."""
        if self.identity.ignore_reason or self.identity.order_id is None:
            return None
        return self.store, self.identity.order_id

    @property
    def deleted_order(self) -> OrderKey | None:
        """The order that it deletes, if that can come back, and be deleted again with the same bytes."""
        can_come_back = self.can_undo_cancellation and not self.is_erased
        return self.order_key if can_come_back and not self.identity.has_order else None

    @property
    def store_error(self) -> tuple[str, str, bool] | None:
        """The error that the store sends in place of an order, as `record_store_errors` takes it."""
        error = self.identity.store_error
        return (self.store, error.reason.code, error.is_of_one_order) if error else None

    @property
    def is_accepted(self) -> bool:
        """Whether it is about an order. Then the order's routes and state decide."""
        return self.order_key is not None and not self.is_erased

    @property
    def ignore_reason(self) -> Problem:
        """Why it is ignored, unless it is accepted."""
        return ERASED if self.is_erased else self.identity.ignore_reason or NO_ORDER


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWebhook:
    status: str  # "accepted", "duplicate" or "ignored"
    event_id: int
    reason: Problem | None = None  # why it is ignored


def record_event(
    database: Database,
    *,
    store: str,
    identity: WebhookIdentity,
    body: bytes,
    accounts: Mapping[str, str],
    can_undo_cancellation: bool = False,
    traceparent: str | None = None,
    source: EventSource = EventSource.WEBHOOK,
) -> RecordedWebhook:
    """Record one webhook and its deliveries in one transaction. They are on disk when this returns."""
    webhook = IncomingWebhook(
        store=store,
        identity=identity,
        body=body,
        accounts=accounts,
        can_undo_cancellation=can_undo_cancellation,
        traceparent=traceparent,
        source=source,
    )
    return database.commit(record_events, webhook)


def record_events(transaction: Transaction, webhooks: Sequence[IncomingWebhook]) -> list[RecordedWebhook]:
    """Record webhooks as if they had arrived one after another, in the order of their keys. Returns their results."""
    orders = {webhook.order_key for webhook in webhooks if webhook.order_key}
    transaction.lock_orders(list(orders))
    webhooks = without_erased_content(transaction, webhooks, orders)
    indexes = sorted(range(len(webhooks)), key=lambda index: webhooks[index].key)
    ids = insert_events(transaction, [webhooks[index] for index in indexes])
    new: list[tuple[int, int]] = []
    repeated: list[int] = []
    deletions: list[tuple[int, OrderKey]] = []
    for index in indexes:
        event_id = ids.pop(webhooks[index].key, None)  # of two with the same key, the first is the event
        if event_id is not None:
            new.append((event_id, index))
        elif order := webhooks[index].deleted_order:
            deletions.append((index, order))
        else:
            repeated.append(index)
    recorded = {index: count_duplicate(transaction, is_event(webhooks[index])) for index in repeated}
    changed_orders = [
        webhooks[index].order_key
        for index in repeated
        if webhooks[index].identity.refetch_on_duplicate and not webhooks[index].is_erased
    ]
    new_orders = [webhooks[index].order_key for _, index in new]
    changed = {order for order in [*changed_orders, *new_orders, *(order for _, order in deletions)] if order}
    batch = OrderBatch(
        transaction, changed, before_event_id=min((event_id for event_id, _ in new), default=MAX_EVENT_ID)
    )
    for event_id, index in sorted(new):
        recorded[index] = apply_event(batch, webhooks[index], event_id)
    for index, order in deletions:
        recorded[index] = record_repeated_deletion(batch, webhooks[index], order)
    for order in changed_orders:
        reschedule(batch, order)
    batch.write()
    for _, index in sorted(new):
        if erased_order_id := webhooks[index].identity.erased_order_id:
            record_erased_order(transaction, webhooks[index].store, erased_order_id)
    record_store_errors(transaction, [error for webhook in webhooks if (error := webhook.store_error)])
    return [recorded[index] for index in range(len(webhooks))]


def without_erased_content(
    transaction: Transaction, webhooks: Sequence[IncomingWebhook], orders: Collection[OrderKey]
) -> Sequence[IncomingWebhook]:
    """Return the webhooks, those of erased orders without anything that could be personal."""
    erased = load_erased(transaction.connection, orders)
    return [
        replace(webhook, body=b"", identity=replace(webhook.identity, warnings=()), accounts={}, is_erased=True)
        if webhook.order_key in erased
        else webhook
        for webhook in webhooks
    ]


def insert_events(transaction: Transaction, webhooks: Sequence[IncomingWebhook]) -> dict[tuple[str, str], int]:
    """Insert the events whose key is new, which the unique index decides. Returns ids by key."""
    rows = [
        {
            "store": webhook.store,
            "event_key": webhook.identity.event_key,
            "topic": webhook.identity.topic,
            "topics": sorted(webhook.identity.topics),
            "order_id": webhook.order_key and webhook.order_key[1],
            "order_number": webhook.identity.order_number,
            "source_updated_at": webhook.identity.source_updated_at or transaction.now,
            "received_at": transaction.now,
            "source": webhook.source,
            "status": "accepted" if webhook.is_accepted else "ignored",
            "reason": None if webhook.is_accepted else webhook.ignore_reason.to_json(),
            "warnings": dump_problems(webhook.identity.warnings),
            "has_order": webhook.identity.has_order and webhook.identity.ignore_reason is None,
            "is_paid": "paid" in webhook.identity.topics,
            "undoes_deletion": webhook.identity.undoes_deletion,
            "accounts": sorted(webhook.accounts) if webhook.order_key else [],
            "traceparent": webhook.traceparent,
            "body": b"" if webhook.identity.erased_order_id else webhook.body,  # it may still have some of the data
        }
        for webhook in webhooks
    ]
    inserted = insert_rows(transaction.connection, INSERT_EVENTS, rows)
    return {(store, event_key): event_id for store, event_key, event_id in inserted}


def is_event(webhook: IncomingWebhook) -> ColumnElement[bool]:
    store, event_key = webhook.key
    return and_(col(Event.store) == store, col(Event.event_key) == event_key)


def count_duplicate(transaction: Transaction, condition: ColumnElement[bool]) -> RecordedWebhook:
    counted = (
        update(Event)
        .where(condition)
        .values(duplicates=col(Event.duplicates) + 1, repeated_at=transaction.now)
        .returning(col(Event.id))
    )
    return RecordedWebhook(status="duplicate", event_id=transaction.execute(counted).scalar_one())


def record_repeated_deletion(batch: OrderBatch, webhook: IncomingWebhook, order: OrderKey) -> RecordedWebhook:
    """Record a deletion with the bytes of an earlier one: as a new event if the order has come back since then."""
    events = batch.events[order]
    version = version_since_deletion(events)
    if version is None:
        return count_duplicate(batch.transaction, col(Event.id) == last_deletion_id(events))
    # The key names the version, so that a repeat of this deletion is a duplicate again.
    identity = replace(webhook.identity, event_key=f"{webhook.identity.event_key}:after:{version.id}")
    deletion = replace(webhook, identity=identity)
    event_id = insert_events(batch.transaction, [deletion])[deletion.key]
    return apply_event(batch, deletion, event_id)


def apply_event(batch: OrderBatch, webhook: IncomingWebhook, event_id: int) -> RecordedWebhook:
    """Apply one new event to its order's deliveries."""
    identity, order = webhook.identity, webhook.order_key
    if order is None:
        return RecordedWebhook(status="ignored", event_id=event_id, reason=webhook.ignore_reason)
    if webhook.is_erased:
        return apply_to_erased(batch, webhook, order, event_id)
    event = EventSummary(
        id=event_id,
        source_updated_at=identity.source_updated_at or batch.now,
        is_paid="paid" in identity.topics,
        has_order=identity.has_order,
        is_cancellation=False,
        undoes_deletion=identity.undoes_deletion,
    )
    if event.undoes_deletion and not is_newer_than_deleted(batch, order, event):
        # Only a header, which is not signed, says that it undoes a deletion: an old body could be posted with it.
        batch.change_event(event, undoes_deletion=False)
    if identity.is_cancellation and not is_undone(batch, order, event):
        batch.change_event(event, is_cancellation=True)
        is_doubtful = is_doubtful_deletion(event, batch.events[order])
        for delivery in batch.deliveries[order]:
            cancel_delivery(batch, delivery, is_doubtful=is_doubtful)
    batch.events[order].append(event)
    standing, held_because = judge_standing(batch, webhook, event)
    if standing is Standing.REVIVED:
        revive(batch, order)
    if standing is Standing.HELD and held_because:
        hold(batch, webhook, event, held_because)
    elif standing is not Standing.CANCELLED:
        batch.add_deliveries(order, identity.order_number, webhook.accounts)
    if batch.newest_event(order) is event:
        apply_newest(batch, order, event)
    if batch.deliveries[order]:
        return RecordedWebhook(status="accepted", event_id=event_id)
    reason = NO_ROUTE_UNPAID if identity.is_unpaid else NO_ROUTE
    if standing is Standing.CANCELLED:
        reason = CANCELLED if identity.is_cancellation else CANCELLED_BEFORE
    batch.change_event(event, status="ignored", reason=reason.to_json())
    return RecordedWebhook(status="ignored", event_id=event_id, reason=reason)


def apply_to_erased(batch: OrderBatch, webhook: IncomingWebhook, order: OrderKey, event_id: int) -> RecordedWebhook:
    """Send nothing of an erased order any more. That it is cancelled is still an alert for what was delivered."""
    if webhook.identity.is_cancellation:
        for delivery in batch.deliveries[order]:
            if delivery.state == State.DELIVERED:
                batch.add_alert(delivery, CANCELLED_AFTER_SENDING)
    return RecordedWebhook(status="ignored", event_id=event_id, reason=ERASED)


class Standing(Enum):
    """What an order is after an event."""

    NORMAL = auto()
    CANCELLED = auto()
    REVIVED = auto()  # it was cancelled, and this version undoes that
    HELD = auto()  # it was cancelled, and a person must decide about this version


def is_newer_than_deleted(batch: OrderBatch, order: OrderKey, event: EventSummary) -> bool:
    """True if the event's version is newer than all that were known when the order was deleted, if it was."""
    deletion_ids = [other.id for other in batch.events[order] if other.is_cancellation and not other.has_order]
    deleted = [other for other in batch.events[order] if other.has_order and other.id < max(deletion_ids, default=0)]
    return all(other.source_updated_at < event.source_updated_at for other in deleted)


def is_undone(batch: OrderBatch, order: OrderKey, cancellation: EventSummary) -> bool:
    """True if a newer version of the order is known, so that the cancellation comes too late to count.

    A deletion with a known one before it is a later one, which the version that undid the first does not undo.
    """
    events = batch.events[order]
    if any(not other.has_order for other in events) and not cancellation.has_order:
        return False
    newest = batch.newest_event(order)
    is_restored = newest is not None and newest.is_paid and any(is_new_restoration(other, events) for other in events)
    if is_restored and not cancellation.has_order:
        return True
    return any(other.has_order and other.source_updated_at > cancellation.source_updated_at for other in events)


def is_new_restoration(event: EventSummary, events: Sequence[EventSummary]) -> bool:
    """True if the event says that a deletion was undone, with a version newer than all that came before it.

    An old body could be posted as such before there is a deletion.
    """
    earlier = [other for other in events if other.has_order and other.id < event.id]
    return event.undoes_deletion and all(other.source_updated_at < event.source_updated_at for other in earlier)


def judge_standing(batch: OrderBatch, webhook: IncomingWebhook, event: EventSummary) -> tuple[Standing, Problem | None]:
    """Return what the order is after this event, and why a person must decide."""
    order = webhook.order_key
    if order is None:
        return Standing.NORMAL, None
    cancellations = [other for other in batch.events[order] if other.is_cancellation]
    was_fetched_cancelled = any(delivery.reason == Reason.CANCELLED for delivery in batch.deliveries[order])
    if not cancellations and not was_fetched_cancelled:
        return Standing.NORMAL, None
    is_wanted = (event.is_paid or webhook.accounts) and not webhook.identity.is_cancellation
    if not is_wanted or batch.newest_event(order) is not event:
        return Standing.CANCELLED if cancellations else Standing.NORMAL, None
    newer_cancellations = [other for other in cancellations if not event.is_newer_than(other)]
    if newer_cancellations:
        if webhook.can_undo_cancellation and not any(other.has_order for other in newer_cancellations):
            return Standing.HELD, CAME_BACK_AFTER_DELETION
        return Standing.CANCELLED, None
    if not (webhook.can_undo_cancellation and event.is_paid):
        return Standing.HELD, CAME_BACK
    if may_have_been_processed(batch.transaction, *order):
        return Standing.HELD, CAME_BACK_AFTER_SENDING
    return Standing.REVIVED, None


def revive(batch: OrderBatch, order: OrderKey) -> None:
    """Undo the cancellations of the order: its deliveries are queued again."""
    for event in batch.events[order]:
        if event.is_cancellation:
            batch.change_event(event, is_cancellation=False)
    for delivery in batch.deliveries[order]:
        if delivery.reason == Reason.CANCELLED:
            batch.change_delivery(delivery, **reset_values(batch.now))


def hold(batch: OrderBatch, webhook: IncomingWebhook, event: EventSummary, reason: Problem) -> None:
    """Have a person decide about an order that was cancelled, and is not any more."""
    order = webhook.order_key
    if order is None:
        return
    for delivery in batch.deliveries[order]:
        if delivery.reason == Reason.CANCELLED and (event.is_paid or delivery.account in webhook.accounts):
            batch.change_delivery(delivery, event_id=event.id, **held_values(reason))
        elif delivery.state in (State.SENDING, State.DELIVERED) or delivery.reason == Reason.UNCERTAIN:
            batch.add_alert(delivery, NO_LONGER_CANCELLED)
    batch.add_deliveries(order, webhook.identity.order_number, webhook.accounts, held_because=reason)


def cancel_delivery(batch: OrderBatch, delivery: OrderDelivery, *, is_doubtful: bool) -> None:
    values, alert = cancellation_values(
        state=delivery.state,
        reason=delivery.reason,
        locked_since=delivery.locked_since,
        is_doubtful=is_doubtful,
        may_be_sent=delivery.may_be_sent,
    )
    if values:
        batch.change_delivery(delivery, **values)
    if alert:
        batch.add_alert(delivery, alert)


def apply_newest(batch: OrderBatch, order: OrderKey, event: EventSummary) -> None:
    """Bring the order's deliveries to its newest event. One that is `sending` follows when its attempt ends."""
    for delivery in batch.deliveries[order]:
        is_following = delivery.state == State.WAITING or accepts_newer_version(delivery)
        if is_following and delivery.locked_since is None and delivery.event_id != event.id:
            batch.change_delivery(delivery, event_id=event.id)
    reschedule(batch, order)


def accepts_newer_version(delivery: OrderDelivery) -> bool:
    return retries_on_update(delivery) or delivery.reason in (Reason.REFUSED, Reason.EXHAUSTED, Reason.HELD)


def retries_on_update(delivery: OrderDelivery) -> bool:
    """True if it is retried when a newer version of its order arrives."""
    return delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED)


def reschedule(batch: OrderBatch, order: OrderKey | None) -> None:
    """Make deliveries due at once that wait, could not be mapped, or were filtered or held: the order may have changed.

    Those of a cancelled order stay held. What was sent is compared with the order as it is now.
    """
    is_order_cancelled = any(event.is_cancellation for event in batch.events[order]) if order else False
    for delivery in batch.deliveries[order] if order else []:
        if delivery.state in (State.SENDING, State.DELIVERED):
            batch.compare_delivery(delivery)
        if delivery.locked_since is not None:
            continue
        if delivery.state == State.WAITING:
            batch.change_delivery(delivery, due_at=batch.now)
        elif retries_on_update(delivery) or (delivery.reason == Reason.HELD and not is_order_cancelled):
            batch.change_delivery(delivery, **reset_values(batch.now))
