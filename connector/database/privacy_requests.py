"""Requests about personal data: recorded once each, listed, and closed.

The customer's e-mail address and phone number, by which other orders are found, are stored only while a request is
open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, update
from sqlmodel import and_, col, func, select

from connector.core.exceptions import ConflictError, NotFoundError
from connector.core.messages import build_message
from connector.database.engine import Database, Transaction
from connector.database.erasure import request_cleaning
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.insert_ignore import insert_ignore
from connector.database.models import Delivery, Event, OrderCorrection, PrivacyRequest, RequestState
from connector.database.orders import matches_order
from connector.database.store_requests import record_store_action
from mappings.notices import Notice, NoticeTopic

#: Shopify: "Complete the action within 30 days of receiving the request",
#: https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance, read 2026-11-30.
#: Unverified: Tiendanube and WooCommerce state no time, so theirs is the same.
DUE_AFTER = timedelta(days=30)
#: The same bytes are another request if they come this long after one was closed: a shop that leaves a second time
#: sends what it sent the first time. Storefronts repeat what was not accepted for two days at most.
REPEATED_FOR = timedelta(days=7)
#: Who closes a request about an order of which nothing is kept.
NOBODY = "connector"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    id: int
    is_new: bool  # False: it was recorded before


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests. A field that is None does not restrict them."""

    state: str | None = None
    store: str | None = None
    kind: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        conditions = []
        if self.state is not None:
            conditions.append(col(PrivacyRequest.state) == self.state)
        if self.store is not None:
            conditions.append(col(PrivacyRequest.store) == self.store)
        if self.kind is not None:
            conditions.append(col(PrivacyRequest.kind) == self.kind)
        return conditions


def record_request(transaction: Transaction, store: str, notice: Notice, *, body_digest: str) -> RecordedRequest:
    """Record a request, unless it is a repeat: then it is counted."""
    identity = f"id:{notice.request_id}" if notice.request_id else f"sha256:{body_digest}"
    return insert_request(transaction, store, notice, key=f"{notice.topic}:{identity}")


def record_erased_order(transaction: Transaction, store: str, order_id: str) -> RecordedRequest:
    """Record that a store erased the customer of one of its orders.

    If nothing of the order is kept, there is nothing to see to: a store that erases old orders does so for many.
    """
    notice = Notice(topic=NoticeTopic.CUSTOMER_REDACT, order_ids=(order_id,))
    recorded = insert_request(transaction, store, notice, key=erased_order_key(order_id))
    if recorded.is_new and not is_order_kept(transaction, store, order_id):
        update_request(transaction, recorded.id, closing_values(RequestState.DONE, NOBODY, None, transaction.now))
    return recorded


def erased_order_key(order_id: str) -> str:
    return f"{NoticeTopic.CUSTOMER_REDACT}:order:{order_id}"


def is_erased_order_recorded(database: Database, store: str, order_id: str) -> bool:
    """Return whether it is recorded that a store erased the customer of one of its orders."""
    is_same = and_(col(PrivacyRequest.store) == store, col(PrivacyRequest.request_key) == erased_order_key(order_id))
    with database.read() as session:
        return session.exec(select(PrivacyRequest.id).where(is_same)).first() is not None


def insert_request(transaction: Transaction, store: str, notice: Notice, *, key: str) -> RecordedRequest:
    while True:
        row = {
            "store": store,
            "request_key": key,
            "kind": notice.topic,
            "platform_id": notice.request_id,
            "customer_id": notice.customer_id,
            "email": notice.email,
            "phone": notice.phone,
            "order_ids": list(notice.order_ids),
            "received_at": transaction.now,
            "repeats": 0,
            "due_at": transaction.now + DUE_AFTER,
            "state": RequestState.OPEN,
        }
        is_new = bool(insert_ignore(transaction.connection, PrivacyRequest, [row], unique=("store", "request_key")))
        is_same = and_(col(PrivacyRequest.store) == store, col(PrivacyRequest.request_key) == key)
        request = transaction.load_one(select(PrivacyRequest).where(is_same).with_for_update())
        assert request is not None  # noqa: S101  # inserted above
        if is_new:
            return RecordedRequest(id=request.id, is_new=True)
        if request.closed_at is None or transaction.now - request.closed_at < REPEATED_FOR:
            update_request(transaction, request.id, {"repeats": col(PrivacyRequest.repeats) + 1})
            return RecordedRequest(id=request.id, is_new=False)
        key = f"{key}:after:{request.id}"


