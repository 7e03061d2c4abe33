"""Claims: leases on waiting deliveries. Many threads and processes share the work, and a dead one's comes back."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from connector.database.circuits import accounts_kept_shut, let_pass, let_probe
from connector.database.deliveries import catch_up
from connector.database.engine import Database
from connector.database.orders import row_id
from connector.database.tables import Delivery, Reason, State, attempts, deliveries
from mappings.spoke import Outcome

CRASHED = "The process ended, or lost its claim, before an answer was recorded."


@dataclass(frozen=True, slots=True)
class Limit:
    concurrency: int  # at once
    rate_per_s: float | None = None


def due_accounts(database: Database, accounts: Iterable[str], now: datetime) -> list[str]:
    """The accounts for which some delivery waits and is due and free. A read: it takes no lock."""
    with database.read() as connection:
        shut = accounts_kept_shut(connection, now)
        return [
            account
            for account in accounts
            if account not in shut and connection.execute(select_due(account, now, limit=1)).first()
        ]


def select_due(account: str, now: datetime, *, limit: int) -> Any:
    is_free = or_(deliveries.c.claim.is_(None), deliveries.c.claim_expires_at <= now)
    return (
        select(deliveries.c.id)
        .where(
            deliveries.c.account == account,
            deliveries.c.state == State.WAITING,
            deliveries.c.due_at <= now,
            is_free,
        )
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
    )


def claim_deliveries(
    database: Database, *, claim: str, limits: Mapping[str, Limit], now: datetime, lease_s: float
) -> list[Delivery]:
    """Take a lease on what is due, oldest first: per account as many as its limit leaves beside those in flight.

    Args:
        claim: names the claimant; only it can change what it claimed.
        limits: account id to what all processes together may claim of it. Of an account whose circuit is open,
            one is claimed when a probe is due.
    """
    claimed: list[Delivery] = []
    with database.write() as connection:
        for account, limit in limits.items():
            held = and_(deliveries.c.claim.is_not(None), deliveries.c.claim_expires_at > now)
            in_flight = connection.execute(
                select(func.count()).select_from(deliveries).where(deliveries.c.account == account, held)
            ).scalar_one()
            free = let_probe(connection, account, limit.concurrency - in_flight, now=now, lease_s=lease_s)
            if free > 0 and limit.rate_per_s is not None:
                waiting = len(connection.execute(select_due(account, now, limit=free)).all())
                free = let_pass(connection, account, waiting, limit.rate_per_s, now)
            if free < 1:
                continue
            statement = (
                update(deliveries)
                .where(deliveries.c.id.in_(select_due(account, now, limit=free).scalar_subquery()))
                .values(claim=claim, claim_expires_at=now + timedelta(seconds=lease_s))
                .returning(*deliveries.c)
            )
            claimed += [Delivery(**row._mapping) for row in connection.execute(statement)]
    return claimed


def release_claims(database: Database, claim: str) -> int:
    """Give back what was claimed and not sent. Returns how many."""
    with database.write() as connection:
        statement = (
            update(deliveries)
            .where(deliveries.c.claim == claim, deliveries.c.state == State.WAITING)
            .values(claim=None, claim_expires_at=None)
        )
        return connection.execute(statement).rowcount


def expire_dead(database: Database, is_dead: Callable[[str], bool], now: datetime) -> int:
    """End the leases of claimants that have died, so that nobody waits for them. Returns how many there were."""
    held = select(deliveries.c.claim).where(deliveries.c.claim.is_not(None), deliveries.c.claim_expires_at > now)
    with database.read() as connection:
        dead = [claim for claim in connection.execute(held.distinct()).scalars() if is_dead(claim)]
    if dead:
        with database.write() as connection:
            ended = update(deliveries).where(deliveries.c.claim.in_(dead)).values(claim_expires_at=now)
            connection.execute(ended)
    return len(dead)


def recover_lost(database: Database, *, keyed: Collection[str], now: datetime) -> list[int]:
    """Settle what was `sending` when its claimant died or fell silent. Returns the deliveries' ids.

    Args:
        keyed: destinations with an idempotency key: there the same bytes go out again under the same key.
            Elsewhere a person decides.
    """
    lost = and_(deliveries.c.state == State.SENDING, deliveries.c.claim_expires_at <= now)
    with database.read() as connection:
        if connection.execute(select(1).where(lost).limit(1)).first() is None:
            return []
    with database.write() as connection:
        rows = [Delivery(**row._mapping) for row in connection.execute(select(deliveries).where(lost))]
        for delivery in rows:
            if delivery.destination in keyed:
                values = {"state": State.WAITING, "due_at": now, "frozen_since": delivery.frozen_since or now}
            else:
                values = {"state": State.PARKED, "reason": Reason.UNCERTAIN, "due_at": None}
            connection.execute(
                update(deliveries)
                .where(deliveries.c.id == delivery.id)
                .values(claim=None, claim_expires_at=None, updated_at=now, **values)
            )
            connection.execute(
                update(attempts)
                .where(attempts.c.delivery_id == delivery.id, attempts.c.number == delivery.attempts)
                .values(outcome=Outcome.AMBIGUOUS, error=CRASHED)
            )
            catch_up(connection, delivery, now)
    return [row_id(delivery) for delivery in rows]
