"""Finds what the database holds about a person: orders, and events that name no order, such as those of drafts."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, or_
from sqlmodel import Session, col, select

from connector.database.engine import Database
from connector.database.models import Attempt, Delivery, Event, Note, OrderCorrection
from connector.database.order_batch import OrderKey
from connector.database.orders import matches_order

#: Rows whose text is read at once. An order has some 10 KB.
BATCH_SIZE = 200
#: A letter or digit of an e-mail address, or a mark that may be inside it.
ADDRESS_CHARACTER = r"[\w.%+\-]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalRecords:
    """What was found.

    Args:
        orders: sorted.
        event_ids: events that name no order, sorted.
    """

    orders: tuple[OrderKey, ...] = ()
    event_ids: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.orders) + len(self.event_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRows:
    """All rows of one order, or of an event that names none."""

    store: str
    order_id: str | None
    events: list[Event]
    deliveries: list[Delivery]
    attempts: list[Attempt]
    notes: list[Note]
    corrections: list[OrderCorrection]

    @property
    def order_number(self) -> str | None:
        numbers = [*(row.order_number for row in self.deliveries), *(row.order_number for row in self.events)]
        return next((number for number in numbers if number), None)


def find_by_order(database: Database, order: str, *, store: str | None = None) -> PersonalRecords:
    """What belongs to an order's id or number, with or without “#”.

    Args:
        store: the id of a store; None: all of them.
    """
    bare = order.removeprefix("#")

    def condition(model: Any) -> ColumnElement[bool]:
        is_named = or_(col(model.order_id) == bare, col(model.order_number).in_({order, bare, f"#{bare}"}))
        return and_(is_named, col(model.store) == store) if store is not None else is_named

    with database.read() as session:
        orders: set[OrderKey] = set(session.exec(select(Delivery.store, Delivery.order_id).where(condition(Delivery))))
        event_ids = []
        for id_, event_store, order_id in session.exec(
            select(Event.id, Event.store, Event.order_id).where(condition(Event)).order_by(col(Event.id))
        ):
            if order_id is None:
                event_ids.append(id_)
            else:
                orders.add((event_store, order_id))
    return PersonalRecords(orders=tuple(sorted(orders)), event_ids=tuple(event_ids))


def find_by_email(database: Database, email: str, *, store: str | None = None) -> PersonalRecords:
    """What contains this address, in any case: payloads, bodies, responses, corrections and notes. Reads all rows.

    Args:
        store: the id of a store; None: all of them.
    """
    is_match = email_matcher(email)
    contains = database.backend.contains_text
    needles = {spelling.lower() for spelling in (email, json.dumps(email)[1:-1])}

    def may_match(column: Any) -> ColumnElement[bool]:
        return or_(*(contains(column, needle) for needle in needles))

    orders: set[OrderKey] = set()
    event_ids: set[int] = set()
    of_delivery = (Delivery.id, Delivery.store, Delivery.order_id)
    with database.read() as session:
        searches: list[tuple[Any, Any]] = [
            (select(Event.id, Event.store, Event.order_id, Event.body), Event.body),
            (select(*of_delivery, Delivery.body), Delivery.body),
            (select(*of_delivery, cast(Delivery.problems, String)), cast(Delivery.problems, String)),
            (
                select(OrderCorrection.id, OrderCorrection.store, OrderCorrection.order_id, OrderCorrection.value),
                OrderCorrection.value,
            ),
            (
                select(Attempt.id, Delivery.store, Delivery.order_id, Attempt.reply).join(
                    Delivery, col(Delivery.id) == col(Attempt.delivery_id)
                ),
                Attempt.reply,
            ),
            (
                select(Note.id, Delivery.store, Delivery.order_id, Note.text).join(
                    Delivery, col(Delivery.id) == col(Note.delivery_id)
                ),
                Note.text,
            ),
        ]
        for statement, column in searches:
            for id_, row_store, order_id, text in session.execute(
                statement.where(may_match(column)).execution_options(yield_per=BATCH_SIZE)
            ):
                if (store is not None and row_store != store) or not is_match(text):
                    continue
                if order_id is None:
                    event_ids.add(id_)
                else:
                    orders.add((row_store, order_id))
    return PersonalRecords(orders=tuple(sorted(orders)), event_ids=tuple(sorted(event_ids)))


def email_matcher(email: str) -> Callable[[bytes | str], bool]:
    """A test whether a text, or a string in a JSON text, contains the address, and not as a part of a longer one."""
    pattern = re.compile(rf"(?<!{ADDRESS_CHARACTER}){re.escape(email)}(?![\w\-])(?!\.\w)", re.IGNORECASE)

    def is_match(text: bytes | str) -> bool:
        readable = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        try:
            strings: Iterator[str] | list[str] = iter_strings(json.loads(readable))
        except ValueError:
            strings = [readable]
        return any(pattern.search(string) for string in strings)

    return is_match


def iter_strings(value: Any) -> Iterator[str]:
    """All strings of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from iter_strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from iter_strings(item)


def iter_rows(database: Database, records: PersonalRecords) -> Iterator[OrderRows]:
    """Yield all rows of each order, and of each event that names none."""
    for store, order_id in records.orders:
        yield load_rows(database, store, order_id)
    for event_id in records.event_ids:
        with database.read() as session:
            event = session.exec(select(Event).where(Event.id == event_id)).one()
        yield OrderRows(
            store=event.store, order_id=None, events=[event], deliveries=[], attempts=[], notes=[], corrections=[]
        )


def load_rows(database: Database, store: str, order_id: str) -> OrderRows:
    """All rows of an order."""
    with database.read() as session:
        return load_order(session, store, order_id)


def load_order(session: Session, store: str, order_id: str) -> OrderRows:
    deliveries = session.exec(
        select(Delivery).where(matches_order(Delivery, store, order_id)).order_by(col(Delivery.id))
    ).all()
    delivery_ids = [delivery.id for delivery in deliveries]
    return OrderRows(
        store=store,
        order_id=order_id,
        events=list(
            session.exec(select(Event).where(matches_order(Event, store, order_id)).order_by(col(Event.id))).all()
        ),
        deliveries=list(deliveries),
        attempts=list(
            session.exec(
                select(Attempt).where(col(Attempt.delivery_id).in_(delivery_ids)).order_by(col(Attempt.id))
            ).all()
        ),
        notes=list(
            session.exec(select(Note).where(col(Note.delivery_id).in_(delivery_ids)).order_by(col(Note.id))).all()
        ),
        corrections=list(
            session.exec(
                select(OrderCorrection)
                .where(matches_order(OrderCorrection, store, order_id))
                .order_by(col(OrderCorrection.id))
            ).all()
        ),
    )