def is_order_kept(transaction: Transaction, store: str, order_id: str) -> bool:
    """Return whether anything but ids is kept of an order."""
    has_event = exists().where(matches_order(Event, store, order_id), func.length(col(Event.body)) > 0)
    has_delivery = exists().where(matches_order(Delivery, store, order_id), col(Delivery.pruned_at).is_(None))
    has_correction = exists().where(matches_order(OrderCorrection, store, order_id))
    statement = select(or_(has_event, has_delivery, has_correction))
    return bool(transaction.execute(statement).scalar_one())


def update_request(transaction: Transaction, request_id: int, values: dict[str, object]) -> None:
    transaction.execute(update(PrivacyRequest).where(col(PrivacyRequest.id) == request_id).values(values))


def mark_erasing(database: Database, request_id: int, order_ids: Sequence[str], *, actor: str) -> None:
    """Record that a person has a request's orders erased, and which these are."""
    values: dict[str, object] = {"erasing_by": actor, "order_ids": list(order_ids)}
    database.transact(lambda transaction: update_request(transaction, request_id, values))


def closing_values(state: RequestState, actor: str, note: str | None, at: datetime) -> dict[str, object]:
    """The values of a request that is closed. What it was searched by is erased."""
    return {"state": state, "closed_by": actor, "closed_at": at, "note": note, "email": None, "phone": None}


def close_request(
    database: Database,
    request_id: int,
    state: RequestState,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> PrivacyRequest:
    """Close an open request. Raises `NotFoundError`, `ConflictError`."""

    def close(transaction: Transaction) -> PrivacyRequest:
        return close_open_request(transaction, request_id, state, actor=actor, note=note)

    return transact_idempotently(database, close, idempotency)


def close_open_request(
    transaction: Transaction, request_id: int, state: RequestState, *, actor: str, note: str | None
) -> PrivacyRequest:
    """Close an open request within a transaction. Raises `NotFoundError`, `ConflictError`."""
    is_request = col(PrivacyRequest.id) == request_id
    request = transaction.load_one(select(PrivacyRequest).where(is_request).with_for_update())
    if request is None:
        raise NotFoundError(f"no request {request_id}")
    if request.state != RequestState.OPEN:
        raise ConflictError(f"request {request_id} is {request.state} already")
    update_request(transaction, request_id, closing_values(state, actor, note, transaction.now))
    if request.email or request.phone:
        request_cleaning(transaction)
    message = build_message("request_done" if state is RequestState.DONE else "request_dismissed", request=request_id)
    record_store_action(transaction, request.store, "close-request", actor, note, message=message)
    closed = transaction.load_one(select(PrivacyRequest).where(is_request))
    assert closed is not None  # noqa: S101  # changed above
    return closed


def load_request(database: Database, request_id: int) -> PrivacyRequest:
    """Raises `NotFoundError`."""
    with database.read() as session:
        request = session.get(PrivacyRequest, request_id)
    if request is None:
        raise NotFoundError(f"no request {request_id}")
    return request


def list_requests(
    database: Database, request_filter: RequestFilter, *, before_id: int | None = None, limit: int
) -> list[PrivacyRequest]:
    """All that match, newest first.

    Args:
        before_id: the id of the last one on the previous page.
    """
    statement = select(PrivacyRequest).where(*request_filter.conditions()).order_by(col(PrivacyRequest.id).desc())
    if before_id is not None:
        statement = statement.where(col(PrivacyRequest.id) < before_id)
    with database.read() as session:
        return list(session.exec(statement.limit(limit)).all())


def load_open_requests(database: Database) -> Sequence[PrivacyRequest]:
    """All open requests, the one that is due first before the others."""
    is_open = col(PrivacyRequest.state) == RequestState.OPEN
    statement = select(PrivacyRequest).where(is_open).order_by(col(PrivacyRequest.due_at), col(PrivacyRequest.id))
    with database.read() as session:
        return session.exec(statement).all()


def count_open_requests(database: Database) -> int:
    """How many requests wait for a person."""
    is_open = col(PrivacyRequest.state) == RequestState.OPEN
    with database.read() as session:
        return session.exec(select(func.count()).select_from(PrivacyRequest).where(is_open)).one()
