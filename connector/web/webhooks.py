"""`POST /webhooks/<store>`: passes the headers and the raw body to `receive_webhook`, and returns its result."""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from connector.core.exceptions import InvalidRequestError, NotFoundError, SignatureError
from connector.ingestion.notices import RecordedNotice, receive_notice
from connector.ingestion.receive import receive_webhook
from connector.web.body_buffer import CHUNK_BYTES, MAX_BODY_BYTES, MAX_READ_BYTES
from connector.web.context import get_guard, get_runtime
from connector.web.rejections import rejection_reason
from mappings.notices import NoticeTopic, find_topic
from mappings.settings import Store

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/webhooks/<store_name>", strict_slashes=False)
def receive(store_name: str) -> Response:
    """Receive a webhook from a store, signed as its platform signs it.

    200 means that the event is on disk. Some platforms accept no other status as success, and none sends the webhook
    again after it.
    """
    with receiving(store_name) as store:
        recorded = receive_webhook(get_runtime(), require_store(store), read_headers(), read_body())
    if isinstance(recorded, RecordedNotice):
        return build_notice_response(recorded)
    if recorded is None:
        return build_response(status="ignored", event=None)
    return build_response(status=recorded.status, event=str(recorded.event_id))


@blueprint.post("/webhooks/<store_name>/privacy", strict_slashes=False)
@blueprint.post("/webhooks/<store_name>/privacy/<topic_name>", strict_slashes=False)
def receive_privacy(store_name: str, topic_name: str | None = None) -> Response:
    """Receive a request about personal data, or a notice that the app was uninstalled, suspended or resumed.

    200 means that it is on disk. Without a topic in the address, the body says what it is. If both say it, they must
    agree.
    """
    with receiving(store_name) as configured_store:
        store = require_store(configured_store)
        topic = find_topic(topic_name) if topic_name is not None else None
        if topic_name is not None and topic is None:
            raise NotFoundError(f"no such topic; it is one of {', '.join(NoticeTopic)}")
        recorded = receive_notice(get_runtime(), store, topic, read_headers(), read_body())
    return build_notice_response(recorded)


@contextmanager
def receiving(store_name: str) -> Iterator[Store | None]:
    """Trace a webhook while the block runs, and count and log it if it is not taken."""
    runtime = get_runtime()
    store = runtime.settings.stores.get(store_name)
    with runtime.tracing.span("webhook", kind="server", parent=request.headers.get("traceparent")):
        try:
            yield store
        except Exception as error:
            log_rejection(store, error)
            current_app.extensions["rejected"].add(store.id if store else "", error)
            raise


def require_store(store: Store | None) -> Store:
    """Raises `NotFoundError`."""
    if store is None:
        raise NotFoundError("no such store")
    return store


def read_headers() -> dict[str, str]:
    """Return the headers by lower-case name."""
    return {name.lower(): value for name, value in request.headers.items()}


def build_notice_response(recorded: RecordedNotice) -> Response:
    request_id = str(recorded.request_id) if recorded.request_id is not None else None
    return build_response(status=recorded.status, event=None, request=request_id)


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
