"""Performs a request once per `Idempotency-Key`, and returns the first response to a repeated request."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, TypeVar

from flask import Response, request

from connector.database.idempotency import AlreadyProcessedError, IdempotentRequest

REPLAYED_HEADER = "Idempotency-Replayed"
#: For the document.
REPLAYED_HEADERS = {
    REPLAYED_HEADER: {
        "description": "`true` if the request was performed before and this is the response of that time",
        "schema": {"type": "string"},
    }
}

Result = TypeVar("Result")


def run_idempotent(
    status: int,
    headers: Mapping[str, Any],
    body: Mapping[str, Any],
    action: Callable[[IdempotentRequest | None], Result],
    serialize: Callable[[Result], Any],
) -> Response:
    """Run `action` and return its result as JSON.

    Args:
        status: Status of the response.
        headers: As `IdempotencyHeaderSchema` loads them. Without a key, the action always runs.
        body: As its schema loads it.
        action: Stores the response in the transaction of its change, or raises `AlreadyProcessedError`.

    Raises `IdempotencyKeyReusedError` if the key came with a different request.
    """

    def build_response(result: Result) -> tuple[int, str]:
        return status, json.dumps(serialize(result))

    idempotent_request = None
    if (key := headers.get("idempotency_key")) is not None:
        idempotent_request = IdempotentRequest(
            key=key, request_digest=digest_request(request.method, request.path, body), build_response=build_response
        )
    try:
        return json_response(*build_response(action(idempotent_request)))
    except AlreadyProcessedError as earlier_response:
        return json_response(earlier_response.status, earlier_response.body, {REPLAYED_HEADER: "true"})


def json_response(status: int, body: str, headers: dict[str, str] | None = None) -> Response:
    return Response(f"{body}\n", status, headers, content_type="application/json")


def digest_request(method: str, path: str, body: Mapping[str, Any]) -> str:
    """Return a digest of the request. The formatting of the body makes no difference."""
    serialized = json.dumps([method, path, body], sort_keys=True, default=str)
    return sha256(serialized.encode()).hexdigest()
