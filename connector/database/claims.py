"""Leases on due deliveries. Many threads and processes share them, and recover those of a dead process."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, update
from sqlmodel import Session, and_, col, select

from connector.core.messages import build_message
from connector.database.attempts import apply_missed_events
from connector.database.circuits import (
    available_slots,
    insert_missing_circuits,
    lock_free_circuits,
    read_circuits,
    reserve_probe,
    take_rate_slots,
)
from connector.database.corrections import load_corrections_of
from connector.database.deliveries import LockedDelivery, lock_deliveries, update_delivery
from connector.database.engine import Database, Transaction
from connector.database.models import Attempt, Delivery, Event, Reason, State
from connector.database.sql.run import run
from connector.database.sql.statements import CLAIM, COUNT_IN_FLIGHT, HAS_DUE, SELECT_DUE
from mappings.corrections import Correction
from mappings.destination import Outcome

#: Built once: it runs in every claim.
SELECT_CLAIMED = select(Delivery, Event).where(
    col(Delivery.event_id) == col(Event.id), col(Delivery.id).in_(bindparam("ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Limit:
    concurrency: int  # deliveries in flight at once
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A claimed delivery, and what its request is made from: an event, and what people entered for the order."""

    delivery: Delivery
    event: Event
    corrections: tuple[Correction, ...] = ()


def ensure_circuits(database: Database, accounts: Collection[str]) -> None:
    """Insert missing circuits. A claim locks that row, so that one process at a time counts against the limits."""
    missing = sorted(set(accounts) - set(read_circuits(database, accounts)))
    if missing:
        database.transact(lambda transaction: insert_missing_circuits(transaction, missing))


def accounts_with_due_work(database: Database, accounts: Collection[str]) -> list[str]:
    """The accounts that can take a delivery that is due and not claimed. Takes no lock."""
    now = database.clock()
    with database.read() as session:
        connection = session.connection()
        return [account for account in sorted(accounts) if run(connection, HAS_DUE, {"account": account, "now": now})]


def claim_deliveries(
    database: Database,
    *,
    worker_id: str,
    limits: Mapping[str, Limit],
    lease_s: float,
    max_claims: Mapping[str, int] | None = None,
    credentials_version: int = 0,
) -> list[ClaimedDelivery]:
    """Lease due deliveries, oldest first, up to the limit of each account less what is in flight.

    Args:
        worker_id: only this worker can change what it claimed.
        limits: by account id, over all processes. If the account's circuit is open, one delivery is claimed when a
            probe is due; if it is paused, none.
        max_claims: by account id, how many deliveries this worker can take. By default, any number.
        credentials_version: of the entered credentials that this process has. Of an account whose credentials were
            replaced since, none is claimed.
    """

    def claim_due(transaction: Transaction) -> list[ClaimedDelivery]:
        ids: list[int] = []
        for circuit in lock_free_circuits(transaction, limits):
            if circuit.credentials_version > credentials_version:
                continue
            limit = limits[circuit.account]
            params = {"account": circuit.account, "now": transaction.now}
            ((in_flight,),) = run(transaction.connection, COUNT_IN_FLIGHT, params)
            free_slots = limit.concurrency - in_flight
            if max_claims is not None:
                free_slots = min(free_slots, max_claims[circuit.account])
            slots = available_slots(circuit, free_slots, transaction.now)
            if slots < 1:
                continue
            due_ids = [id_ for (id_,) in run(transaction.connection, SELECT_DUE, {**params, "max_rows": slots})]
            if limit.rate_per_s is not None:
                due_ids = due_ids[: take_rate_slots(transaction, circuit, len(due_ids), limit.rate_per_s)]
            if due_ids and circuit.opened_at is not None:
                reserve_probe(transaction, circuit, lease_s)
            ids += due_ids
        if not ids:
            return []
        claim_expires_at = transaction.now + timedelta(seconds=lease_s)
        values = {"ids": ids, "claimed_by": worker_id, "claim_expires_at": claim_expires_at}
        run(transaction.connection, CLAIM, values)
        return load_claimed(transaction, ids)

    return database.transact(claim_due)


