"""Webhooks with a wrong signature: how many each store's address received lately, and why the last was refused.

They leave no event: anyone can send them. There is one row for each store.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select

from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import SignatureFailures

#: After this long without another, the count starts again.
QUIET_AFTER = timedelta(hours=24)
#: A store whose webhooks are signed again has recovered when none has been wrong for this long.
RECOVERED_AFTER = timedelta(hours=1)


def record_signature_failures(transaction: Transaction, store: str, count: int, reason: str) -> None:
    """Add to a store's count.

    Args:
        reason: a code of `connector.core.messages`.
    """
    now = transaction.now
    row = {"store": store, "count": 0, "reason": reason, "since": now, "last_at": now}
    insert_ignore(transaction.connection, SignatureFailures, [row], unique=("store",))
    is_store = col(SignatureFailures.store) == store
    failures = transaction.load_one(select(SignatureFailures).where(is_store).with_for_update())
    assert failures is not None  # noqa: S101  # inserted above
    if failures.last_at < now - QUIET_AFTER:
        failures.count, failures.since = 0, now
    values = {"count": failures.count + count, "reason": reason, "since": failures.since, "last_at": now}
    transaction.execute(update(SignatureFailures).where(is_store).values(values))


def read_signature_failures(database: Database) -> Mapping[str, SignatureFailures]:
    """By store id, of the stores with a wrong signature in the last `QUIET_AFTER`."""
    since = database.clock() - QUIET_AFTER
    with database.read() as session:
        rows = session.exec(select(SignatureFailures).where(col(SignatureFailures.last_at) >= since)).all()
    return {row.store: row for row in rows}


def is_recovered(failures: SignatureFailures, last_webhook_at: datetime | None, now: datetime) -> bool:
    """Return whether the store's webhooks are signed again, so that the failures are no longer a person's concern."""
    is_signed_again = last_webhook_at is not None and last_webhook_at > failures.last_at
    return is_signed_again and failures.last_at < now - RECOVERED_AFTER
