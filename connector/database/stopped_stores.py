"""Stores whose app was uninstalled, or suspended by the storefront.

Their APIs are not called. Orders that must be fetched are held, and queued again when the store is resumed.
"""

from collections.abc import Mapping

from sqlalchemy import delete, update
from sqlmodel import col, select

from connector.database.deliveries import reset_values
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.insert_ignore import insert_ignore
from connector.database.models import Delivery, Reason, State, StoppedStore
from connector.database.store_requests import record_store_action

APP_UNINSTALLED, APP_SUSPENDED = "app_uninstalled", "app_suspended"
STOP_CODES = (APP_UNINSTALLED, APP_SUSPENDED)


def read_stopped_stores(database: Database) -> Mapping[str, StoppedStore]:
    """By store id."""
    with database.read() as session:
        return {row.store: row for row in session.exec(select(StoppedStore))}


def find_stop(database: Database, store: str) -> StoppedStore | None:
    """Return why the API of the store with this id is not called; None if it is."""
    with database.read() as session:
        return session.get(StoppedStore, store)


def stop_store(transaction: Transaction, store: str, code: str) -> bool:
    """Stop calling the API of a store. False if it is stopped already.

    An app that is uninstalled after it was suspended does not come back without a person.
    """
    row = {"store": store, "code": code, "stopped_at": transaction.now}
    if insert_ignore(transaction.connection, StoppedStore, [row], unique=("store",)):
        return True
    if code == APP_UNINSTALLED:
        is_suspended = (col(StoppedStore.store) == store, col(StoppedStore.code) == APP_SUSPENDED)
        return transaction.execute(update(StoppedStore).where(*is_suspended).values(row)).rowcount > 0
    return False


def end_suspension(transaction: Transaction, store: str) -> bool:
    """Resume a store that the storefront had suspended, because the storefront says so. False if it had not."""
    is_suspended = (col(StoppedStore.store) == store, col(StoppedStore.code) == APP_SUSPENDED)
    if not transaction.execute(delete(StoppedStore).where(*is_suspended)).rowcount:
        return False
    queue_held_deliveries(transaction, store)
    return True


def resume_store(
    database: Database,
    store: str,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> bool:
    """Call the API of a store again, and queue what was held meanwhile. False if it was not stopped."""

    def resume(transaction: Transaction) -> bool:
        if not transaction.execute(delete(StoppedStore).where(col(StoppedStore.store) == store)).rowcount:
            return False
        queue_held_deliveries(transaction, store)
        record_store_action(transaction, store, "resume-store", actor, note)
        return True

    return transact_idempotently(database, resume, idempotency)


def queue_held_deliveries(transaction: Transaction, store: str) -> None:
    """Queue the deliveries that were held only because the store's API was not called."""
    is_held = (
        col(Delivery.store) == store,
        col(Delivery.state) == State.PARKED,
        col(Delivery.reason) == Reason.HELD,
        col(Delivery.problems)[0]["code"].as_string().in_(STOP_CODES),
    )
    values = {**reset_values(transaction.now), "updated_at": transaction.now}
    if transaction.execute(update(Delivery).where(*is_held).values(values)).rowcount:
        transaction.notify()
