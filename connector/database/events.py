"""Records events, and keeps each order's deliveries in step with the newest that is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import update

from connector.database.deliveries import fresh_start
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Reason, State, events
from connector.database.order_batch import Book, Known, OrderKey
from connector.database.orders import stopped
from connector.database.sql.execute import insert_numbered
from mappings.integration import Identity

CANCELLED_FIRST = "the order was cancelled before: a person decides"
UNCANCELLED = "The order was cancelled, and a newer version of it is not: a person decides."
NO_ROUTE = "no route takes its topic"
LAST = 2**63 - 1
NO_ORDER = "it speaks of no order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One webhook as it came in."""

    store: str  # its id
    identity: Identity
    body: bytes
    accounts: Mapping[str, str]  # id to destination name, of each account whose routes want the event's topics
    traceparent: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.store, self.identity.event_key

    @property
    def order(self) -> OrderKey | None:
        """The order that it speaks of, if it has a say in one."""
        if self.identity.ignored or self.identity.order_id is None:
            return None
        return self.store, self.identity.order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    status: str  # "accepted", "duplicate" or "ignored"
    event_id: int
    reason: str | None = None


def record_event(
    database: Database,
    *,
    store: str,
    identity: Identity,
    body: bytes,
    accounts: Mapping[str, str],
    traceparent: str | None = None,
) -> Recorded:
    """Record one webhook and what follows from it, in one transaction; it is on disk when this returns."""
    arrival = Arrival(store=store, identity=identity, body=body, accounts=accounts, traceparent=traceparent)
    return database.commit(record_events, arrival)


def record_events(transaction: Transaction, arrivals: Sequence[Arrival]) -> list[Recorded]:
    """Record webhooks as if one had come after the other: in the order of their keys, which is that of their ids."""
    transaction.lock_orders([arrival.order for arrival in arrivals if arrival.order])
    places = sorted(range(len(arrivals)), key=lambda place: arrivals[place].key)
    ids = insert_events(transaction, [arrivals[place] for place in places])
    new, repeated = [], []
    for place in places:
        event_id = ids.pop(arrivals[place].key, None)  # the first of two with one key is the event
        if event_id is None:
            repeated.append(place)
        else:
            new.append((event_id, place))
    recorded = dict(zip(repeated, count_duplicates(transaction, [arrivals[place] for place in repeated]), strict=True))
    news = [arrivals[place].order for place in repeated if arrivals[place].identity.repeat_is_news]
    orders = {order for order in [*news, *(arrivals[place].order for _, place in new)] if order}
    book = Book(transaction, orders, before=min((event_id for event_id, _ in new), default=LAST))
    for event_id, place in sorted(new):
        recorded[place] = enter(book, arrivals[place], event_id)
    for order in news:
        wake(book, order)
    book.write()
    return [recorded[place] for place in range(len(arrivals))]


def insert_events(transaction: Transaction, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], int]:
    """Insert those whose key is not there; the unique index decides, however many try at once. Returns their ids."""
    rows = [
        {
            "store": arrival.store,
            "event_key": arrival.identity.event_key,
            "topic": arrival.identity.topic,
            "topics": sorted(arrival.identity.topics),
            "order_id": arrival.order and arrival.order[1],  # what is no order has no say in one
            "order_number": arrival.identity.order_number,
            "version": arrival.identity.version or transaction.now,
            "received_at": transaction.now,
            "status": "accepted" if arrival.order else "ignored",
            "reason": None if arrival.order else arrival.identity.ignored or NO_ORDER,
            "duplicates": 0,
            "carries_order": arrival.identity.carries_order and arrival.identity.ignored is None,
            "says_paid": "paid" in arrival.identity.topics,
            "cancels": False,
            "accounts": sorted(arrival.accounts) if arrival.order else [],
            "traceparent": arrival.traceparent,
            "body": arrival.body,
        }
        for arrival in arrivals
    ]
    unique = ["store", "event_key"]
    found = insert_numbered(transaction.connection, events, rows, unique=unique)
    return {(store, event_key): event_id for (store, event_key), event_id in found.items()}


def count_duplicates(transaction: Transaction, arrivals: Sequence[Arrival]) -> list[Recorded]:
    recorded = []
    for store, event_key in (arrival.key for arrival in arrivals):
        statement = (
            update(events)
            .where(events.c.store == store, events.c.event_key == event_key)
            .values(duplicates=events.c.duplicates + 1)
            .returning(events.c.id)
        )
        recorded.append(Recorded(status="duplicate", event_id=transaction.execute(statement).scalar_one()))
    return recorded


def enter(book: Book, arrival: Arrival, event_id: int) -> Recorded:
    """Draw from one new event what follows for its order's deliveries."""
    identity, order = arrival.identity, arrival.order
    if order is None:
        return Recorded(status="ignored", event_id=event_id, reason=identity.ignored or NO_ORDER)
    event = Known(
        event_id,
        identity.version or book.now,
        says_paid="paid" in identity.topics,
        carries_order=identity.carries_order,
        cancels=False,
    )
    if identity.is_cancelled and not any(known.version > event.version for known in book.events[order]):
        book.change_event(event, cancels=True)
        for delivery in book.deliveries[order]:
            stop(book, delivery)
    book.events[order].append(event)
    is_known_cancelled = any(known.cancels for known in book.events[order])
    if not is_known_cancelled:
        book.add_deliveries(order, identity.order_number, arrival.accounts)
    if book.newest(order) is event:
        apply_newest(book, order, event)
    if book.deliveries[order]:
        return Recorded(status="accepted", event_id=event_id)
    reason = NO_ROUTE
    if is_known_cancelled:
        reason = "cancelled" if identity.is_cancelled else CANCELLED_FIRST
    book.change_event(event, status="ignored", reason=reason)
    return Recorded(status="ignored", event_id=event_id, reason=reason)


def stop(book: Book, delivery: Delivery) -> None:
    values, alert = stopped(delivery)
    if values:
        book.change(delivery, **values)
    if alert:
        book.alert(delivery, alert)


def apply_newest(book: Book, order: OrderKey, event: Known) -> None:
    """Bring the order's deliveries to its newest event. What is `sending` comes to it later."""
    for delivery in book.deliveries[order]:
        if delivery.frozen_since is None and (delivery.state == State.WAITING or is_open_to_newer(delivery)):
            if delivery.event_id != event.id:
                book.change(delivery, event_id=event.id)
        elif delivery.reason == Reason.CANCELLED and not event.cancels:
            book.alert(delivery, UNCANCELLED)
    wake(book, order)


def is_open_to_newer(delivery: Delivery) -> bool:
    return comes_back(delivery) or delivery.reason in (Reason.REFUSED, Reason.EXHAUSTED)


def comes_back(delivery: Delivery) -> bool:
    """True of what goes on by itself when a newer version of its order comes."""
    return delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED)


def wake(book: Book, order: OrderKey | None) -> None:
    """Look again at once at what waits, could not be mapped, or was filtered: the order may have changed."""
    for delivery in book.deliveries[order] if order else []:
        if delivery.frozen_since is not None:
            continue
        if delivery.state == State.WAITING:
            book.change(delivery, due_at=book.now)
        elif comes_back(delivery):
            book.change(delivery, **fresh_start(book.now))
