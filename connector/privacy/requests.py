"""Requests about personal data: what is kept of the orders that one is about, and how it is closed."""

from connector.core.exceptions import InvalidRequestError
from connector.database import privacy_requests
from connector.database.idempotency import IdempotentRequest
from connector.database.models import PrivacyRequest, RequestState
from connector.runtime import Runtime


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
