"""What a person asks the worker to do with a store: read its orders, or repair its webhooks.

The request is a time in the store's row. The worker clears it when it begins.
"""

from datetime import datetime

from sqlalchemy import insert, update
from sqlmodel import col, select

from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.insert_ignore import insert_ignore
from connector.database.models import OperatorAction, StoreReading, StoreWebhooks
from connector.database.store_webhooks import lock_store_webhooks, update_store_webhooks
from mappings.problems import Problem


def request_catch_up(
    database: Database,
    store: str,
    *,
    read_from: datetime,
    actor: str,
    note: str | None,
    idempotency: IdempotentRequest | None = None,
) -> StoreReading:
    """Ask for a reading of a store's orders now.

    Args:
        store: its id.
        read_from: where the first reading starts, if there was none.
    """

    def request(transaction: Transaction) -> StoreReading:
        row = {"store": store, "read_until": read_from, "orders_read": 0, "orders_missing": 0, "failures": 0}
        insert_ignore(transaction.connection, StoreReading, [row], unique=("store",))
        is_store = col(StoreReading.store) == store
        transaction.execute(update(StoreReading).where(is_store).values(requested_at=transaction.now))
        record_store_action(transaction, store, "catch-up", actor, note)
        reading = transaction.load_one(select(StoreReading).where(is_store))
        assert reading is not None  # noqa: S101  # inserted above
        return reading

    return transact_idempotently(database, request, idempotency)


def request_webhook_sync(
    database: Database, store: str, *, actor: str, note: str | None, idempotency: IdempotentRequest | None = None
) -> StoreWebhooks:
    """Ask for a check of a store's webhooks now, which creates and repairs what lacks.

    Args:
        store: its id.
    """

    def request(transaction: Transaction) -> StoreWebhooks:
        lock_store_webhooks(transaction, store)
        update_store_webhooks(transaction, store, requested_at=transaction.now)
        record_store_action(transaction, store, "sync-webhooks", actor, note)
        return lock_store_webhooks(transaction, store)

    return transact_idempotently(database, request, idempotency)


def record_webhook_action(database: Database, store: str, kind: str, actor: str) -> None:
    """Record that a person made or removed a store's webhooks themselves."""
    database.transact(lambda transaction: record_store_action(transaction, store, kind, actor, None))


def record_store_action(
    transaction: Transaction, store: str, kind: str, actor: str, note: str | None, *, message: Problem | None = None
) -> None:
    """Add an entry to the audit trail."""
    values = {"at": transaction.now, "store": store, "kind": kind, "who": actor, "text": note or ""}
    transaction.execute(insert(OperatorAction).values(values | {"message": message.to_json() if message else None}))
