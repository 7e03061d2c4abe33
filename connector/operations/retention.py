"""Applies `keep_days`, `keep_parked_days` and `keep_audit_days`.

It deletes the content of ended orders and old entries of the audit trail, and discards what nobody acts on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from connector.database.audit import prune_entries
from connector.database.coordination import get_checkpoint, set_checkpoint
from connector.database.engine import Database
from connector.database.expiry import ExpiryCriteria, announce_expiry, expire_parked
from connector.database.prune import PruneCriteria, PruneResult, prune
from connector.runtime import Runtime
from connector.settings import Settings

#: Who does what the service does on its own, in the audit trail.
SERVICE = "connector"
#: The checkpoint of the last complete run of a worker.
LAST_RUN = "retention:finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionResult:
    """What a run did."""

    announced: int  # parked deliveries that expire soon
    expired: int
    pruned: PruneResult
    audit_entries: int = 0  # deleted


def prune_criteria(settings: Settings, before: datetime) -> PruneCriteria:
    """Return what may be deleted of orders to which nothing has happened since `before`."""
    thin_stores = [store.id for store in settings.stores.values() if settings.storefront(store).has_thin_webhooks]
    return PruneCriteria(before=before, thin_stores=thin_stores)


def apply_retention(runtime: Runtime, *, batch_size: int, pause: Callable[[], None]) -> RetentionResult:
    """Tell people of what expires, discard what has expired, prune ended orders and delete old audit entries.

    Args:
        pause: called after each transaction. What it raises ends the run, which can be repeated.
    """
    settings, database, now = runtime.settings, runtime.database, runtime.database.clock()
    keep, keep_parked = settings.retention.keep, settings.retention.keep_parked
    clearing = prune_criteria(settings, now - keep) if keep is not None else None
    announced = expired = 0
    if keep_parked is not None:
        accounts = {*settings.accounts, *settings.retired}
        expiry = ExpiryCriteria(keep=keep_parked, now=now, clearing=clearing)
        expired = expire_parked(database, accounts, expiry, actor=SERVICE, batch_size=batch_size, pause=pause)
        announced = announce_expiry(database, accounts, expiry, batch_size=batch_size, pause=pause)
    pruned = PruneResult()
    if clearing is not None:
        pruned = prune(database, clearing, actor=SERVICE, batch_size=batch_size, dry_run=False, pause=pause)
    audit_entries = 0
    if (keep_audit := settings.retention.keep_audit) is not None:
        audit_entries = prune_entries(database, before=now - keep_audit, batch_size=batch_size, pause=pause)
    return RetentionResult(announced=announced, expired=expired, pruned=pruned, audit_entries=audit_entries)


def record_run(database: Database) -> None:
    finished_at = int(database.clock().timestamp())
    database.transact(lambda transaction: set_checkpoint(transaction, LAST_RUN, finished_at))


def last_run_at(database: Database) -> datetime | None:
    """Return when a worker last completed a run."""
    finished_at = get_checkpoint(database, LAST_RUN)
    return datetime.fromtimestamp(finished_at, UTC) if finished_at else None
