"""`POST /webhooks/<store>`: takes bytes and headers to `intake`, and turns what it says into an answer."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from connector.core.exceptions import InvalidRequestError, NotFoundError
from connector.ingestion.receive import receive_webhook
from connector.runtime import Runtime
from connector.web.api.operation import Operation, documented
from connector.web.api.responses import ReceivedSchema

MAX_BODY_BYTES = 2 * 1024 * 1024
#: What is too long is still read so far, and thrown away: who is cut off while sending may never see the answer.
MAX_READ_BYTES = 16 * MAX_BODY_BYTES
TOO_LONG_MESSAGE = f"the body is longer than {MAX_BODY_BYTES} bytes"

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/webhooks/<store_name>")
@documented(
    Operation(
        responses={200: ReceivedSchema()}, error_statuses=(400, 401, 404, 413), accepts_any_body=True, is_public=True
    )
)
def receive(store_name: str) -> Response:
    """Take a webhook of a store, signed as its platform does.

    200 once the event is on disk: some platforms take no other status for success, and none retries after it.
    """
    runtime: Runtime = current_app.extensions["runtime"]
    store = runtime.settings.stores.get(store_name)
    with runtime.tracing.span("webhook", kind="server", parent=request.environ.get("HTTP_TRACEPARENT")):
        try:
            if store is None:
                raise NotFoundError("no such store")
            recorded = receive_webhook(runtime, store, WebhookHeaders(request.environ), read_body())
        except Exception as error:
            current_app.extensions["rejected"].add(store.id if store else "", error)
            raise
    if recorded is None:
        return webhook_response("ignored", "null")
    return webhook_response(recorded.status, f'"{recorded.event_id}"')


def webhook_response(status: str, event: str) -> Response:
    return Response(f'{{"status": "{status}", "event": {event}}}\n', content_type="application/json")


class WebhookHeaders(Mapping[str, str]):
    """A request's headers, their names in lower case. A webhook asks for a few: Flask's own would turn all about."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ["HTTP_" + name.upper().replace("-", "_")]
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and "HTTP_" + name.upper().replace("-", "_") in self._environ

    def get(self, name: str, default: Any = None) -> Any:  # the inherited one raises and catches
        return self._environ.get("HTTP_" + name.upper().replace("-", "_"), default)

    def __iter__(self) -> Iterator[str]:
        return (name[5:].replace("_", "-").lower() for name in self._environ if name.startswith("HTTP_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_body() -> bytes:
    """The raw bytes: a signature stands over these, and over nothing that was parsed and written again."""
    environ = request.environ
    # A server that ends the body where the request ends it is read as it is: Flask's way there takes longer than that.
    stream = environ["wsgi.input"] if environ.get("wsgi.input_terminated") else request.stream
    body = bytearray()
    length, declared = 0, request.content_length
    try:
        while length != declared and (chunk := stream.read(65_536)) and length <= MAX_READ_BYTES:
            length += len(chunk)
            if length <= MAX_BODY_BYTES:
                body += chunk
    except OSError as error:  # the sender went away in the middle
        raise InvalidRequestError("the body did not arrive whole") from error
    if length > MAX_BODY_BYTES:
        raise RequestEntityTooLarge(TOO_LONG_MESSAGE)
    return bytes(body)
