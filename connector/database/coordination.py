"""Leases on work that one process does for all, and checkpoints: the last id that such work has processed."""

from datetime import timedelta

from sqlalchemy import or_, update
from sqlmodel import col, select

from connector.core.worker_id import is_dead
from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import Checkpoint

#: Held by one of the running workers at any time, so that other processes know that there is one.
WORKER_LOCK = "worker"
#: How long a worker that died is taken to run. It writes once in half of this.
PRESENCE_TTL_S = 60.0


def acquire_lock(database: Database, name: str, holder: str, *, lease_s: float, standby_after_s: float = 0.0) -> bool:
    """True if `holder` has the lock, for at least half of `lease_s`. Writes only if it did not have it.

    Args:
        standby_after_s: for a standby process, how long no process must have held the lock.
    """
    with database.read() as session:
        lock = session.exec(select(Checkpoint).where(Checkpoint.name == name)).one_or_none()
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
        is_lock, never_held = col(Checkpoint.name) == name, col(Checkpoint.until).is_(None)
        if standby_after_s:  # counts from now: the others may be starting
            transaction.execute(update(Checkpoint).where(is_lock, never_held).values(until=transaction.now))
        is_free = or_(col(Checkpoint.holder) == holder, never_held, col(Checkpoint.until) <= expired_before)
        values = {"holder": holder, "until": transaction.now + timedelta(seconds=lease_s)}
        return transaction.execute(update(Checkpoint).where(is_lock, is_free).values(values)).rowcount == 1

    return database.transact(acquire)


def release_lock_of_dead_holder(database: Database, name: str) -> bool:
    """Release the lock of a process of this machine that has ended, before it expires. Return True if there was one."""
    with database.read() as session:
        holder = session.exec(select(Checkpoint.holder).where(Checkpoint.name == name)).one_or_none()
    if holder is None or not is_dead(holder):
        return False
    release_lock(database, name, holder)
    return True


def is_worker_running(database: Database) -> bool:
    with database.read() as session:
        lock = session.exec(select(Checkpoint).where(Checkpoint.name == WORKER_LOCK)).one_or_none()
    if lock is None or lock.holder is None or lock.until is None:
        return False
    return lock.until > database.clock() and not is_dead(lock.holder)


def release_lock(database: Database, name: str, holder: str) -> None:
    """Let another process acquire the lock at once."""

    def release(transaction: Transaction) -> None:
        is_held = (col(Checkpoint.name) == name) & (col(Checkpoint.holder) == holder)
        transaction.execute(update(Checkpoint).where(is_held).values(holder=None, until=transaction.now))

    database.transact(release)


def get_checkpoint(database: Database, name: str) -> int:
    """The checkpoint, or 0 if there is none."""
    with database.read() as session:
        return session.exec(select(Checkpoint.number).where(Checkpoint.name == name)).one_or_none() or 0


def lock_checkpoint(transaction: Transaction, name: str) -> int:
    """Return the checkpoint, and lock it until the transaction ends."""
    ensure_checkpoint(transaction, name)
    statement = select(Checkpoint.number).where(Checkpoint.name == name).with_for_update()
    return transaction.load_one(statement) or 0


def set_checkpoint(transaction: Transaction, name: str, number: int) -> None:
    ensure_checkpoint(transaction, name)
    transaction.execute(update(Checkpoint).where(col(Checkpoint.name) == name).values(number=number))


def ensure_checkpoint(transaction: Transaction, name: str) -> None:
    insert_ignore(transaction.connection, Checkpoint, [{"name": name, "number": 0}], unique=("name",))
