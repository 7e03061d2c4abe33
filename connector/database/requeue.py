"""Finds what is parked since rows of tables are missing, and lets it wait again. Whether they are there, others say."""

from collections.abc import Collection

from sqlalchemy import and_, select, update

from connector.database.deliveries import reset_values
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Reason, State, deliveries, read_rows

IS_MISSING_ROWS = and_(
    deliveries.c.state == State.PARKED,
    deliveries.c.reason == Reason.UNMAPPABLE,
    deliveries.c.missing_rows.is_not(None),
)


def deliveries_missing_rows(database: Database) -> list[Delivery]:
    """The id, account and `missing_rows` of each that is parked for want of a row."""
    columns = (deliveries.c.id, deliveries.c.account, deliveries.c.missing_rows)
    with database.read() as connection:
        return read_rows(connection.execute(select(*columns).where(IS_MISSING_ROWS).order_by(deliveries.c.id)))


def requeue_deliveries(database: Database, ids: Collection[int]) -> int:
    """Let those of them wait anew, due at once, that are still parked for want of a row. Returns how many."""

    def change(transaction: Transaction) -> int:
        values = {**reset_values(transaction.now), "updated_at": transaction.now}
        statement = update(deliveries).where(deliveries.c.id.in_(sorted(ids)), IS_MISSING_ROWS).values(values)
        count = transaction.execute(statement).rowcount
        if count:
            transaction.notify()
        return count

    return database.transact(change)
