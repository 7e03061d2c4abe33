"""Marks: how far something was read, and whose turn it is to do what one process does for all."""

from datetime import timedelta

from sqlalchemy import or_, select, update

from connector.database.engine import Database, Transaction
from connector.database.models import Checkpoint, checkpoints, read_row
from connector.database.sql.execute import insert_ignore


def acquire_lock(database: Database, name: str, holder: str, *, lease_s: float, standby_after_s: float = 0.0) -> bool:
    """True when it is this holder's turn, for half of `for_s` at least. Writes only where that is not so yet.

    Args:
        free_for_s: how long nobody may have had it, for one who only stands in for the others.
    """
    with database.read() as connection:
        lock: Checkpoint | None = read_row(connection.execute(select(checkpoints).where(checkpoints.c.name == name)))
    now = database.clock()
    expired_before = now - timedelta(seconds=standby_after_s)
    if lock is not None and lock.until is not None:
        if lock.holder == holder and lock.until > now + timedelta(seconds=lease_s / 2):
            return True
        if lock.holder != holder and lock.until > expired_before:
            return False

    def acquire(transaction: Transaction) -> bool:
        ensure_checkpoint(transaction, name)
        expired_before = transaction.now - timedelta(seconds=standby_after_s)
        never_held = checkpoints.c.until.is_(None)
        if standby_after_s:  # it counts from now: the others may be about to start
            start_standby = (
                update(checkpoints).where(checkpoints.c.name == name, never_held).values(until=transaction.now)
            )
            transaction.execute(start_standby)
        is_free = or_(checkpoints.c.holder == holder, never_held, checkpoints.c.until <= expired_before)
        values = {"holder": holder, "until": transaction.now + timedelta(seconds=lease_s)}
        return (
            transaction.execute(update(checkpoints).where(checkpoints.c.name == name, is_free).values(values)).rowcount
            == 1
        )

    return database.transact(acquire)


def release_lock(database: Database, name: str, holder: str) -> None:
    """Let another take it at once."""

    def release(transaction: Transaction) -> None:
        statement = update(checkpoints).where(checkpoints.c.name == name, checkpoints.c.holder == holder)
        transaction.execute(statement.values(holder=None, until=transaction.now))

    database.transact(release)


def get_checkpoint(database: Database, name: str) -> int:
    """0 where nothing was marked yet."""
    with database.read() as connection:
        return (
            connection.execute(select(checkpoints.c.number).where(checkpoints.c.name == name)).scalar_one_or_none() or 0
        )


def lock_checkpoint(transaction: Transaction, name: str) -> int:
    """The mark, which no other process moves before this transaction ends."""
    ensure_checkpoint(transaction, name)
    number: int = transaction.execute(
        select(checkpoints.c.number).where(checkpoints.c.name == name).with_for_update()
    ).scalar_one()
    return number


def set_checkpoint(transaction: Transaction, name: str, number: int) -> None:
    ensure_checkpoint(transaction, name)
    transaction.execute(update(checkpoints).where(checkpoints.c.name == name).values(number=number))


def ensure_checkpoint(transaction: Transaction, name: str) -> None:
    insert_ignore(
        transaction.connection, checkpoints, [{"name": name, "number": 0}], unique=["name"], returning=["name"]
    )