def load_claimed(transaction: Transaction, ids: list[int]) -> list[ClaimedDelivery]:
    """The deliveries of these ids with what their requests are made from, in the order of the ids."""
    with Session(transaction.connection) as session:
        rows = session.exec(SELECT_CLAIMED, params={"ids": ids}).all()
        corrections = load_corrections_of(session, ids)
    claimed_by_id = {
        delivery.id: ClaimedDelivery(delivery, event, corrections.get(delivery.id, ())) for delivery, event in rows
    }
    return [claimed_by_id[id_] for id_ in ids]


def release_claims(database: Database, worker_id: str, *, exclude: Collection[int] = ()) -> int:
    """Release what this worker claimed and did not send. Returns the number.

    Args:
        exclude: deliveries that are under way. Others may be claimed by a commit that was not confirmed.
    """
    # Not filtered by state: SQLite would scan all waiting deliveries instead of the few claimed ones.
    statement = select(Delivery.id, Delivery.state).where(col(Delivery.claimed_by) == worker_id)
    with database.read() as session:
        held_ids = {id_ for id_, state in session.exec(statement) if state == State.WAITING}
    stray_ids = held_ids - set(exclude)

    def release(transaction: Transaction) -> int:
        is_held = and_(col(Delivery.id).in_(sorted(stray_ids)), col(Delivery.claimed_by) == worker_id)
        values = {"claimed_by": None, "claim_expires_at": None}
        release_statement = update(Delivery).where(is_held, col(Delivery.state) == State.WAITING).values(values)
        return transaction.execute(release_statement).rowcount

    return database.transact(release) if stray_ids else 0


def expire_leases_of_dead_workers(database: Database, is_dead: Callable[[str], bool]) -> int:
    """End the leases of dead workers before they expire. Returns the number of dead workers.

    Args:
        is_dead: whether the worker of an id certainly no longer runs.
    """
    active_claims = select(Delivery.claimed_by).where(
        col(Delivery.claimed_by).is_not(None), col(Delivery.claim_expires_at) > database.clock()
    )
    with database.read() as session:
        workers = session.exec(active_claims.distinct()).all()
    dead_workers = [worker_id for worker_id in workers if worker_id is not None and is_dead(worker_id)]

    def expire(transaction: Transaction) -> None:
        statement = (
            update(Delivery).where(col(Delivery.claimed_by).in_(dead_workers)).values(claim_expires_at=transaction.now)
        )
        transaction.execute(statement)

    if dead_workers:
        database.transact(expire)
    return len(dead_workers)


def recover_interrupted(database: Database, *, destinations_with_idempotency: Collection[str]) -> list[int]:
    """Settle what was `sending` when its lease expired. Returns the deliveries' ids.

    Args:
        destinations_with_idempotency: there the same bytes are sent again with the same key. Elsewhere the delivery
            is parked as uncertain.
    """
    now = database.clock()
    interrupted = select(Delivery.id).where(col(Delivery.state) == State.SENDING, col(Delivery.claim_expires_at) <= now)
    with database.read() as session:
        ids = session.exec(interrupted).all()

    def recover(transaction: Transaction) -> list[int]:
        locked_rows = lock_deliveries(transaction, ids).values()
        rows = [row for row in locked_rows if row.state == State.SENDING and is_lease_expired(row, transaction)]
        for row in rows:
            is_attempt = and_(col(Attempt.delivery_id) == row.id, col(Attempt.number) == row.attempts)
            if row.destination in destinations_with_idempotency:
                started_at = transaction.load_one(select(Attempt.started_at).where(is_attempt))
                lock_values = {"locked_since": row.locked_since or started_at or transaction.now}
                values = {"state": State.WAITING, "due_at": transaction.now, **lock_values}
            else:
                values = {"state": State.PARKED, "reason": Reason.UNCERTAIN, "due_at": None}
            values |= {"claimed_by": None, "claim_expires_at": None, "updated_at": transaction.now}
            update_delivery(transaction, row.id, values)
            transaction.execute(
                update(Attempt)
                .where(is_attempt)
                .values(outcome=Outcome.AMBIGUOUS, error=build_message("interrupted").to_json())
            )
            apply_missed_events(transaction, row.id)
        return [row.id for row in rows]

    return database.transact(recover) if ids else []


def is_lease_expired(row: LockedDelivery, transaction: Transaction) -> bool:
    return row.claim_expires_at is not None and row.claim_expires_at <= transaction.now
