"""Performs a request with an `Idempotency-Key` once, and stores its response for a day.

The key, the change and the response are committed together. A failed request is not stored, since it changed nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import delete, update
from sqlmodel import col, select

from connector.core.exceptions import IdempotencyKeyReusedError
from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import IdempotencyKey

RETENTION = timedelta(hours=24)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentRequest:
    """A request with an `Idempotency-Key`.

    Args:
        request_digest: of method, path and body.
        build_response: makes status and body of the change's result.
    """

    key: str
    request_digest: str
    build_response: Callable[[Any], tuple[int, str]]


class AlreadyProcessedError(Exception):
    """The request was performed before. `status` and `body` are its response."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def transact_idempotently(
    database: Database, change: Callable[[Transaction], Result], idempotency: IdempotentRequest | None
) -> Result:
    """Like `Database.transact`. A repeated request waits for the first one.

    Raises `AlreadyProcessedError` if the request was performed before, `IdempotencyKeyReusedError` if its key was
    another request's.
    """
    if idempotency is None:
        return database.transact(change)

    def apply_change(transaction: Transaction) -> IdempotencyKey | Result:
        transaction.execute(delete(IdempotencyKey).where(col(IdempotencyKey.at) < transaction.now - RETENTION))
        has_key = col(IdempotencyKey.key) == idempotency.key
        row = {
            "key": idempotency.key,
            "request_digest": idempotency.request_digest,
            "at": transaction.now,
            "status": 0,
            "body": "",
        }
        if not insert_ignore(transaction.connection, IdempotencyKey, [row], unique=("key",)):
            existing = transaction.load_one(select(IdempotencyKey).where(has_key))
            if existing is not None:
                return existing
        result = change(transaction)
        status, body = idempotency.build_response(result)
        transaction.execute(update(IdempotencyKey).where(has_key).values(status=status, body=body))
        return result

    outcome = database.transact(apply_change)
    if not isinstance(outcome, IdempotencyKey):
        return outcome
    if outcome.request_digest != idempotency.request_digest:
        raise IdempotencyKeyReusedError("this `Idempotency-Key` came before, with another request")
    raise AlreadyProcessedError(outcome.status, outcome.body)
