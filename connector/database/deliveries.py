"""Moves deliveries from state to state. Each function is one transaction, and changes a row only as it was expected."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from connector.database.circuits import give_back_probe
from connector.database.engine import Database
from connector.database.orders import add_note, is_cancelled, row_id, select_newest, stop_for_cancellation
from connector.database.tables import Delivery, Reason, State, attempts, deliveries
from mappings.spoke import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where an attempt leaves its delivery."""

    state: State
    reason: Reason | None = None
    due_at: datetime | None = None
    remote_id: str | None = None
    frozen_since: datetime | None = None
    is_forbidden: bool = False  # 401 or 403
    keeps_claim: bool = False  # the same claimant goes on at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What is kept of one attempt."""

    number: int
    outcome: Outcome
    started_at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None
    reply: bytes | None = None


def fresh_start(now: datetime) -> dict[str, Any]:
    """The values of a delivery that waits anew: due at once, its retries counted from nothing."""
    return {
        "state": State.WAITING,
        "reason": None,
        "problems": [],
        "due_at": now,
        "claim": None,
        "claim_expires_at": None,
        "run_tries": 0,
        "run_started_at": None,
        "forbidden_since": None,
    }


def mark_sending(
    database: Database,
    delivery: Delivery,
    *,
    body: bytes,
    key: str | None,
    warnings: list[str],
    run_open_s: float,
    now: datetime,
    lease_s: float,
) -> bool:
    """Commit that attempt `delivery.attempts + 1` is about to open a socket, and with which bytes.

    False, and nothing is changed, unless the claim still holds, its lease runs, and no news of the order came
    since `delivery` was read: then no socket may be opened.
    """
    number = delivery.attempts + 1
    with database.write() as connection:
        statement = (
            update(deliveries)
            .where(
                is_held(delivery),
                is_as_read(delivery),
                deliveries.c.claim_expires_at > now,
                deliveries.c.attempts == delivery.attempts,
            )
            .values(
                state=State.SENDING,
                attempts=number,
                body=body,
                key=key,
                warnings=warnings,
                claim_expires_at=now + timedelta(seconds=lease_s),
                updated_at=now,
                **run_values(delivery, now, run_open_s),
            )
        )
        if connection.execute(statement).rowcount != 1:
            return False
        connection.execute(
            insert(attempts).values(
                delivery_id=delivery.id,
                number=number,
                started_at=now,
                is_manual=delivery.is_manual,
                outcome=State.SENDING,
            )
        )
    return True


def run_values(delivery: Delivery, now: datetime, run_open_s: float) -> dict[str, Any]:
    """The run's count after one more attempt; its beginning, if this is its first."""
    if delivery.run_started_at is not None:
        return {"run_tries": delivery.run_tries + 1}
    return {"run_tries": 1, "run_started_at": now, "run_open_s": run_open_s}


def record_sent(database: Database, delivery: Delivery, tried: Tried, decision: Decision, *, now: datetime) -> bool:
    """Record the outcome of an attempt that was `sending`. False when the claim was lost meanwhile."""
    with database.write() as connection:
        mine = and_(
            deliveries.c.id == delivery.id,
            deliveries.c.state == State.SENDING,
            deliveries.c.claim == delivery.claim,
            deliveries.c.attempts == tried.number,
        )
        if connection.execute(update(deliveries).where(mine).values(settled(delivery, decision, now))).rowcount != 1:
            record_late(connection, delivery, tried, decision, now)
            return False
        connection.execute(
            update(attempts)
            .where(attempts.c.delivery_id == delivery.id, attempts.c.number == tried.number)
            .values(kept(tried))
        )
        catch_up(connection, delivery, now)
    return True


def record_unsent(
    database: Database,
    delivery: Delivery,
    tried: Tried,
    decision: Decision,
    *,
    run_open_s: float,
    now: datetime,
) -> bool:
    """Record an attempt that ended before the order's own request: no token, or not the order itself, was had."""
    with database.write() as connection:
        mine = and_(is_held(delivery), deliveries.c.attempts == delivery.attempts)
        values = {
            **settled(delivery, decision, now),
            **run_values(delivery, now, run_open_s),
            "attempts": tried.number,
        }
        if connection.execute(update(deliveries).where(mine).values(values)).rowcount != 1:
            return False
        connection.execute(
            insert(attempts).values(
                delivery_id=delivery.id, number=tried.number, is_manual=delivery.is_manual, **kept(tried)
            )
        )
        give_back_probe(connection, delivery, now)
        catch_up(connection, delivery, now)
    return True


