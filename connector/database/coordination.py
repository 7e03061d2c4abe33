"""Marks: how far something was read, and whose turn it is to do what one process does for all."""

from datetime import timedelta

from sqlalchemy import or_, select, update

from connector.database.engine import Database, Transaction
from connector.database.models import Mark, marks, read_row
from connector.database.sql.execute import insert_new


def take_turn(database: Database, name: str, holder: str, *, for_s: float, free_for_s: float = 0.0) -> bool:
    """True when it is this holder's turn, for half of `for_s` at least. Writes only where that is not so yet.

    Args:
        free_for_s: how long nobody may have had it, for one who only stands in for the others.
    """
    with database.read() as connection:
        mark: Mark | None = read_row(connection.execute(select(marks).where(marks.c.name == name)))
    now = database.clock()
    free_since = now - timedelta(seconds=free_for_s)
    if mark is not None and mark.until is not None:
        if mark.holder == holder and mark.until > now + timedelta(seconds=for_s / 2):
            return True
        if mark.holder != holder and mark.until > free_since:
            return False

    def take(transaction: Transaction) -> bool:
        make_mark(transaction, name)
        before = transaction.now - timedelta(seconds=free_for_s)
        never = marks.c.until.is_(None)
        if free_for_s:  # it counts from now: the others may be about to start
            first = update(marks).where(marks.c.name == name, never).values(until=transaction.now)
            transaction.execute(first)
        is_free = or_(marks.c.holder == holder, never, marks.c.until <= before)
        values = {"holder": holder, "until": transaction.now + timedelta(seconds=for_s)}
        return transaction.execute(update(marks).where(marks.c.name == name, is_free).values(values)).rowcount == 1

    return database.transact(take)


def give_up_turn(database: Database, name: str, holder: str) -> None:
    """Let another take it at once."""

    def give_up(transaction: Transaction) -> None:
        mine = update(marks).where(marks.c.name == name, marks.c.holder == holder)
        transaction.execute(mine.values(holder=None, until=transaction.now))

    database.transact(give_up)


def read_mark(database: Database, name: str) -> int:
    """0 where nothing was marked yet."""
    with database.read() as connection:
        return connection.execute(select(marks.c.number).where(marks.c.name == name)).scalar_one_or_none() or 0


def lock_mark(transaction: Transaction, name: str) -> int:
    """The mark, which no other process moves before this transaction ends."""
    make_mark(transaction, name)
    number: int = transaction.execute(select(marks.c.number).where(marks.c.name == name).with_for_update()).scalar_one()
    return number


def move_mark(transaction: Transaction, name: str, number: int) -> None:
    make_mark(transaction, name)
    transaction.execute(update(marks).where(marks.c.name == name).values(number=number))


def make_mark(transaction: Transaction, name: str) -> None:
    insert_new(transaction.connection, marks, [{"name": name, "number": 0}], unique=["name"], returning=["name"])
