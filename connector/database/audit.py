"""Records who signed in, who looked at personal data and who searched for it. No row has any of that data.

What people do is recorded with the change: see `Note` and `OperatorAction`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import delete, insert, update
from sqlmodel import col, select

from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import AuditAction, AuditEntry, Delivery, Event, PrivacyRequest

Interface = Literal["dashboard", "api", "cli", "service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, and from where.

    Args:
        name: of a user, of a token as `ApiToken.actor`, or of the system's user; None if it is not known.
        role: of a user or a token.
        network: the IPv4 address of the client, or the /64 network of its IPv6 address.
    """

    interface: Interface
    name: str | None
    role: str | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an entry is about."""

    kind: Literal["order", "event", "privacy-request"]
    id: str  # of an order, its id at the store
    store: str | None = None

    @classmethod
    def of(cls, row: Delivery | Event | PrivacyRequest) -> "Subject":
        """The order of a row; the event itself, if it names none; a request about personal data."""
        if isinstance(row, PrivacyRequest):
            return cls(kind="privacy-request", id=str(row.id), store=row.store)
        if row.order_id is None:
            return cls(kind="event", id=str(row.id), store=row.store)
        return cls(kind="order", id=row.order_id, store=row.store)


def record_entry(
    database: Database,
    actor: Actor,
    action: AuditAction,
    subjects: Sequence[Subject] = (),
    counts: Mapping[str, int] | None = None,
) -> None:
    """Add an entry about each subject, or one about none. They are on disk when this returns."""
    values = {**entry_values(actor, action), "counts": dict(counts or {})}
    rows = [{**values, **subject_values(subject)} for subject in subjects] or [{**values, **subject_values(None)}]
    database.transact(
        lambda transaction: transaction.execute(insert(AuditEntry), [{**row, "at": transaction.now} for row in rows])
    )


def record_view(database: Database, actor: Actor, subject: Subject) -> None:
    """Add an entry, unless there is one of this hour about the same: who, from where, and what.

    It is on disk when this returns. Raises `DatabaseUnavailableError`: then nothing may be shown.
    """
    values = {**entry_values(actor, AuditAction.VIEW), **subject_values(subject), "counts": {}}
    hour_key = make_hour_key(values, database.clock())
    with database.read() as session:
        if session.exec(select(AuditEntry.id).where(AuditEntry.hour_key == hour_key)).first() is not None:
            return

    def insert_view(transaction: Transaction) -> None:
        row = {**values, "at": transaction.now, "hour_key": hour_key}
        insert_ignore(transaction.connection, AuditEntry, [row], unique=("hour_key",))

    database.transact(insert_view)


def add_failed_sign_ins(transaction: Transaction, failures: Counter[Actor]) -> None:
    """Add to the entries of this hour: one for each interface, network and name of a user that exists."""
    for actor, count in failures.items():
        values = {**entry_values(actor, AuditAction.FAILED_SIGN_IN), **subject_values(None), "counts": {}}
        hour_key = make_hour_key(values, transaction.now)
        row = {**values, "at": transaction.now, "hour_key": hour_key}
        insert_ignore(transaction.connection, AuditEntry, [row], unique=("hour_key",))
        is_entry = col(AuditEntry.hour_key) == hour_key
        entry = transaction.load_one(select(AuditEntry).where(is_entry).with_for_update())
        assert entry is not None  # noqa: S101  # inserted above
        counts = {"attempts": entry.counts.get("attempts", 0) + count}
        transaction.execute(update(AuditEntry).where(is_entry).values(counts=counts))


def entry_values(actor: Actor, action: AuditAction) -> dict[str, Any]:
    return {
        "actor": actor.name,
        "role": actor.role,
        "action": action,
        "network": actor.network,
        "interface": actor.interface,
    }


def subject_values(subject: Subject | None) -> dict[str, Any]:
    if subject is None:
        return {"subject_kind": None, "subject_id": None, "store": None}
    return {"subject_kind": subject.kind, "subject_id": subject.id, "store": subject.store}


def make_hour_key(values: Mapping[str, Any], at: datetime) -> str:
    names = ("action", "interface", "actor", "network", "store", "subject_kind", "subject_id")
    return "|".join([at.strftime("%Y-%m-%dT%H"), *(values[name] or "" for name in names)])


def prune_entries(
    database: Database, *, before: datetime, batch_size: int, pause: Callable[[], None] = lambda: None
) -> int:
    """Delete entries from before a time, `batch_size` rows per transaction. Returns their number.

    Args:
        pause: called after each transaction, so that webhooks need not wait.
    """
    deleted = 0
    while ids := list_old_ids(database, before, batch_size):
        deleted += database.transact(partial(delete_entries, ids=ids))
        pause()
    return deleted


def delete_entries(transaction: Transaction, *, ids: Collection[int]) -> int:
    return transaction.execute(delete(AuditEntry).where(col(AuditEntry.id).in_(ids))).rowcount


def list_old_ids(database: Database, before: datetime, limit: int) -> Collection[int]:
    oldest = select(AuditEntry.id).where(col(AuditEntry.at) < before).order_by(col(AuditEntry.at)).limit(limit)
    with database.read() as session:
        return session.exec(oldest).all()
