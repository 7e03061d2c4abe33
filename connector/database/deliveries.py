"""Moves deliveries from state to state. A row is changed only as it was expected to be, and by who holds its claim."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from connector.database.circuits import Health, give_back_probe, load_circuits, note_health, seconds_shut
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Reason, State, attempts, deliveries
from connector.database.orders import add_note, is_cancelled, row_id, select_newest, stop_for_cancellation
from connector.database.sql.execute import insert_numbered, select_by, update_by, update_rows
from mappings.integration import Outcome
from mappings.lookup_tables import missing_rows_in

#: What may be long, and decides nothing.
BULKY = {"body", "problems", "warnings", "missing_rows"}
GUARDS = tuple(column.name for column in deliveries.c if column.name not in BULKY)


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


@dataclass(slots=True, kw_only=True)
class Mark:
    """A delivery whose next attempt is about to open a socket, and with which bytes."""

    delivery: Delivery  # as it was read
    body: bytes
    key: str | None
    warnings: list[str]
    circuits: tuple[str, ...]  # the time in which these are open does not count for its retries
    lease_s: float
    was_tried: bool = False  # a transaction that held it failed, and may have been committed all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An attempt and what came of it."""

    delivery: Delivery  # as it was read
    tried: Tried
    decision: Decision
    health: Health


def fresh_start(now: datetime) -> dict[str, Any]:
    """The values of a delivery that waits anew: due at once, its retries counted from nothing."""
    return {
        "state": State.WAITING,
        "reason": None,
        "problems": [],
        "missing_rows": None,
        "due_at": now,
        "claim": None,
        "claim_expires_at": None,
        "run_tries": 0,
        "run_started_at": None,
        "forbidden_since": None,
    }


def lock_deliveries(transaction: Transaction, ids: Collection[int]) -> dict[int, Delivery]:
    """Their rows without what is bulky, by id; nobody else changes them before this transaction ends."""
    rows = select_by(transaction.connection, deliveries, GUARDS, "id", list(ids), locks="FOR UPDATE")
    return {row.id: row for row in rows}


def mark_sending(database: Database, mark: Mark) -> bool:
    """Commit that attempt `delivery.attempts + 1` is about to open a socket.

    False, and nothing is changed, unless the claim still holds, its lease runs, and no news of the order came
    since `delivery` was read: then no socket may be opened.
    """
    return database.commit(mark_all_sending, mark, is_patient=True)  # what is given up might be marked all the same


def mark_all_sending(transaction: Transaction, marks: Sequence[Mark]) -> list[bool]:
    now = transaction.now
    current = lock_deliveries(transaction, [row_id(mark.delivery) for mark in marks])
    circuits = load_circuits(transaction.connection, {name for mark in marks for name in mark.circuits})
    changes: dict[int, dict[str, Any]] = {}
    begun = []
    answers = []
    for mark in marks:
        delivery, number = mark.delivery, mark.delivery.attempts + 1
        row = current[row_id(delivery)]
        is_marked = row.state == State.SENDING and row.attempts == number and row.claim == delivery.claim
        was_tried, mark.was_tried = mark.was_tried, True
        if was_tried and is_marked:  # by this very mark: the database did not live to tell of its commit
            answers.append(True)
            continue
        if not (may_go_on(row, delivery) and row.claim_expires_at and row.claim_expires_at > now):
            answers.append(False)
            continue
        answers.append(True)
        open_s = sum(seconds_shut(circuits.get(name), now) for name in mark.circuits)
        changes[row_id(delivery)] = {
            "state": State.SENDING,
            "attempts": number,
            "body": mark.body,
            "key": mark.key,
            "warnings": mark.warnings,
            "claim_expires_at": now + timedelta(seconds=mark.lease_s),
            "updated_at": now,
            **run_values(delivery, now, open_s),
        }
        begun.append(
            {
                "delivery_id": delivery.id,
                "number": number,
                "started_at": now,
                "is_manual": delivery.is_manual,
                "outcome": State.SENDING,
            }
        )
    if begun:
        update_rows(transaction.connection, deliveries, changes)
        unique = ["delivery_id", "number"]
        if len(insert_numbered(transaction.connection, attempts, begun, unique=unique)) != len(begun):
            raise RuntimeError("an attempt of that number is there already")
    return answers


def may_go_on(row: Delivery, delivery: Delivery) -> bool:
    """True when `row` is `delivery` as it was read: still claimed by the same, and nothing newer came of its order.

    A thin webhook's repeat, or a person, wakes a delivery without a new event: then its due time tells.
    """
    is_held = row.state == State.WAITING and row.claim == delivery.claim and row.claim is not None
    is_as_read = row.event_id == delivery.event_id and row.due_at == delivery.due_at
    return is_held and is_as_read and row.attempts == delivery.attempts


def run_values(delivery: Delivery, now: datetime, run_open_s: float) -> dict[str, Any]:
    """The run's count after one more attempt; its beginning, if this is its first."""
    is_first = delivery.run_started_at is None
    return {
        "run_tries": 1 if is_first else delivery.run_tries + 1,
        "run_started_at": now if is_first else delivery.run_started_at,
        "run_open_s": run_open_s if is_first else delivery.run_open_s,
    }


def record_sent(database: Database, ended: Ended) -> bool:
    """Record the outcome of an attempt that was `sending`. False when the claim was lost meanwhile."""
    return database.commit(record_all_sent, ended, is_patient=True)


