"""What a 409 of LaPyme means."""

from collections.abc import Mapping
from typing import Any

from mappings.destination import Outcome


def classify_conflict(body: Any) -> Outcome:
    """Read a 409, which LaPyme returns if a key was used with another body, or is in use.

    https://docs.lapyme.com.ar/api-reference/api/crear-pedido and its OpenAPI, read 2026-11-21.
    """
    error = body.get("error") if isinstance(body, Mapping) else None
    error = error if isinstance(error, Mapping) else {}
    if error.get("code") == "IDEMPOTENCY_CONFLICT":
        return Outcome.CONFLICT
    return Outcome.AMBIGUOUS if error.get("retryable") is True else Outcome.REFUSED
