"""`POST /webhooks/<store>`: passes the headers and the raw body to `receive_webhook`, and returns its result.

A WSGI application of its own, mounted in front of Flask's. With a view of Flask, a web process takes a fifth fewer
webhooks: docs/adr/0013-webhooks-without-flask.md.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson
from werkzeug.exceptions import BadRequest, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from connector.core.exceptions import InvalidRequestError, NotFoundError, SignatureError
from connector.ingestion.receive import receive_webhook
from connector.observability.logs import REQUEST_ID
from connector.runtime import Runtime
from connector.web.access import AccessGuard
from connector.web.body_buffer import CHUNK_BYTES, MAX_BODY_BYTES, MAX_READ_BYTES
from connector.web.errors import respond_to_error
from connector.web.rejections import RejectionCounter, rejection_reason
from connector.web.request_id import REQUEST_ID_HEADER, choose_request_id
from connector.web.response_headers import DEFAULT_HEADERS
from mappings.settings import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

METHODS = ["OPTIONS", "POST"]


class WebhookApp:
    def __init__(self, runtime: Runtime, guard: AccessGuard, rejections: RejectionCounter) -> None:
        self.runtime = runtime
        self.guard = guard
        self.rejections = rejections

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request_id = choose_request_id(request)
        token = REQUEST_ID.set(request_id)
        try:
            response = self.respond(request)
        except Exception as error:
            response = respond_to_error(error)
        finally:
            REQUEST_ID.reset(token)
        response.headers.extend({**DEFAULT_HEADERS, REQUEST_ID_HEADER: request_id})
        return response(environ, start_response)

    def respond(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ", ".join(METHODS)})
        if request.method != "POST":
            raise MethodNotAllowed(METHODS)
        return self.receive(request, request.path.strip("/"))

    def receive(self, request: Request, store_name: str) -> Response:
        """Receive a webhook from a store, signed as its platform signs it.

        200 means that the event is on disk. Some platforms accept no other status as success, and none sends the
        webhook again after it.
        """
        store = self.runtime.settings.stores.get(store_name)
        with self.runtime.tracing.span("webhook", kind="server", parent=request.headers.get("traceparent")):
            try:
                if store is None:
                    raise NotFoundError("no such store")
                recorded = receive_webhook(self.runtime, store, read_headers(request.environ), read_body(request))
            except Exception as error:
                self.log_rejection(store, error)
                self.rejections.add(store.id if store else "", error)
                raise
        if recorded is None:
            return build_response(status="ignored", event=None)
        return build_response(status=recorded.status, event=str(recorded.event_id))

    def log_rejection(self, store: Store | None, error: Exception) -> None:
        """Log what a configured store's address did not take, and why, without anything that was sent."""
        reason = error.reason if isinstance(error, SignatureError) else rejection_reason(error)
        if store is not None and self.guard.may_log("webhook_rejected", store.id, reason):
            self.runtime.log.warning("webhook_rejected", store=store.id, reason=reason)


def read_headers(environ: "WSGIEnvironment") -> dict[str, str]:
    """Return the request's headers by their names in lower case."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }


def build_response(**fields: str | None) -> Response:
    return Response(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE), mimetype="application/json")


def read_body(request: Request) -> bytes:
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
