"""How far catch-up has read the orders of each store. There is one row for each store."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, func, select

from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import StoreReading
from mappings.problems import Problem
from mappings.settings import Store

#: A store's orders cannot be read if so many readings in a row failed, over at least this time.
FAILING_READINGS, FAILING_FOR = 3, timedelta(minutes=15)
#: The pause after a reading that failed, doubled each time, and never longer than the store's interval.
FIRST_RETRY_S = 30.0


def is_failing(reading: StoreReading, now: datetime) -> bool:
    """Whether readings fail for so long that a person must know."""
    has_failed_for_long = reading.failed_since is not None and reading.failed_since <= now - FAILING_FOR
    return reading.failures >= FAILING_READINGS and has_failed_for_long


def is_unfinished(reading: StoreReading) -> bool:
    """Whether a reading has begun that is neither complete nor failed: it is under way, or was interrupted."""
    if reading.started_at is None or reading.failures:
        return False
    return reading.finished_at is None or reading.finished_at < reading.started_at


def next_reading_at(store: Store, started_at: datetime, failures: int) -> datetime:
    """When a store is read again, after a reading that began at `started_at`."""
    delay_s = retry_delay_s(store, failures) if failures else store.catch_up_every_s
    return started_at + timedelta(seconds=delay_s)


def retry_delay_s(store: Store, failures: int) -> float:
    return min(store.catch_up_every_s, FIRST_RETRY_S * 2.0 ** min(failures - 1, 40))


def load_reading(database: Database, store: str) -> StoreReading | None:
    with database.read() as session:
        return session.exec(select(StoreReading).where(StoreReading.store == store)).one_or_none()


def begin_reading(database: Database, store: str, *, floor: datetime) -> None:
    """Record that a reading of the store begins: what a person asked for is under way.

    Args:
        floor: where the first reading starts. What changed before is not wanted, so it counts as read.
    """

    def begin(transaction: Transaction) -> None:
        row = {"store": store, "read_until": floor, "orders_read": 0, "orders_missing": 0, "failures": 0}
        insert_ignore(transaction.connection, StoreReading, [row], unique=("store",))
        is_behind = (col(StoreReading.store) == store, col(StoreReading.read_until) < floor)
        transaction.execute(update(StoreReading).where(*is_behind).values(read_until=floor))
        change_reading(transaction, store, started_at=transaction.now, requested_at=None)

    database.transact(begin)


def record_progress(
    database: Database, store: str, *, read_from: datetime, read_until: datetime | None, orders: int, missing: int
) -> None:
    """Record that a page was read. Its missing orders must be on disk.

    Args:
        read_from, read_until: every order that changed between them has been read. Where they do not continue what was
            read before, the gap is not taken as read. None: nothing new is known to be complete.
    """

    def record(transaction: Transaction) -> None:
        counts = {
            "orders_read": col(StoreReading.orders_read) + orders,
            "orders_missing": col(StoreReading.orders_missing) + missing,
        }
        transaction.execute(update(StoreReading).where(col(StoreReading.store) == store).values(counts))
        if read_until is not None:
            continues = (
                col(StoreReading.store) == store,
                col(StoreReading.read_until) >= read_from,
                col(StoreReading.read_until) < read_until,
            )
            transaction.execute(update(StoreReading).where(*continues).values(read_until=read_until))

    database.transact(record)


def finish_reading(database: Database, store: str) -> None:
    """Record that a reading is complete."""

    def finish(transaction: Transaction) -> None:
        change_reading(transaction, store, finished_at=transaction.now, failures=0, failed_since=None, error=None)

    database.transact(finish)


def fail_reading(database: Database, store: str, error: Problem) -> None:
    """Record that a reading failed."""

    def fail(transaction: Transaction) -> None:
        values = {
            "failures": col(StoreReading.failures) + 1,
            "failed_since": func.coalesce(col(StoreReading.failed_since), transaction.now),
            "error": error.to_json(),
        }
        transaction.execute(update(StoreReading).where(col(StoreReading.store) == store).values(values))

    database.transact(fail)


def change_reading(transaction: Transaction, store: str, **values: object) -> None:
    transaction.execute(update(StoreReading).where(col(StoreReading.store) == store).values(values))
