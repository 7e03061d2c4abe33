"""Decides the state of a delivery after an attempt. Pure: no clock, no network, no database."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.core.retry import delay_s, parse_retry_after
from connector.database.attempts import AttemptRecord, Decision
from connector.database.models import Delivery, Reason, State
from mappings.destination import Outcome
from mappings.settings import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """What a decision depends on besides the delivery and its attempt."""

    account: Account
    supports_idempotency: bool
    now: datetime
    retried_for_s: float = 0.0  # since the run's first attempt, without the time its circuits were open
    do_others_pass: bool = False  # since it was first forbidden, the account has accepted another order
    has_newer_credentials: bool = False  # than those that this attempt was made with


def next_state(
    delivery: Delivery,
    attempt: AttemptRecord,
    context: RetryContext,
    *,
    remote_id: str | None = None,
    retry_after: str | None = None,
    was_order_sent: bool = True,
) -> Decision:
    """Return the state that an attempt leaves its delivery in, and when it is due again.

    Args:
        retry_after: the response's `Retry-After` header.
        was_order_sent: False if a prerequisite failed: then rejected credentials say nothing about the order.
    """
    locked_since = delivery.locked_since
    uncertain = Decision(state=State.PARKED, reason=Reason.UNCERTAIN, locked_since=locked_since)
    match attempt.outcome:
        case Outcome.DELIVERED:
            return Decision(state=State.DELIVERED, remote_id=remote_id)
        case Outcome.TOKEN_EXPIRED:
            return Decision(state=State.WAITING, due_at=context.now, locked_since=locked_since, keeps_claim=True)
        case Outcome.REFUSED:  # an earlier ambiguous attempt may still have been processed
            return uncertain if locked_since else Decision(state=State.PARKED, reason=Reason.REFUSED)
        case Outcome.CONFLICT:
            return uncertain
        case Outcome.AMBIGUOUS:
            if not context.supports_idempotency:
                return uncertain
            locked_since = locked_since or attempt.started_at
    if attempt.outcome is Outcome.UNAUTHORIZED and context.has_newer_credentials:
        return Decision(state=State.WAITING, due_at=context.now, locked_since=locked_since)
    is_forbidden = attempt.outcome is Outcome.UNAUTHORIZED and was_order_sent
    if is_forbidden and locked_since is None and delivery.first_forbidden_at and context.do_others_pass:
        return Decision(state=State.PARKED, reason=Reason.REFUSED)
    if locked_since and (context.now - locked_since).total_seconds() >= context.account.ambiguous_for_s:
        return Decision(state=State.PARKED, reason=Reason.UNCERTAIN, locked_since=locked_since)
    if not locked_since and context.retried_for_s >= context.account.retry_for_s:
        return Decision(state=State.PARKED, reason=Reason.EXHAUSTED)
    wait_s = delay_s(context.account, delivery.attempts_in_run + 1, parse_retry_after(retry_after, context.now))
    due_at = context.now + timedelta(seconds=wait_s)
    return Decision(state=State.WAITING, due_at=due_at, locked_since=locked_since, is_forbidden=is_forbidden)
