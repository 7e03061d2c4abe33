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
    late_s: dict[str, float]  # for how long the oldest that is due has not been taken
    open: set[str]  # names of circuits
    paused: set[str]
    repeats: dict[str, int]  # by store: webhooks that came again


def read_gauges(database: Database, accounts: Collection[str]) -> Gauges:
    """Of these accounts; everything else of all."""
    account, of_account = deliveries.c.account, deliveries.c.account.in_(accounts)
    waiting = (
        select(account, func.count().label("n"), func.min(deliveries.c.due_at).label("due_at"))
        .where(of_account, deliveries.c.state == State.WAITING)
        .group_by(account)
    )
    sending = select(account, func.count().label("n")).where(deliveries.c.state == State.SENDING).group_by(account)
    parked = (
        select(account, deliveries.c.reason, func.count().label("n"))
        .where(of_account, deliveries.c.state == State.PARKED)
        .group_by(account, deliveries.c.reason)
    )
    repeats = (
        select(events.c.store, func.sum(events.c.duplicates).label("n"))
        .where(events.c.duplicates > 0)
        .group_by(events.c.store)
    )
    now = database.clock()
    with database.read() as connection:
        waits = read_rows(connection.execute(waiting))
        shut = read_rows(connection.execute(select(circuits)))
        return Gauges(
            waiting={row.account: row.n for row in waits},
            late_s={row.account: max(0.0, (now - row.due_at).total_seconds()) for row in waits if row.due_at},
            sending={row.account: row.n for row in read_rows(connection.execute(sending))},
            parked={(row.account, row.reason): row.n for row in read_rows(connection.execute(parked))},
            open={row.account for row in shut if row.opened_at is not None},
            paused={row.account for row in shut if row.paused_at is not None},
            repeats={row.store: int(row.n) for row in read_rows(connection.execute(repeats))},
        )
