"""Claims: leases on waiting deliveries. Many threads and processes share the work, and a dead one's comes back."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import BindParameter, and_, bindparam, func, or_, select, update

from connector.database.circuits import ALL, book_probe, let_pass, load_circuits, make_circuits, room
from connector.database.deliveries import catch_up, lock_deliveries
from connector.database.engine import Database, Transaction
from connector.database.models import (
    Circuit,
    Delivery,
    Event,
    Instant,
    Reason,
    State,
    attempts,
    circuits,
    deliveries,
    events,
)
from connector.database.orders import row_id
from connector.database.sql.execute import read_column, select_by, select_joined, update_rows
from mappings.integration import Outcome

ACCOUNT: BindParameter[str] = bindparam("account")
NOW = bindparam("now", type_=Instant)

IS_DUE = and_(
    deliveries.c.state == State.WAITING,
    deliveries.c.due_at <= NOW,
    or_(deliveries.c.claim.is_(None), deliveries.c.claim_expires_at <= NOW),
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
DUE = (
    select(deliveries.c.id)
    .where(deliveries.c.account == ACCOUNT, IS_DUE)
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
IN_FLIGHT = select(func.count()).where(
    deliveries.c.account == ACCOUNT, deliveries.c.claim.is_not(None), deliveries.c.claim_expires_at > NOW
)
OF_DELIVERY = tuple(column.name for column in deliveries.c)
OF_EVENT = tuple(column.name for column in events.c)

CRASHED = "The process ended, or lost its claim, before an answer was recorded."


@dataclass(frozen=True, slots=True)
class Limit:
    concurrency: int  # at once
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under its claim, and the event that it is to be made from."""

    delivery: Delivery
    event: Event


def open_accounts(database: Database, accounts: Collection[str]) -> None:
    """Give each a circuit. Claims lock that row: what an account's limits leave is counted by one process at a time."""

    with database.read() as connection:
        missing = sorted(set(accounts) - set(load_circuits(connection, accounts)))

    if missing:
        database.transact(lambda transaction: make_circuits(transaction, missing))


def due_accounts(database: Database, accounts: Collection[str]) -> list[str]:
    """The accounts for which some delivery waits and is due and free. A read: it takes no lock."""
    now = database.clock()
    with database.read() as connection:
        return [one for one in sorted(accounts) if read_column(connection, HAS_DUE, {"account": one, "now": now})]


def claim_deliveries(database: Database, *, claim: str, limits: Mapping[str, Limit], lease_s: float) -> list[Claimed]:
    """Take a lease on what is due, oldest first: per account as many as its limit leaves beside those in flight.

    Args:
        claim: names the claimant; only it can change what it claimed.
        limits: account id to what all processes together may claim of it. Of an account whose circuit is open,
            one is claimed when a probe is due; of one that is paused, none.
    """

    def take(transaction: Transaction) -> list[Claimed]:
        ids: list[int] = []
        for circuit in lock_circuits(transaction, limits):
            limit = limits[circuit.account]
            given = {"account": circuit.account, "now": transaction.now}
            (in_flight,) = read_column(transaction.connection, IN_FLIGHT, given)
            free = room(circuit, limit.concurrency - in_flight, transaction.now)
            if free < 1:
                continue
            due = read_column(transaction.connection, DUE, {**given, "most": free})
            if limit.rate_per_s is not None:
                due = due[: let_pass(transaction, circuit, len(due), limit.rate_per_s)]
            if due and circuit.opened_at is not None:
                book_probe(transaction, circuit, lease_s)
            ids += due
        if not ids:
            return []
        values = {"claim": claim, "claim_expires_at": transaction.now + timedelta(seconds=lease_s)}
        update_rows(transaction.connection, deliveries, dict.fromkeys(ids, values))
        return read_claimed(transaction, ids)

    return database.transact(take)


