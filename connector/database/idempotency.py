"""Does once what a request asks for that carries an `Idempotency-Key`, and keeps what it was answered for a day.

The key, the act and the answer are one transaction: nothing can die between them. What could not be done is not kept,
for nothing was changed: it is judged anew when it is asked for again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import delete, select, update

from connector.core.exceptions import KeyReusedError
from connector.database.engine import Database, Transaction
from connector.database.models import KeptAnswer, kept_answers
from connector.database.sql.execute import insert_new

KEEP = timedelta(hours=24)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A request that is to be done once.

    Args:
        request: a digest of all that it says.
        answer: the status and the body that a result is answered with.
    """

    key: str
    request: str
    answer: Callable[[Any], tuple[int, str]]


class AnsweredError(Exception):
    """It was done before: this is what it was answered then."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def transact_once(database: Database, change: Callable[[Transaction], Result], once: Once | None) -> Result:
    """As `Database.transact`, but raises `AnsweredError` when it was done before, `KeyReusedError` when the key was
    another request's. One that comes while its like is under way waits for it."""
    if once is None:
        return database.transact(change)

    def act(transaction: Transaction) -> KeptAnswer | Result:
        transaction.execute(delete(kept_answers).where(kept_answers.c.at < transaction.now - KEEP))
        row = {"key": once.key, "request": once.request, "at": transaction.now, "status": 0, "body": ""}
        mine = kept_answers.c.key == once.key
        if not insert_new(transaction.connection, kept_answers, [row], unique=["key"], returning=["key"]):
            before = transaction.execute(select(kept_answers).where(mine)).one()
            return KeptAnswer(**before._mapping)
        result = change(transaction)
        status, body = once.answer(result)
        transaction.execute(update(kept_answers).where(mine).values(status=status, body=body))
        return result

    done = database.transact(act)
    if not isinstance(done, KeptAnswer):
        return done
    if done.request != once.request:
        raise KeyReusedError("this `Idempotency-Key` came before, with another request")
    raise AnsweredError(done.status, done.body)
