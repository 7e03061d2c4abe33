"""Does once what a request asks for that carries an `Idempotency-Key`, and keeps what it was answered for a day.

The key, the act and the answer are one transaction: nothing can die between them. What could not be done is not kept,
for nothing was changed: it is judged anew when it is asked for again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import delete, select, update

from connector.core.exceptions import IdempotencyKeyReusedError
from connector.database.engine import Database, Transaction
from connector.database.models import IdempotencyKey, idempotency_keys
from connector.database.sql.execute import insert_ignore

RETENTION = timedelta(hours=24)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentRequest:
    """A request that is to be done once.

    Args:
        request: a digest of all that it says.
        answer: the status and the body that a result is answered with.
    """

    key: str
    request_digest: str
    build_response: Callable[[Any], tuple[int, str]]


class AlreadyProcessedError(Exception):
    """It was done before: this is what it was answered then."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def transact_idempotently(
    database: Database, change: Callable[[Transaction], Result], idempotency: IdempotentRequest | None
) -> Result:
    """As `Database.transact`, but raises `AnsweredError` when it was done before, `KeyReusedError` when the key was
    another request's. One that comes while its like is under way waits for it."""
    if idempotency is None:
        return database.transact(change)

    def apply_change(transaction: Transaction) -> IdempotencyKey | Result:
        transaction.execute(delete(idempotency_keys).where(idempotency_keys.c.at < transaction.now - RETENTION))
        row = {
            "key": idempotency.key,
            "request_digest": idempotency.request_digest,
            "at": transaction.now,
            "status": 0,
            "body": "",
        }
        has_key = idempotency_keys.c.key == idempotency.key
        if not insert_ignore(transaction.connection, idempotency_keys, [row], unique=["key"], returning=["key"]):
            existing = transaction.execute(select(idempotency_keys).where(has_key)).one()
            return IdempotencyKey(**existing._mapping)
        result = change(transaction)
        status, body = idempotency.build_response(result)
        transaction.execute(update(idempotency_keys).where(has_key).values(status=status, body=body))
        return result

    outcome = database.transact(apply_change)
    if not isinstance(outcome, IdempotencyKey):
        return outcome
    if outcome.request_digest != idempotency.request_digest:
        raise IdempotencyKeyReusedError("this `Idempotency-Key` came before, with another request")
    raise AlreadyProcessedError(outcome.status, outcome.body)
