"""Claims: leases on waiting deliveries. Many threads and processes share the work, and a dead one's comes back."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import BindParameter, and_, bindparam, func, or_, select, update

from connector.database.circuits import (
    CIRCUIT_COLUMNS,
    available_slots,
    insert_missing_circuits,
    load_circuits,
    reserve_probe,
    take_rate_slots,
)
from connector.database.deliveries import apply_missed_events, lock_deliveries
from connector.database.engine import Database, Transaction
from connector.database.models import (
    Circuit,
    Delivery,
    Event,
    Reason,
    State,
    TZDateTime,
    attempts,
    circuits,
    deliveries,
    events,
)
from connector.database.orders import row_id
from connector.database.sql.execute import fetch_scalars, select_by, select_joined, update_rows
from mappings.destination import Outcome

ACCOUNT: BindParameter[str] = bindparam("account")
NOW = bindparam("now", type_=TZDateTime)

IS_DUE = and_(
    deliveries.c.state == State.WAITING,
    deliveries.c.due_at <= NOW,
    or_(deliveries.c.claimed_by.is_(None), deliveries.c.claim_expires_at <= NOW),
)
#: Not for one that takes nothing now: paused, or open and the next probe not yet due.
HAS_DUE = (
    select(circuits.c.account)
    .where(circuits.c.account == ACCOUNT, circuits.c.paused_at.is_(None))
    .where(or_(circuits.c.opened_at.is_(None), circuits.c.probe_at.is_(None), circuits.c.probe_at <= NOW))
    .where(
        select(deliveries.c.id)  # by its order, or PostgreSQL looks through all that wait, or all that do not
        .where(deliveries.c.account == ACCOUNT, IS_DUE)
        .order_by(deliveries.c.due_at)
        .limit(1)
        .scalar_subquery()
        .is_not(None)
    )
)
#: The ids of what is due and free, oldest first, without what another process is claiming at this moment.
DUE_IDS = (
    select(deliveries.c.id)
    .where(deliveries.c.account == ACCOUNT, IS_DUE)
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(bindparam("max_rows"))
    .with_for_update(skip_locked=True)
)
IN_FLIGHT_COUNT = select(func.count()).where(
    deliveries.c.account == ACCOUNT, deliveries.c.claimed_by.is_not(None), deliveries.c.claim_expires_at > NOW
)
DELIVERY_COLUMNS = tuple(column.name for column in deliveries.c)
EVENT_COLUMNS = tuple(column.name for column in events.c)

INTERRUPTED = "The process ended, or lost its claim, before an answer was recorded."


@dataclass(frozen=True, slots=True)
class Limit:
    concurrency: int  # at once
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery under its claim, and the event that it is to be made from."""

    delivery: Delivery
    event: Event


def ensure_circuits(database: Database, accounts: Collection[str]) -> None:
    """Give each a circuit. Claims lock that row: what an account's limits leave is counted by one process at a time."""

    with database.read() as connection:
        missing = sorted(set(accounts) - set(load_circuits(connection, accounts)))

    if missing:
        database.transact(lambda transaction: insert_missing_circuits(transaction, missing))


def accounts_with_due_work(database: Database, accounts: Collection[str]) -> list[str]:
    """The accounts for which some delivery waits and is due and free. A read: it takes no lock."""
    now = database.clock()
    with database.read() as connection:
        return [
            account
            for account in sorted(accounts)
            if fetch_scalars(connection, HAS_DUE, {"account": account, "now": now})
        ]


def claim_deliveries(
    database: Database, *, worker_id: str, limits: Mapping[str, Limit], lease_s: float
) -> list[ClaimedDelivery]:
    """Take a lease on what is due, oldest first: per account as many as its limit leaves beside those in flight.

    Args:
        claim: names the claimant; only it can change what it claimed.
        limits: account id to what all processes together may claim of it. Of an account whose circuit is open,
            one is claimed when a probe is due; of one that is paused, none.
    """

    def claim_due(transaction: Transaction) -> list[ClaimedDelivery]:
        ids: list[int] = []
        for circuit in lock_free_circuits(transaction, limits):
            limit = limits[circuit.account]
            params = {"account": circuit.account, "now": transaction.now}
            (in_flight,) = fetch_scalars(transaction.connection, IN_FLIGHT_COUNT, params)
            slots = available_slots(circuit, limit.concurrency - in_flight, transaction.now)
            if slots < 1:
                continue
            due_ids = fetch_scalars(transaction.connection, DUE_IDS, {**params, "max_rows": slots})
            if limit.rate_per_s is not None:
                due_ids = due_ids[: take_rate_slots(transaction, circuit, len(due_ids), limit.rate_per_s)]
            if due_ids and circuit.opened_at is not None:
                reserve_probe(transaction, circuit, lease_s)
            ids += due_ids
        if not ids:
            return []
        values = {"claimed_by": worker_id, "claim_expires_at": transaction.now + timedelta(seconds=lease_s)}
        update_rows(transaction.connection, deliveries, dict.fromkeys(ids, values))
        return read_claimed(transaction, ids)

    return database.transact(claim_due)


