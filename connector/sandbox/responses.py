"""What every played service does with a request and its reply. It knows neither contracts nor vendors."""

import json
import threading
from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, request

from connector.sandbox import broken_responses
from connector.sandbox.fault_injection import Fault, Kind

#: A header whose name holds one of these may hold a secret.
SECRET_WORDS = ("auth", "cookie", "key", "secret", "token", "hmac")


def open_headers(*, keep: str | None = None) -> dict[str, str]:
    """Return the request's headers without those that may hold a secret; `keep` names one that does not."""
    return {
        name.lower(): value
        for name, value in request.headers.items()
        if name.lower() == (keep or "").lower() or not any(word in name.lower() for word in SECRET_WORDS)
    }


def json_reply(status: int, body: Mapping[str, Any] | list[Any]) -> Response:
    return make_response(json.dumps(body, ensure_ascii=False), status, {"Content-Type": "application/json"})


def spoil(reply: Response, fault: Fault, *, error: Response, stopping: threading.Event) -> Response:
    """Return what `fault` makes of `reply`, and when. `error` is the vendor's own for the fault's status."""

    def wait() -> None:
        stopping.wait(fault.latency_s)

    if fault.kind is Kind.SLOW_DRIP:
        return broken_responses.drip(reply.get_data(), wait)
    wait()
    match fault.kind:
        case Kind.DROP_UNREAD | Kind.DROP_AFTER_READING | Kind.PROCESS_THEN_DROP:
            return broken_responses.drop()
        case Kind.STATUS | Kind.TOKEN_STATUS | Kind.PROCESS_THEN_STATUS:
            return error
        case Kind.GARBAGE:
            return broken_responses.garbage()
        case Kind.GARBAGE_JSON:
            return json_reply(200, {"ok": True})
        case Kind.CUT_BODY:
            return broken_responses.cut(reply.get_data())
        case _:
            return reply
