"""The next state of a delivery is a function of its attempt, its history and the account's settings."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.database.attempts import AttemptRecord, Decision
from connector.database.models import Delivery, Reason, State
from connector.delivery.decision import RetryContext, next_state
from mappings.destination import Outcome
from mappings.settings import Account

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ACCOUNT = Account(name="erp", id="erp", destination="lapyme", base_url="https://x.example", retry_first_s=0)
CONTEXT = RetryContext(account=ACCOUNT, supports_idempotency=True, now=NOW)
KEYLESS = replace(CONTEXT, supports_idempotency=False)
UNCERTAIN = Decision(state=State.PARKED, reason=Reason.UNCERTAIN)
REFUSED = Decision(state=State.PARKED, reason=Reason.REFUSED)
EXHAUSTED = Decision(state=State.PARKED, reason=Reason.EXHAUSTED)
WAITING = Decision(state=State.WAITING, due_at=NOW)


def delivery(*, locked_since: datetime | None = None, first_forbidden_at: datetime | None = None) -> Delivery:
    return Delivery(
        account="erp",
        store="tienda-ar",
        destination="lapyme",
        order_id="1",
        event_id=1,
        state=State.SENDING,
        locked_since=locked_since,
        first_forbidden_at=first_forbidden_at,
    )


def attempt(outcome: Outcome) -> AttemptRecord:
    return AttemptRecord(number=1, outcome=outcome, started_at=NOW, duration_ms=5)


@pytest.mark.parametrize(
    ("outcome", "context", "expected"),
    [
        (Outcome.DELIVERED, CONTEXT, Decision(state=State.DELIVERED, remote_id="7")),
        (Outcome.REFUSED, CONTEXT, REFUSED),
        (Outcome.CONFLICT, CONTEXT, UNCERTAIN),
        (Outcome.NOT_PROCESSED, CONTEXT, WAITING),
        (Outcome.NOT_PROCESSED, KEYLESS, WAITING),
        (Outcome.NOT_PROCESSED, replace(CONTEXT, retried_for_s=ACCOUNT.retry_for_s), EXHAUSTED),
        (Outcome.AMBIGUOUS, CONTEXT, replace(WAITING, locked_since=NOW)),
        (Outcome.AMBIGUOUS, KEYLESS, UNCERTAIN),
        (Outcome.UNAUTHORIZED, CONTEXT, replace(WAITING, is_forbidden=True)),
        (Outcome.TOKEN_EXPIRED, CONTEXT, replace(WAITING, keeps_claim=True)),
    ],
)
def test_first_attempt_decides_by_outcome(outcome: Outcome, context: RetryContext, expected: Decision) -> None:
    assert next_state(delivery(), attempt(outcome), context, remote_id="7") == expected


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.CONFLICT])
def test_refusal_after_an_ambiguous_attempt_is_uncertain(outcome: Outcome) -> None:
    locked = delivery(locked_since=NOW)
    assert next_state(locked, attempt(outcome), CONTEXT) == replace(UNCERTAIN, locked_since=NOW)


def test_ambiguous_attempts_are_retried_only_within_the_window() -> None:
    locked_since = NOW - timedelta(seconds=ACCOUNT.ambiguous_for_s)
    locked = delivery(locked_since=locked_since)
    decision = next_state(locked, attempt(Outcome.AMBIGUOUS), CONTEXT)
    assert decision == replace(UNCERTAIN, locked_since=locked_since)


def test_order_forbidden_twice_while_others_pass_is_refused() -> None:
    context = replace(CONTEXT, do_others_pass=True)
    forbidden = delivery(first_forbidden_at=NOW)
    assert next_state(forbidden, attempt(Outcome.UNAUTHORIZED), context) == REFUSED
    assert next_state(forbidden, attempt(Outcome.UNAUTHORIZED), context, was_order_sent=False) == WAITING


def test_retry_after_delays_the_next_attempt() -> None:
    decision = next_state(delivery(), attempt(Outcome.NOT_PROCESSED), CONTEXT, retry_after="120")
    assert decision == replace(WAITING, due_at=NOW + timedelta(seconds=120))