def settled(delivery: Delivery, decision: Decision, now: datetime) -> dict[str, Any]:
    return {
        "state": decision.state,
        "reason": decision.reason,
        "due_at": decision.due_at,
        "remote_id": decision.remote_id or delivery.remote_id,
        "frozen_since": decision.frozen_since,
        "forbidden_since": (delivery.forbidden_since or now) if decision.is_forbidden else None,
        "is_manual": False,
        "updated_at": now,
        **({} if decision.keeps_claim else {"claim": None, "claim_expires_at": None}),
    }


def kept(tried: Tried) -> dict[str, Any]:
    return {
        "outcome": tried.outcome,
        "started_at": tried.started_at,
        "duration_ms": tried.duration_ms,
        "status": tried.status,
        "error": tried.error,
        "reply": tried.reply,
    }


def catch_up(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Apply what came in while the attempt was under way: a cancellation, or a newer version."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery.id)).one()
    current = Delivery(**row._mapping)
    if current.state != State.WAITING and current.reason not in (Reason.REFUSED, Reason.EXHAUSTED):
        return
    if is_cancelled(connection, current.store, current.order_id, overruled=current.overruled):
        stop_for_cancellation(connection, current, now)
    elif current.frozen_since is None:
        newest = select_newest(current.store, current.order_id)
        connection.execute(
            update(deliveries).where(deliveries.c.id == current.id).values(event_id=newest.scalar_subquery())
        )


def record_late(connection: Connection, delivery: Delivery, tried: Tried, decision: Decision, now: datetime) -> None:
    """An answer that comes after its claim was lost: success settles the current attempt, the rest is noted."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery.id)).one()
    current = Delivery(**row._mapping)
    is_current = current.attempts == tried.number
    may_settle = current.state == State.WAITING or current.reason == Reason.UNCERTAIN
    if is_current and may_settle and decision.state == State.DELIVERED:
        connection.execute(
            update(deliveries).where(deliveries.c.id == delivery.id).values(settled(current, decision, now))
        )
        connection.execute(
            update(attempts)
            .where(attempts.c.delivery_id == delivery.id, attempts.c.number == tried.number)
            .values(kept(tried))
        )
        return
    said = f"Attempt {tried.number} was answered after its claim was lost: {tried.outcome}"
    remote = f", the destination's id is {decision.remote_id}" if decision.remote_id else ""
    add_note(connection, row_id(delivery), "alert", f"{said}{remote}. Compare with the destination.", now)


def park_unmappable(database: Database, delivery: Delivery, problems: list[str], now: datetime) -> bool:
    """Park it with its problems. False when the claim was lost, or there is news of the order: read it again."""
    reason = Reason.UNCERTAIN if delivery.frozen_since else Reason.UNMAPPABLE  # an attempt may have been processed
    return leave(database, delivery, now, state=State.PARKED, reason=reason, problems=problems)


def discard(database: Database, delivery: Delivery, reason: Reason, why: str, now: datetime) -> bool:
    return leave(database, delivery, now, state=State.DISCARDED, reason=reason, problems=[why])


def postpone(database: Database, delivery: Delivery, due_at: datetime, now: datetime) -> bool:
    """Give it back until then, without an attempt."""
    return leave(database, delivery, now, due_at=due_at)


def leave(database: Database, delivery: Delivery, now: datetime, **values: Any) -> bool:
    with database.write() as connection:
        statement = (
            update(deliveries)
            .where(is_held(delivery), is_as_read(delivery))
            .values({"claim": None, "claim_expires_at": None, "due_at": None, "updated_at": now, **values})
        )
        is_left = connection.execute(statement).rowcount == 1
        if is_left:
            give_back_probe(connection, delivery, now)
        return is_left


def is_held(delivery: Delivery) -> ColumnElement[bool]:
    return and_(
        deliveries.c.id == delivery.id,
        deliveries.c.state == State.WAITING,
        deliveries.c.claim == delivery.claim,
        deliveries.c.claim.is_not(None),
    )


def is_as_read(delivery: Delivery) -> ColumnElement[bool]:
    """No newer version came since, and nothing woke it: a thin webhook's repeat, or a person, changes no event."""
    return and_(deliveries.c.event_id == delivery.event_id, deliveries.c.due_at == delivery.due_at)
