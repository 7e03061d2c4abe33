"""What an answer means, and when to try again. Pure: no clock, no network, no database."""

import json
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from mappings.destination import Destination, Outcome
from mappings.settings import Account

#: The longest that a `Retry-After` may put off the next attempt, unless the account's own delays are longer.
MAX_RETRY_AFTER_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResult:
    """What came of one HTTP request, whatever came."""

    was_sent: bool = True  # False: surely no whole request reached the other side
    status: int | None = None  # None: none was seen
    body: bytes | None = None  # None: none was read to its end
    retry_after: str | None = None  # the header as it came
    error: str | None = None  # what went wrong, without secrets or personal data
    duration_ms: int = 0

    def parse_json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            return None


def classify(destination: Destination, result: HttpResult) -> tuple[Outcome, str | None]:
    """Return what an attempt came to and, where the order was taken, the destination's id for it.

    An answer without a whole body is judged by its status alone.
    RFC 9110 says of which statuses a request was not processed: 408 (§15.5.9), 425 (RFC 8470), 429 (RFC 6585).
    """
    if result.status is None:
        return (Outcome.AMBIGUOUS if result.was_sent else Outcome.NOT_PROCESSED), None
    data = result.parse_json()
    status = result.status
    if (vendor_outcome := destination.classify_response(status, data)) is not None:
        return vendor_outcome, None
    if 200 <= status < 300:
        remote_id = destination.parse_created_order_id(data)
        is_id = remote_id is not None and remote_id.isprintable()  # lone surrogates cannot be stored
        return (Outcome.DELIVERED, remote_id) if is_id else (Outcome.AMBIGUOUS, None)
    if status in (401, 403):
        return Outcome.UNAUTHORIZED, None
    if status in (408, 425, 429):
        return Outcome.NOT_PROCESSED, None
    if status >= 500 or status == 409:  # a 409 without a word on keys may mean that the order is there already
        return Outcome.AMBIGUOUS, None
    return Outcome.REFUSED, None


def delay_s(account: Account, attempts: int, retry_after_s: float | None = None) -> float:
    """Seconds until the next attempt: after 1, 2, 3 … tries anything up to 1, 2, 4 … times `retry_first_s`.

    Full jitter, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/: many orders that failed
    together do not come back together. Never sooner than the destination asked.
    """
    max_delay_s = min(account.retry_max_s, account.retry_first_s * 2 ** min(attempts - 1, 40))
    jittered_s = random.uniform(0, max_delay_s)  # noqa: S311  # no secret hangs on it
    requested_s = min(retry_after_s or 0.0, max(account.retry_max_s, MAX_RETRY_AFTER_S))
    return max(jittered_s, requested_s)


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds asked for by a `Retry-After` header, as a number or as a date (RFC 9110 §10.2.3); None if unreadable."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", header.strip()):  # Shopify writes "2.0"
        return float(header)
    try:
        retry_at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # a year of twenty digits
        return None
    if retry_at.tzinfo is None:
        retry_at = retry_at.replace(tzinfo=UTC)
    return max(0.0, (retry_at - now).total_seconds())
