"""When the connector first ran with each store."""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import KnownStore


def record_first_runs(database: Database, store_ids: Collection[str]) -> dict[str, datetime]:
    """Record that the connector runs with these stores now, for those that are new. Returns when each was new."""
    statement = select(KnownStore).where(col(KnownStore.id).in_(store_ids))

    def record(transaction: Transaction) -> None:
        rows = [{"id": store_id, "first_run_at": transaction.now} for store_id in sorted(store_ids)]
        insert_ignore(transaction.connection, KnownStore, rows, unique=("id",))

    first_runs = read_first_runs(database, statement)
    if set(store_ids) - set(first_runs):
        database.transact(record)
        first_runs = read_first_runs(database, statement)
    return first_runs


def read_first_runs(database: Database, statement: SelectOfScalar[KnownStore]) -> dict[str, datetime]:
    with database.read() as session:
        return {store.id: store.first_run_at for store in session.exec(statement)}
