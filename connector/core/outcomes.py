"""Classifies the result of an attempt. Pure: no clock, no network, no database."""

from typing import Any

from connector.core.http_result import HttpResult
from mappings.destination import Destination, Outcome


def classify(destination: Destination[Any], result: HttpResult) -> tuple[Outcome, str | None]:
    """Return the attempt's outcome and, if the order was accepted, the destination's id for it.

    A response without a complete body is classified by its status alone.
    Statuses that mean "not processed": 408 (RFC 9110 §15.5.9), 425 (RFC 8470 §5.2), 429 (RFC 6585 §4).
    """
    if result.status is None:
        return (Outcome.AMBIGUOUS if result.was_sent else Outcome.NOT_PROCESSED), None
    data = result.parse_json()
    if (vendor_outcome := destination.classify_response(result.status, data)) is not None:
        return vendor_outcome, None
    if result.is_success:
        remote_id = destination.parse_order_id(data)
        is_id = remote_id is not None and remote_id.isprintable()  # lone surrogates cannot be stored
        return (Outcome.DELIVERED, remote_id) if is_id else (Outcome.AMBIGUOUS, None)
    if is_unauthorized(result):
        return Outcome.UNAUTHORIZED, None
    if result.status in (408, 425, 429):
        return Outcome.NOT_PROCESSED, None
    if result.status >= 500 or result.status == 409:  # 409 without a known error code: the order may already exist
        return Outcome.AMBIGUOUS, None
    return Outcome.REFUSED, None


def is_unauthorized(result: HttpResult) -> bool:
    """Whether the server rejected our credentials. Every request with them would be rejected too."""
    return result.status in (401, 403)


def is_api_key_rejected(status: int | None) -> bool:
    """Whether a token exchange that failed with this status rejected the API key, as it would for every order."""
    return status is not None and 400 <= status < 500 and status not in (408, 425, 429)
