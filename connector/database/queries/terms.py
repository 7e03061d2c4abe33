"""Finds deliveries and events by what people know: an order's number, the destination's id, an e-mail address."""

from collections.abc import Collection

from sqlalchemy import or_
from sqlmodel import Session, col, select

from connector.database.engine import Database
from connector.database.models import Delivery, Event
from connector.database.orders import matches_order

MAX_MATCHES = 200
#: The newest payloads and bodies that are searched for an e-mail address, and how many more each further page searches.
EMAIL_SCAN_LIMIT = 2_000
EMAIL_SCAN_STEP = 8_000


def delivery_ids_by_term(session: Session, term: str, stores: Collection[str]) -> list[int]:
    """The deliveries of an order's id or number, or with the destination's id. Each has its index."""
    bare = term.removeprefix("#")
    statements = [
        select(Delivery.id).where(col(Delivery.store).in_(stores), col(Delivery.order_id) == bare),
        select(Delivery.id).where(col(Delivery.order_number).in_([term, bare, f"#{bare}"])),
        select(Delivery.id).where(col(Delivery.remote_id) == term),
    ]
    return sorted({id_ for statement in statements for id_ in session.exec(statement.limit(MAX_MATCHES))})


def event_ids_by_order(session: Session, order: str, stores: Collection[str]) -> list[int]:
    """The events of an order's id, or of its number if a delivery has that number."""
    delivery_ids = delivery_ids_by_term(session, order, stores)
    matching_orders = select(Delivery.store, Delivery.order_id).where(col(Delivery.id).in_(delivery_ids))
    orders = {*((store, order) for store in stores), *session.exec(matching_orders).all()}
    event_ids: set[int] = set()
    for store, order_id in orders:
        statement = select(Event.id).where(matches_order(Event, store, order_id))
        event_ids.update(session.exec(statement.limit(MAX_MATCHES)))
    return sorted(event_ids)


def scanned_rows(page_number: int) -> int:
    """How many of the newest rows the e-mail search has read up to this page, which counts from 0."""
    return EMAIL_SCAN_LIMIT + page_number * EMAIL_SCAN_STEP


def delivery_ids_by_email(database: Database, email: str, *, page_number: int = 0) -> tuple[list[int], bool]:
    """The deliveries whose order's payload or body contains this address, and whether there are older rows to search.

    Args:
        page_number: 0 searches the newest rows; each further page the rows before.
    """
    offset = scanned_rows(page_number - 1) if page_number else 0
    scan_size = scanned_rows(page_number) - offset
    spellings = {f'"{spelling}"'.encode() for spelling in (email, email.lower())}
    contains = database.backend.contains_bytes
    in_payload = or_(*(contains(col(Event.body), spelling) for spelling in spellings))
    in_body = or_(*(contains(col(Delivery.body), spelling) for spelling in spellings))
    event_ids = select(Event.id).order_by(col(Event.id).desc()).offset(offset).limit(scan_size).subquery()
    delivery_ids = select(Delivery.id).order_by(col(Delivery.id).desc()).offset(offset).limit(scan_size).subquery()
    orders = (
        select(Event.store, Event.order_id)
        .join(event_ids, event_ids.c.id == Event.id)
        .where(col(Event.order_id).is_not(None), in_payload)
        .distinct()
        .limit(MAX_MATCHES)
    )
    sent = select(Delivery.id).join(delivery_ids, delivery_ids.c.id == Delivery.id).where(in_body).limit(MAX_MATCHES)
    older = select(Event.id).order_by(col(Event.id).desc()).offset(scanned_rows(page_number)).limit(1)
    with database.read() as session:
        ids = set(session.exec(sent))
        for store, order_id in session.exec(orders).all():
            ids.update(session.exec(select(Delivery.id).where(matches_order(Delivery, store, order_id or ""))))
        return sorted(ids), session.exec(older).first() is not None
