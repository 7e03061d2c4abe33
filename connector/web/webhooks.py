"""`POST /webhooks/<store>`: passes the headers and the raw body to `receive_webhook`, and returns its result."""

import orjson
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from connector.core.exceptions import InvalidRequestError, NotFoundError, SignatureError
from connector.ingestion.receive import receive_webhook
from connector.web.body_buffer import CHUNK_BYTES, MAX_BODY_BYTES, MAX_READ_BYTES
from connector.web.context import get_guard, get_runtime
from connector.web.rejections import rejection_reason
from mappings.settings import Store

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/webhooks/<store_name>", strict_slashes=False)
def receive(store_name: str) -> Response:
    """Receive a webhook from a store, signed as its platform signs it.

    200 means that the event is on disk. Some platforms accept no other status as success, and none sends the webhook
    again after it.
    """
    runtime = get_runtime()
    store = runtime.settings.stores.get(store_name)
    with runtime.tracing.span("webhook", kind="server", parent=request.headers.get("traceparent")):
        try:
            if store is None:
                raise NotFoundError("no such store")
            headers = {name.lower(): value for name, value in request.headers.items()}
            recorded = receive_webhook(runtime, store, headers, read_body())
        except Exception as error:
            log_rejection(store, error)
            current_app.extensions["rejected"].add(store.id if store else "", error)
            raise
    if recorded is None:
        return build_response(status="ignored", event=None)
    return build_response(status=recorded.status, event=str(recorded.event_id))


def log_rejection(store: Store | None, error: Exception) -> None:
    """Log what a configured store's address did not take, and why, without anything that was sent."""
    reason = error.reason if isinstance(error, SignatureError) else rejection_reason(error)
    if store is not None and get_guard().may_log("webhook_rejected", store.id, reason):
        get_runtime().log.warning("webhook_rejected", store=store.id, reason=reason)


def build_response(**fields: str | None) -> Response:
    return Response(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE), mimetype="application/json")


def read_body() -> bytes:
    """Return the raw bytes, which are what the signature covers.

    Raises `InvalidRequestError` if the sender disconnects or breaks HTTP, `RequestEntityTooLarge` over
    `MAX_BODY_BYTES`.
    """
    chunks = []
    length = 0
    try:
        while length <= MAX_READ_BYTES and (chunk := request.stream.read(CHUNK_BYTES)):
            length += len(chunk)
            if length <= MAX_BODY_BYTES:
                chunks.append(chunk)
    except BadRequest as error:
        raise InvalidRequestError(error.description) from error
    if length > MAX_BODY_BYTES:
        raise RequestEntityTooLarge(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return b"".join(chunks)
