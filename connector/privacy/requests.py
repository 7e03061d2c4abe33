"""Requests about personal data: what is kept of the orders that one is about, and how it is closed."""

from typing import Any

from connector.core.exceptions import ConflictError, InvalidRequestError
from connector.database import privacy_requests
from connector.database.engine import Database
from connector.database.idempotency import IdempotentRequest
from connector.database.models import PrivacyRequest, RequestState
from connector.database.queries.personal_data import PersonalRecords, find_by_email
from connector.database.queries.requested_orders import are_erased, find_named_orders, find_store_orders
from connector.privacy.erase import ErasureResult, erase_records
from connector.privacy.export import export_records
from connector.runtime import Runtime
from mappings.notices import NoticeTopic


def find_request_records(runtime: Runtime, request: PrivacyRequest) -> PersonalRecords:
    """Return what is kept of the orders that a request is about.

    These are the orders that it names and those with its customer's e-mail address, in its store; or all of the store.
    """
    database, store = runtime.database, request.store
    if request.kind == NoticeTopic.STORE_REDACT:
        return find_store_orders(database, store)
    named = find_named(database, request)
    if request.email is None:
        return named
    found = find_by_email(database, request.email, store=store)
    return PersonalRecords(orders=tuple(sorted({*named.orders, *found.orders})), event_ids=found.event_ids)


def find_named(database: Database, request: PrivacyRequest) -> PersonalRecords:
    return find_named_orders(database, request.store, request.order_ids)


def export_request(runtime: Runtime, request_id: int, *, actor: str) -> dict[str, Any]:
    """Return everything that is kept of a request's orders, as values for JSON, and record who exported it.

    The request stays open: somebody must hand the copy over. Raises `NotFoundError`, `ConflictError`.
    """
    request = load_open_request(runtime, request_id)
    records = find_request_records(runtime, request)
    return export_records(runtime, records, {"request": str(request_id), "store": request.store}, actor=actor)


def erase_request(
    runtime: Runtime, request_id: int, *, actor: str, discards_parked: bool = False
) -> tuple[PrivacyRequest, ErasureResult]:
    """Erase what is kept of a request's orders, and close it as done.

    If an order is still on its way, the request stays open, and a worker closes it when that is erased, too.

    Args:
        discards_parked: end deliveries that are parked and certainly were not sent.

    Raises `NotFoundError`, `ConflictError`.
    """
    request = load_open_request(runtime, request_id)
    if request.kind == NoticeTopic.CUSTOMER_DATA_REQUEST:
        raise ConflictError("the customer wants a copy, not an erasure: export it, then mark the request as done")
    records = find_request_records(runtime, request)
    order_ids = sorted({*request.order_ids, *(order_id for _, order_id in records.orders)})
    privacy_requests.mark_erasing(runtime.database, request_id, order_ids, actor=actor)
    result = erase_records(runtime, records, actor=actor, email=request.email, discards_parked=discards_parked)
    if not result.pending:
        request = close_request(runtime, request_id, RequestState.DONE, actor=actor)
    return request, result


def close_erased_requests(runtime: Runtime) -> None:
    """Close the requests whose last order has been erased since a person asked for it."""
    database = runtime.database
    for request in privacy_requests.load_open_requests(database):
        if request.erasing_by is None:
            continue
        is_of_store = request.kind == NoticeTopic.STORE_REDACT
        records = find_store_orders(database, request.store) if is_of_store else find_named(database, request)
        if are_erased(database, records):
            close_request(runtime, request.id, RequestState.DONE, actor=request.erasing_by)


def load_open_request(runtime: Runtime, request_id: int) -> PrivacyRequest:
    """Raises `NotFoundError`, `ConflictError`."""
    request = privacy_requests.load_request(runtime.database, request_id)
    if request.state != RequestState.OPEN:
        raise ConflictError(f"request {request_id} is {request.state} already")
    return request


def complete_request(
    runtime: Runtime, request_id: int, *, actor: str, note: str | None, idempotency: IdempotentRequest | None = None
) -> PrivacyRequest:
    """Close a request because a person has done what it asks for. Raises `NotFoundError`, `ConflictError`."""
    return close_request(runtime, request_id, RequestState.DONE, actor=actor, note=note, idempotency=idempotency)


def dismiss_request(
    runtime: Runtime, request_id: int, *, actor: str, note: str | None, idempotency: IdempotentRequest | None = None
) -> PrivacyRequest:
    """Close a request without doing what it asks for. The note says why.

    Raises `InvalidRequestError`, `NotFoundError`, `ConflictError`.
    """
    if not note or not note.strip():
        raise InvalidRequestError("`note` is required: say why nothing is to be done")
    return close_request(runtime, request_id, RequestState.DISMISSED, actor=actor, note=note, idempotency=idempotency)


def close_request(
    runtime: Runtime,
    request_id: int,
    state: RequestState,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> PrivacyRequest:
    """Close a request, which erases what its customer was found by. Raises `NotFoundError`, `ConflictError`."""
    request = privacy_requests.close_request(
        runtime.database, request_id, state, actor=actor, note=note, idempotency=idempotency
    )
    runtime.log.info("request_closed", request_id=request_id, store=request.store, state=str(state), who=actor)
    return request