def lock_free_circuits(transaction: Transaction, accounts: Collection[str]) -> Sequence[Circuit]:
    """Those that no other process is claiming from at this moment."""
    lock_clause = "FOR UPDATE SKIP LOCKED"
    return select_by(
        transaction.connection, circuits, CIRCUIT_COLUMNS, "account", sorted(accounts), lock_clause=lock_clause
    )


def read_claimed(transaction: Transaction, ids: list[int]) -> list[ClaimedDelivery]:
    rows = select_joined(transaction.connection, deliveries, DELIVERY_COLUMNS, "event_id", events, EVENT_COLUMNS, ids)
    claimed_by_id = {delivery.id: ClaimedDelivery(delivery, event) for delivery, event in rows}
    return [claimed_by_id[id_] for id_ in ids]


def release_claims(database: Database, worker_id: str, *, exclude: Collection[int] = ()) -> int:
    """Give back what was claimed and not sent. Returns how many.

    Args:
        besides: deliveries that are under way. The rest was claimed by a commit that the database did not tell of.
    """
    # By the claim alone, of which there are few: asked for the state too, SQLite looks through all that waits.
    statement = select(deliveries.c.id, deliveries.c.state).where(deliveries.c.claimed_by == worker_id)
    with database.read() as connection:
        held_ids = {id_ for id_, state in connection.execute(statement) if state == State.WAITING}
    stray_ids = held_ids - set(exclude)

    def release(transaction: Transaction) -> int:
        is_held = and_(deliveries.c.id.in_(sorted(stray_ids)), deliveries.c.claimed_by == worker_id)
        values = {"claimed_by": None, "claim_expires_at": None}
        release_statement = update(deliveries).where(is_held, deliveries.c.state == State.WAITING).values(values)
        return transaction.execute(release_statement).rowcount

    return database.transact(release) if stray_ids else 0


def expire_leases_of_dead_workers(database: Database, is_dead: Callable[[str], bool]) -> int:
    """End the leases of claimants that have died, so that nobody waits for them. Returns how many there were."""
    now = database.clock()
    active_claims = select(deliveries.c.claimed_by).where(
        deliveries.c.claimed_by.is_not(None), deliveries.c.claim_expires_at > now
    )
    with database.read() as connection:
        dead_workers = [
            worker_id for worker_id in connection.execute(active_claims.distinct()).scalars() if is_dead(worker_id)
        ]

    def expire(transaction: Transaction) -> None:
        statement = (
            update(deliveries).where(deliveries.c.claimed_by.in_(dead_workers)).values(claim_expires_at=transaction.now)
        )
        transaction.execute(statement)

    if dead_workers:
        database.transact(expire)
    return len(dead_workers)


def recover_interrupted(database: Database, *, destinations_with_idempotency: Collection[str]) -> list[int]:
    """Settle what was `sending` when its claimant died or fell silent. Returns the deliveries' ids.

    Args:
        keyed: destinations with an idempotency key: there the same bytes go out again under the same key.
            Elsewhere a person decides.
    """
    now = database.clock()
    interrupted = select(deliveries.c.id).where(
        deliveries.c.state == State.SENDING, deliveries.c.claim_expires_at <= now
    )
    with database.read() as connection:
        ids = list(connection.execute(interrupted).scalars())

    def recover(transaction: Transaction) -> list[int]:
        locked_rows = lock_deliveries(transaction, ids).values()
        rows = [row for row in locked_rows if row.state == State.SENDING and is_lease_expired(row, transaction)]
        for row in rows:
            if row.destination in destinations_with_idempotency:
                lock_values = {"locked_since": row.locked_since or transaction.now}
                values = {"state": State.WAITING, "due_at": transaction.now, **lock_values}
            else:
                values = {"state": State.PARKED, "reason": Reason.UNCERTAIN, "due_at": None}
            values |= {"claimed_by": None, "claim_expires_at": None, "updated_at": transaction.now}
            update_rows(transaction.connection, deliveries, {row_id(row): values})
            transaction.execute(
                update(attempts)
                .where(attempts.c.delivery_id == row.id, attempts.c.number == row.attempts)
                .values(outcome=Outcome.AMBIGUOUS, error=INTERRUPTED)
            )
            apply_missed_events(transaction, row_id(row))
        return [row_id(row) for row in rows]

    return database.transact(recover) if ids else []


def is_lease_expired(row: Delivery, transaction: Transaction) -> bool:
    return row.claim_expires_at is not None and row.claim_expires_at <= transaction.now
