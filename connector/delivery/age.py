"""Decides whether an order is from before the store was connected. Such orders were handled in another way."""

from datetime import UTC, datetime, timedelta

from connector.core.messages import build_message
from connector.database.generation import Generation
from mappings.problems import Problem
from mappings.storefront import OrderTimes

#: How long before `since` an order may have been placed and be paid after it: vouchers of OXXO or Rapipago are paid
#: days later.
PAYMENT_PERIOD = timedelta(days=30)
#: How far a store's clock may be ahead of the database's.
CLOCK_TOLERANCE = timedelta(seconds=5)


def find_old(times: OrderTimes, since: datetime) -> Problem | None:
    """Return why the order is too old to be sent; None if it is not, or if that is not known."""
    if times.paid_at is not None:
        if times.paid_at >= since:
            return None
        return build_message("paid_before_since", paid_at=format_instant(times.paid_at), since=format_instant(since))
    if times.placed_at is None or times.placed_at >= since - PAYMENT_PERIOD:
        return None
    placed_at = format_instant(times.placed_at)
    return build_message("placed_before_since", placed_at=placed_at, since=format_instant(since))


def find_doubt(times: OrderTimes, since: datetime) -> Problem | None:
    """Return why it is not known whether the order is too old; None if it is known."""
    if times.paid_at is not None or times.placed_at is None or times.placed_at >= since:
        return None
    if times.placed_at < since - PAYMENT_PERIOD:
        return None
    placed_at = format_instant(times.placed_at)
    return build_message("payment_time_unknown", placed_at=placed_at, since=format_instant(since))


def is_older_than_restore(times: OrderTimes, generation: Generation | None) -> bool:
    """Return whether the order may have been sent in the time that a restored backup does not know."""
    if generation is None or generation.sent_until is None:
        return False
    return times.placed_at is None or times.placed_at < generation.sent_until + CLOCK_TOLERANCE


def format_instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
