"""When to retry. Pure: no clock, no network, no database."""

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mappings.settings import Account

#: The longest delay that a `Retry-After` header can impose, unless `retry_max_s` is longer.
MAX_RETRY_AFTER_S = 3_600.0


def delay_s(account: Account, attempts: int, retry_after_s: float | None = None) -> float:
    """Return the seconds until the next attempt, at least `retry_after_s`.

    After 1, 2, 3 … attempts: a random delay of up to 1, 2, 4 … times `retry_first_s`, at most `retry_max_s`.
    Full jitter spreads out orders that failed together:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    max_delay_s = min(account.retry_max_s, account.retry_first_s * 2 ** min(attempts - 1, 40))
    jittered_s = random.uniform(0, max_delay_s)  # noqa: S311  # not used for security
    requested_s = min(retry_after_s or 0.0, max(account.retry_max_s, MAX_RETRY_AFTER_S))
    return max(jittered_s, requested_s)


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, given as a number or a date (RFC 9110 §10.2.3).

    None if there is no header or it cannot be parsed.
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", header.strip()):  # Shopify writes "2.0"
        return float(header)
    try:
        retry_at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # OverflowError: a year of twenty digits
        return None
    if retry_at.tzinfo is None:
        retry_at = retry_at.replace(tzinfo=UTC)
    return max(0.0, (retry_at - now).total_seconds())
