"""Records what the connector did with a store's webhooks at its storefront, and what a check of them saw."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlmodel import and_, col, select

from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import StoreWebhooks
from mappings.problems import Problem, dump_problems


def take_webhook_request(database: Database, store: str) -> bool:
    """Clear the request of a person to repair a store's webhooks. Returns False if another worker has taken it."""
    is_requested = and_(col(StoreWebhooks.store) == store, col(StoreWebhooks.requested_at).is_not(None))
    statement = update(StoreWebhooks).where(is_requested).values(requested_at=None)
    return database.transact(lambda transaction: transaction.execute(statement).rowcount == 1)


def set_webhooks_managed(database: Database, store: str, *, is_managed: bool) -> None:
    """Record that `sync` made the store's webhooks, or that they were removed."""

    def record(transaction: Transaction) -> None:
        row = lock_store_webhooks(transaction, store)
        if (row.managed_since is not None) is not is_managed:
            update_store_webhooks(transaction, store, managed_since=transaction.now if is_managed else None)

    database.transact(record)


def record_webhook_check(
    database: Database,
    store: str,
    *,
    problems: Sequence[Problem] = (),
    error: Problem | None = None,
    is_failing: bool | None = None,
) -> None:
    """Record what a check of a store's webhooks saw.

    Args:
        is_failing: whether a person must know; by default, if there is a problem or an error.
    """
    is_failing = bool(problems or error) if is_failing is None else is_failing

    def record(transaction: Transaction) -> None:
        since = lock_store_webhooks(transaction, store).failed_since
        values: dict[str, Any] = {
            "checked_at": transaction.now,
            "problems": dump_problems(problems),
            "error": error.to_json() if error else None,
            "failed_since": (since or transaction.now) if is_failing else None,
        }
        update_store_webhooks(transaction, store, **values)

    database.transact(record)


def lock_store_webhooks(transaction: Transaction, store: str) -> StoreWebhooks:
    """Return the row of a store, which is made if there is none, and lock it until the transaction ends."""
    insert_ignore(transaction.connection, StoreWebhooks, [{"store": store, "problems": []}], unique=("store",))
    row = transaction.load_one(select(StoreWebhooks).where(StoreWebhooks.store == store).with_for_update())
    assert row is not None  # noqa: S101  # inserted above
    return row


def update_store_webhooks(transaction: Transaction, store: str, **values: Any) -> None:
    transaction.execute(update(StoreWebhooks).where(col(StoreWebhooks.store) == store).values(values))
