"""Reads how things stand at present, by look-ups whose cost hangs on what is open, not on what has ended."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select

from connector.database.engine import Database
from connector.database.models import State, circuits, deliveries, events, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """All by account's id, but what is said otherwise."""

    waiting: dict[str, int]
    sending: dict[str, int]
    parked: dict[tuple[str, str], int]  # by account and reason
    backlog_age_s: dict[str, float]  # for how long the oldest that is due has not been taken
    open_circuits: set[str]  # names of circuits
    paused_accounts: set[str]
    duplicates: dict[str, int]  # by store: webhooks that came again


def read_gauges(database: Database, accounts: Collection[str]) -> Gauges:
    """Of these accounts; everything else of all."""
    account, in_accounts = deliveries.c.account, deliveries.c.account.in_(accounts)
    waiting = (
        select(account, func.count().label("n"), func.min(deliveries.c.due_at).label("due_at"))
        .where(in_accounts, deliveries.c.state == State.WAITING)
        .group_by(account)
    )
    sending = select(account, func.count().label("n")).where(deliveries.c.state == State.SENDING).group_by(account)
    parked = (
        select(account, deliveries.c.reason, func.count().label("n"))
        .where(in_accounts, deliveries.c.state == State.PARKED)
        .group_by(account, deliveries.c.reason)
    )
    duplicates = (
        select(events.c.store, func.sum(events.c.duplicates).label("n"))
        .where(events.c.duplicates > 0)
        .group_by(events.c.store)
    )
    now = database.clock()
    with database.read() as connection:
        waiting_rows = read_rows(connection.execute(waiting))
        circuit_rows = read_rows(connection.execute(select(circuits)))
        return Gauges(
            waiting={row.account: row.n for row in waiting_rows},
            backlog_age_s={
                row.account: max(0.0, (now - row.due_at).total_seconds()) for row in waiting_rows if row.due_at
            },
            sending={row.account: row.n for row in read_rows(connection.execute(sending))},
            parked={(row.account, row.reason): row.n for row in read_rows(connection.execute(parked))},
            open_circuits={row.account for row in circuit_rows if row.opened_at is not None},
            paused_accounts={row.account for row in circuit_rows if row.paused_at is not None},
            duplicates={row.store: int(row.n) for row in read_rows(connection.execute(duplicates))},
        )
