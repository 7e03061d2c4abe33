"""The behaviours of a destination and the outcome of each, as data.

Written from the vendors' documentation and the rules for ambiguous attempts, not from the connector's code.
"""

from dataclasses import dataclass, field
from typing import Any

DELIVERED = "delivered"
REFUSED = "refused"
CONFLICT = "conflict"
UNAUTHORIZED = "unauthorized"
TOKEN_EXPIRED = "token_expired"
NOT_PROCESSED = "not_processed"
AMBIGUOUS = "ambiguous"
SENDING = "sending"  # until the outcome is known


@dataclass(frozen=True, kw_only=True)
class Trick:
    """One behaviour of a destination."""

    name: str
    rayo: str
    lapyme: str
    fault: str | None = None  # of the sandbox
    options: dict[str, Any] = field(default_factory=dict)
    takes_order: bool = False  # the destination has the order afterwards
    is_unreachable: bool = False  # no connection
    token_status: int | None = None  # for destinations with a token exchange: the exchange fails

    def __repr__(self) -> str:
        return self.name


def both(outcome: str, name: str, fault: str, *, takes_order: bool = False, **options: Any) -> Trick:
    return Trick(name=name, rayo=outcome, lapyme=outcome, fault=fault, options=options, takes_order=takes_order)


def status(outcome: str, number: int, **options: Any) -> Trick:
    return both(outcome, f"status_{number}", "status", status=number, **options)


ACCEPT = Trick(name="accept", rayo=DELIVERED, lapyme=DELIVERED, takes_order=True)
AMBIGUOUS_TRICKS = [
    both(AMBIGUOUS, "drop_unread", "drop_unread"),
    both(AMBIGUOUS, "drop_after_reading", "drop_after_reading"),
    both(AMBIGUOUS, "process_then_drop", "process_then_drop", takes_order=True),
    both(AMBIGUOUS, "garbage", "garbage", takes_order=True),
    both(AMBIGUOUS, "garbage_json", "garbage_json", takes_order=True),
    both(AMBIGUOUS, "cut_body", "cut_body", takes_order=True),
    both(AMBIGUOUS, "processed_500", "process_then_status", takes_order=True, status=500),
    both(AMBIGUOUS, "processed_204", "process_then_status", takes_order=True, status=204),
    status(AMBIGUOUS, 500),
    status(AMBIGUOUS, 503, retry_after_s=30),
]
SURE_TRICKS = [
    Trick(name="unreachable", rayo=NOT_PROCESSED, lapyme=NOT_PROCESSED, is_unreachable=True),
    status(NOT_PROCESSED, 408),
    status(NOT_PROCESSED, 425),
    status(NOT_PROCESSED, 429, retry_after_s=30),
]
REFUSING_TRICKS = [status(REFUSED, number) for number in (301, 400, 404, 413, 422)]
OTHER_TRICKS = [
    status(UNAUTHORIZED, 403),
    # At Rayo the token has expired; LaPyme's key never changes.
    Trick(name="status_401", rayo=TOKEN_EXPIRED, lapyme=UNAUTHORIZED, fault="status", options={"status": 401}),
    Trick(name="expired", rayo=TOKEN_EXPIRED, lapyme=DELIVERED, fault="expire_tokens", takes_order=True),
    Trick(
        name="unexpected",
        rayo=AMBIGUOUS,
        lapyme=REFUSED,
        fault="status",
        options={"status": 400, "code": "unexpected"},
    ),
    # 409: at LaPyme without a word on keys a refusal, at Rayo perhaps the order is there already.
    Trick(name="status_409", rayo=AMBIGUOUS, lapyme=REFUSED, fault="status", options={"status": 409}),
    Trick(
        name="key_conflict",
        rayo=AMBIGUOUS,
        lapyme=CONFLICT,
        fault="status",
        options={"status": 409, "code": "IDEMPOTENCY_CONFLICT"},
    ),
    Trick(name="no_token", rayo=NOT_PROCESSED, lapyme=DELIVERED, token_status=500, takes_order=True),
    Trick(name="key_refused", rayo=UNAUTHORIZED, lapyme=DELIVERED, token_status=401, takes_order=True),
]
TRICKS = [ACCEPT, *AMBIGUOUS_TRICKS, *SURE_TRICKS, *REFUSING_TRICKS, *OTHER_TRICKS]
