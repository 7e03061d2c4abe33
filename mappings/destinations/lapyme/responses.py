"""What a response of LaPyme means."""

from collections.abc import Mapping
from typing import Any

from mappings.destination import Outcome


def classify_response(status: int, body: Any) -> Outcome | None:
    """Read 409, which LaPyme answers to a key that was used with another body, or that is in use.

    https://docs.lapyme.com.ar/api-reference/api/crear-pedido and its OpenAPI, read 2026-11-21.
    """
    if status != 409:
        return None
    error = body.get("error") if isinstance(body, Mapping) else None
    error = error if isinstance(error, Mapping) else {}
    if error.get("code") == "IDEMPOTENCY_CONFLICT":
        return Outcome.CONFLICT
    return Outcome.AMBIGUOUS if error.get("retryable") is True else Outcome.REFUSED
