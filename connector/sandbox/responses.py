"""What the responses of all fake services share: JSON, faults, and headers without secrets."""

import json
import threading
from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, request

from connector.sandbox import broken_responses
from connector.sandbox.fault_injection import Fault, FaultKind

#: A header whose name contains one of these may hold a secret.
SECRET_WORDS = ("auth", "cookie", "key", "secret", "token", "hmac")


def headers_without_secrets(*, keep: str | None = None) -> dict[str, str]:
    """Return the request's headers without those that may hold a secret; `keep` names one that does not."""
    return {
        name.lower(): value
        for name, value in request.headers.items()
        if name.lower() == (keep or "").lower() or not any(word in name.lower() for word in SECRET_WORDS)
    }


def json_response(status: int, body: Mapping[str, Any] | list[Any]) -> Response:
    return make_response(json.dumps(body, ensure_ascii=False), status, {"Content-Type": "application/json"})


def apply_fault(response: Response, fault: Fault, *, error: Response, stopping: threading.Event) -> Response:
    """Return what `fault` makes of `response`, after its delay.

    Args:
        error: the vendor's response with the fault's status.
        stopping: ends the delay when the server stops.
    """

    def wait() -> None:
        stopping.wait(fault.latency_s)

    if fault.kind is FaultKind.SLOW_DRIP:
        return broken_responses.slow_response(response.get_data(), wait)
    wait()
    match fault.kind:
        case FaultKind.DROP_UNREAD | FaultKind.DROP_AFTER_READING | FaultKind.PROCESS_THEN_DROP:
            return broken_responses.dropped_connection()
        case FaultKind.STATUS | FaultKind.TOKEN_STATUS | FaultKind.PROCESS_THEN_STATUS:
            return error
        case FaultKind.GARBAGE:
            return broken_responses.garbage_response()
        case FaultKind.GARBAGE_JSON:
            return json_response(200, {"ok": True})
        case FaultKind.CUT_BODY:
            return broken_responses.truncated_response(response.get_data())
        case _:
            return response
