"""The current state of the queues, read from indexes of open rows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from connector.database.circuits import CircuitState, circuit_state
from connector.database.engine import Database
from connector.database.models import Circuit, Delivery, Event, State

OPEN_STATES = (State.WAITING, State.SENDING, State.PARKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDeliveries:
    """The waiting deliveries of one account."""

    count: int
    due_since: datetime | None  # when the first of them became due


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Current values, by account id unless noted."""

    waiting: dict[str, int]
    sending: dict[str, int]
    parked: dict[tuple[str, str], int]  # by account id and reason
    backlog_age_s: dict[str, float]  # how long the oldest due delivery has waited
    open_circuits: set[str]  # circuit names
    paused_accounts: set[str]
    duplicates: dict[str, int]  # by store id: repeated webhooks


def read_gauges(database: Database, accounts: Collection[str]) -> Gauges:
    """Read all gauges; `waiting`, `parked` and `backlog_age_s` of these accounts only."""
    in_accounts = col(Delivery.account).in_(accounts)
    waiting = (
        select(Delivery.account, func.count(), func.min(Delivery.due_at))
        .where(in_accounts, Delivery.state == State.WAITING)
        .group_by(Delivery.account)
    )
    sending = select(Delivery.account, func.count()).where(Delivery.state == State.SENDING).group_by(Delivery.account)
    parked = (
        select(Delivery.account, Delivery.reason, func.count())
        .where(in_accounts, Delivery.state == State.PARKED)
        .group_by(Delivery.account, col(Delivery.reason))
    )
    duplicates = select(Event.store, func.sum(Event.duplicates)).where(Event.duplicates > 0).group_by(Event.store)
    now = database.clock()
    with database.read() as session:
        waiting_rows = session.exec(waiting).all()
        circuits = session.exec(select(Circuit)).all()
        return Gauges(
            waiting={account: count for account, count, _ in waiting_rows},
            backlog_age_s={
                account: max(0.0, (now - due_at).total_seconds()) for account, _, due_at in waiting_rows if due_at
            },
            sending=dict(session.exec(sending).all()),
            parked={(account, reason or ""): count for account, reason, count in session.exec(parked)},
            open_circuits={circuit.account for circuit in circuits if circuit.opened_at is not None},
            paused_accounts={circuit.account for circuit in circuits if circuit_state(circuit) is CircuitState.PAUSED},
            duplicates={store: int(count) for store, count in session.exec(duplicates)},
        )


def count_open(database: Database) -> dict[str, dict[str, int]]:
    """The number of waiting, sending and parked deliveries, by account and state."""
    statement = (
        select(Delivery.account, Delivery.state, func.count())
        .where(col(Delivery.state).in_(OPEN_STATES))
        .group_by(Delivery.account, Delivery.state)
    )
    counts: dict[str, dict[str, int]] = {}
    with database.read() as session:
        for account, state, count in session.exec(statement):
            counts.setdefault(account, dict.fromkeys(map(str, OPEN_STATES), 0))[state] = count
    return counts


def count_waiting(database: Database) -> dict[str, WaitingDeliveries]:
    """By account. Read from the index of due deliveries."""
    statement = (
        select(Delivery.account, func.count(), func.min(Delivery.due_at))
        .where(Delivery.state == State.WAITING)
        .group_by(Delivery.account)
    )
    with database.read() as session:
        rows = session.exec(statement).all()
    return {account: WaitingDeliveries(count=count, due_since=due_since) for account, count, due_since in rows}


def count_parked(database: Database) -> dict[str, int]:
    """By reason. Read from the index of states."""
    statement = (
        select(Delivery.reason, func.count()).where(Delivery.state == State.PARKED).group_by(col(Delivery.reason))
    )
    with database.read() as session:
        return {reason or "": count for reason, count in session.exec(statement)}