def record_all_sent(transaction: Transaction, batch: Sequence[Ended]) -> list[bool]:
    current = lock_deliveries(transaction, [row_id(ended.delivery) for ended in batch])
    changes: dict[int, dict[str, Any]] = {}
    tried: dict[int, Tried] = {}
    answers = []
    for ended in batch:
        delivery, row = ended.delivery, current[row_id(ended.delivery)]
        is_mine = row.state == State.SENDING and row.claim == delivery.claim and row.attempts == ended.tried.number
        if is_mine:
            changes[row_id(delivery)] = settled(delivery, ended.decision, transaction.now)
            tried[row_id(delivery)] = ended.tried
        answers.append(is_mine or is_recorded(transaction, ended))
    if changes:
        update_rows(transaction.connection, deliveries, changes)
        update_attempts(transaction, tried)
    for ended, is_settled in zip(batch, answers, strict=True):
        if not is_settled:
            record_late(transaction, ended)
        elif ended.decision.state != State.DELIVERED:
            catch_up(transaction, row_id(ended.delivery))
    note_health(transaction, [ended.health for ended in batch])
    return answers


def update_attempts(transaction: Transaction, tried: dict[int, Tried]) -> None:
    rows = [(kept(one), (delivery_id, one.number)) for delivery_id, one in tried.items()]
    names = tuple(rows[0][0])
    update_by(transaction.connection, attempts, names, ("delivery_id", "number"), rows)


def is_recorded(transaction: Transaction, ended: Ended) -> bool:
    """True when this very outcome is recorded already: the database did not live to tell of its commit."""
    statement = select(attempts.c.outcome, attempts.c.duration_ms, attempts.c.reply).where(
        attempts.c.delivery_id == ended.delivery.id, attempts.c.number == ended.tried.number
    )
    tried = ended.tried
    return tuple(transaction.execute(statement).one()) == (tried.outcome, tried.duration_ms, tried.reply)


def record_unsent(database: Database, ended: Ended, *, run_open_s: float) -> bool:
    """Record an attempt that ended before the order's own request: no token, or not the order itself, was had."""

    def record(transaction: Transaction) -> bool:
        delivery, tried = ended.delivery, ended.tried
        row = lock_deliveries(transaction, [row_id(delivery)])[row_id(delivery)]
        is_held = row.state == State.WAITING and row.claim == delivery.claim and row.claim is not None
        is_mine = is_held and row.attempts == delivery.attempts
        if is_mine:
            values = {
                **settled(delivery, ended.decision, transaction.now),
                **run_values(delivery, transaction.now, run_open_s),
                "attempts": tried.number,
            }
            update_rows(transaction.connection, deliveries, {row_id(delivery): values})
            values = {"delivery_id": delivery.id, "number": tried.number, "is_manual": delivery.is_manual}
            transaction.execute(insert(attempts).values({**values, **kept(tried)}))
            give_back_probe(transaction, row)
            catch_up(transaction, row_id(delivery))
        note_health(transaction, [ended.health])
        return is_mine

    return database.transact(record)


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


def catch_up(transaction: Transaction, delivery_id: int) -> None:
    """Apply what came in while the attempt was under way: a cancellation, or a newer version."""
    current = lock_deliveries(transaction, [delivery_id])[delivery_id]
    if current.state != State.WAITING and current.reason not in (Reason.REFUSED, Reason.EXHAUSTED):
        return
    if is_cancelled(transaction.connection, current.store, current.order_id, overruled=current.overruled):
        stop_for_cancellation(transaction, current)
    elif current.frozen_since is None:
        newest = transaction.execute(select_newest(current.store, current.order_id)).scalar_one()
        if newest != current.event_id:
            update_rows(transaction.connection, deliveries, {delivery_id: {"event_id": newest}})


def record_late(transaction: Transaction, ended: Ended) -> None:
    """An answer that comes after its claim was lost: success settles the current attempt, the rest is noted."""
    tried, decision, delivery_id = ended.tried, ended.decision, row_id(ended.delivery)
    current = lock_deliveries(transaction, [delivery_id])[delivery_id]
    is_current = current.attempts == tried.number
    may_settle = current.state == State.WAITING or current.reason == Reason.UNCERTAIN
    if is_current and may_settle and decision.state == State.DELIVERED:
        update_rows(transaction.connection, deliveries, {delivery_id: settled(current, decision, transaction.now)})
        update_attempts(transaction, {delivery_id: tried})
        return
    said = f"Attempt {tried.number} was answered after its claim was lost: {tried.outcome}"
    remote = f", the destination's id is {decision.remote_id}" if decision.remote_id else ""
    add_note(transaction, delivery_id, "alert", f"{said}{remote}. Compare with the destination.")


def park_unmappable(database: Database, delivery: Delivery, problems: list[str]) -> bool:
    """Park it with its problems. False when the claim was lost, or there is news of the order: read it again."""
    reason = Reason.UNCERTAIN if delivery.frozen_since else Reason.UNMAPPABLE  # an attempt may have been processed
    rows = missing_rows_in(problems)
    missing_rows = json.dumps(rows) if rows else None
    return leave(database, delivery, state=State.PARKED, reason=reason, problems=problems, missing_rows=missing_rows)


def discard(database: Database, delivery: Delivery, reason: Reason, why: str) -> bool:
    return leave(database, delivery, state=State.DISCARDED, reason=reason, problems=[why])


def postpone(database: Database, delivery: Delivery, due_at: datetime) -> bool:
    """Give it back until then, without an attempt."""
    return leave(database, delivery, due_at=due_at)


def leave(database: Database, delivery: Delivery, **values: Any) -> bool:
    def change(transaction: Transaction) -> bool:
        row = lock_deliveries(transaction, [row_id(delivery)])[row_id(delivery)]
        if not may_go_on(row, delivery):
            return False
        ended = {"claim": None, "claim_expires_at": None, "due_at": None, "updated_at": transaction.now, **values}
        update_rows(transaction.connection, deliveries, {row_id(delivery): ended})
        give_back_probe(transaction, row)
        return True

    return database.transact(change)