def lock_circuits(transaction: Transaction, accounts: Collection[str]) -> Sequence[Circuit]:
    """Those that no other process is claiming from at this moment."""
    locks = "FOR UPDATE SKIP LOCKED"
    return select_by(transaction.connection, circuits, ALL, "account", sorted(accounts), locks=locks)


def read_claimed(transaction: Transaction, ids: list[int]) -> list[Claimed]:
    rows = select_joined(transaction.connection, deliveries, OF_DELIVERY, "event_id", events, OF_EVENT, ids)
    claimed = {delivery.id: Claimed(delivery, event) for delivery, event in rows}
    return [claimed[id_] for id_ in ids]


def release_claims(database: Database, claim: str, *, besides: Collection[int] = ()) -> int:
    """Give back what was claimed and not sent. Returns how many.

    Args:
        besides: deliveries that are under way. The rest was claimed by a commit that the database did not tell of.
    """
    # By the claim alone, of which there are few: asked for the state too, SQLite looks through all that waits.
    statement = select(deliveries.c.id, deliveries.c.state).where(deliveries.c.claim == claim)
    with database.read() as connection:
        held = {id_ for id_, state in connection.execute(statement) if state == State.WAITING}
    stray = held - set(besides)

    def free(transaction: Transaction) -> int:
        held = and_(deliveries.c.id.in_(sorted(stray)), deliveries.c.claim == claim)
        values = {"claim": None, "claim_expires_at": None}
        freed = update(deliveries).where(held, deliveries.c.state == State.WAITING).values(values)
        return transaction.execute(freed).rowcount

    return database.transact(free) if stray else 0


def expire_dead(database: Database, is_dead: Callable[[str], bool]) -> int:
    """End the leases of claimants that have died, so that nobody waits for them. Returns how many there were."""
    now = database.clock()
    held = select(deliveries.c.claim).where(deliveries.c.claim.is_not(None), deliveries.c.claim_expires_at > now)
    with database.read() as connection:
        dead = [claim for claim in connection.execute(held.distinct()).scalars() if is_dead(claim)]

    def end(transaction: Transaction) -> None:
        statement = update(deliveries).where(deliveries.c.claim.in_(dead)).values(claim_expires_at=transaction.now)
        transaction.execute(statement)

    if dead:
        database.transact(end)
    return len(dead)


def recover_lost(database: Database, *, keyed: Collection[str]) -> list[int]:
    """Settle what was `sending` when its claimant died or fell silent. Returns the deliveries' ids.

    Args:
        keyed: destinations with an idempotency key: there the same bytes go out again under the same key.
            Elsewhere a person decides.
    """
    now = database.clock()
    lost = select(deliveries.c.id).where(deliveries.c.state == State.SENDING, deliveries.c.claim_expires_at <= now)
    with database.read() as connection:
        ids = list(connection.execute(lost).scalars())

    def recover(transaction: Transaction) -> list[int]:
        found = lock_deliveries(transaction, ids).values()
        rows = [row for row in found if row.state == State.SENDING and is_over(row, transaction)]
        for row in rows:
            if row.destination in keyed:
                frozen = {"frozen_since": row.frozen_since or transaction.now}
                values = {"state": State.WAITING, "due_at": transaction.now, **frozen}
            else:
                values = {"state": State.PARKED, "reason": Reason.UNCERTAIN, "due_at": None}
            values |= {"claim": None, "claim_expires_at": None, "updated_at": transaction.now}
            update_rows(transaction.connection, deliveries, {row_id(row): values})
            transaction.execute(
                update(attempts)
                .where(attempts.c.delivery_id == row.id, attempts.c.number == row.attempts)
                .values(outcome=Outcome.AMBIGUOUS, error=CRASHED)
            )
            catch_up(transaction, row_id(row))
        return [row_id(row) for row in rows]

    return database.transact(recover) if ids else []


def is_over(row: Delivery, transaction: Transaction) -> bool:
    return row.claim_expires_at is not None and row.claim_expires_at <= transaction.now
