"""Notices that the database was restored from a backup, and holds what the backup does not know to be unsent.

A backup does not know what was sent after it was made. So each database has a generation, which is compared with what a
restore does not bring back: the file beside an SQLite database (`generation.py`), or PostgreSQL's server and timeline.
An attempt is marked as sending only in the generation that the worker has checked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, case, func, insert, or_, update
from sqlmodel import Session, col, select

from connector.core.exceptions import ConflictError, NotFoundError
from connector.core.messages import build_message
from connector.database.attempts import apply_missed_events
from connector.database.coordination import PRESENCE_TTL_S, WORKER_LOCK
from connector.database.deliveries import held_values, reset_values
from connector.database.engine import Database, Transaction, translate_errors
from connector.database.generation import Generation, GenerationNote
from connector.database.insert_ignore import insert_ignore
from connector.database.models import (
    Attempt,
    Checkpoint,
    DatabaseGeneration,
    Delivery,
    Event,
    OperatorAction,
    Reason,
    Restore,
    State,
)
from connector.database.queries.deliveries import problem_condition
from mappings.destination import Outcome

RESTORED = build_message("database_restored")

#: Held until a person has looked at the destination.
IS_HELD_SINCE_RESTORE = and_(
    col(Delivery.state) == State.PARKED,
    col(Delivery.reason) == Reason.HELD,
    col(Delivery.sent_before_restore).is_(True),
    problem_condition(RESTORED.fingerprint),
)


class Evidence(StrEnum):
    """How a restore was noticed."""

    LOST_ATTEMPTS = "lost-attempts"  # the file knows attempts that the database does not
    OTHER_GENERATION = "other-generation"  # the file is of another database, or of this one after a later restore
    NO_FILE = "no-file"  # it was moved without its file, or restored elsewhere
    COPIED_FILE = "copied-file"  # the whole folder was copied or restored
    LOST_DATABASE = "lost-database"  # a new database is where there was another
    OTHER_SERVER = "other-server"  # PostgreSQL was recovered, failed over, or the database came from a dump
    REPORTED = "reported"  # a person said so


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """A person's word that the database was restored.

    Args:
        stopped_at: when the service stopped before that, if it is known: what was ordered later cannot have been sent.
    """

    actor: str
    note: str | None = None
    stopped_at: datetime | None = None


def check_generation(database: Database, *, key_windows_s: Mapping[str, float]) -> Restore | None:
    """Compare the database with what a restore does not bring back. Afterwards orders may be sent.

    Args:
        key_windows_s: for the accounts whose destination recognises a repeated request by its key, for how many seconds
            it is trusted to.

    Returns the restore, if this call noticed one.
    """
    with translate_errors(database.backend):
        database.backend.find_server()
    generation = load_generation(database)
    if generation is None:
        restore = database.transact(lambda transaction: renew_generation(transaction, key_windows_s))
        generation = load_generation(database)
    else:
        restore = None
    database.generation = generation
    return restore


def load_generation(database: Database) -> Generation | None:
    """The database's generation; None if there is none yet, or a restore must be recorded first."""
    file = database.backend.generation_file
    note = file.read() if file else None  # before the database, which may only be ahead of it
    with database.read() as session:
        current = session.exec(select(DatabaseGeneration)).one_or_none()
        if current is None:
            return None
        server = database.backend.read_server(session.connection())
        last_attempt = session.exec(select(func.max(Attempt.id))).one() or 0
        if find_evidence(current, note, server, last_attempt, has_file=file is not None) is not None:
            return None
        sent_until = session.exec(select(func.max(Restore.sent_until)).where(col(Restore.denied_at).is_(None))).one()
    return Generation(id=current.generation, sent_until=sent_until)


def find_evidence(
    current: DatabaseGeneration | None,
    note: GenerationNote | None,
    server: str | None,
    last_attempt: int,
    *,
    has_file: bool,
) -> Evidence | None:
    """Return why the database must be taken for a restored one; None if it is as it was left.

    Args:
        current: None in a new database.
        note: what the file says.
        last_attempt: the highest id of an attempt in the database.
    """
    if current is None:
        return Evidence.LOST_DATABASE if note is not None and note.last_attempt else None
    if not has_file:
        return Evidence.OTHER_SERVER if current.server is not None and current.server != server else None
    if note is None:
        return Evidence.NO_FILE
    if note.generation != current.generation:
        return Evidence.OTHER_GENERATION
    if note.last_attempt > last_attempt:
        return Evidence.LOST_ATTEMPTS
    return None if note.is_original else Evidence.COPIED_FILE


def renew_generation(transaction: Transaction, key_windows_s: Mapping[str, float]) -> Restore | None:
    """Begin the first generation, or record a restore and begin another one. Nothing, if another process has done it.

    The file is written before the commit: if that fails, the next check finds that they differ.
    """
    file = transaction.backend.generation_file
    current = transaction.load_one(select(DatabaseGeneration).with_for_update())
    note = file.read() if file else None
    server = transaction.backend.read_server(transaction.connection)
    last_attempt = transaction.load_one(select(func.max(Attempt.id))) or 0
    evidence = find_evidence(current, note, server, last_attempt, has_file=file is not None)
    if current is not None and evidence is None:
        return None
    generation = uuid4().hex
    values = {"id": 1, "generation": generation, "server": server}
    if current is None and not insert_ignore(transaction.connection, DatabaseGeneration, [values], unique=("id",)):
        return None
    transaction.execute(update(DatabaseGeneration).values(values))
    restore = None
    if evidence is not None:
        # Only the file can tell that no lost attempt had a key that the backup does not know.
        are_keys_known = evidence == Evidence.LOST_ATTEMPTS and note is not None and note.last_revised <= last_attempt
        restore = record_restore(
            transaction, evidence, sent_until=transaction.now, key_windows_s=key_windows_s if are_keys_known else {}
        )
    if file is not None:
        file.begin(generation, last_attempt)
    return restore


def report_restore(database: Database, report: RestoreReport, *, noticed: Restore | None) -> Restore:
    """Record that a person says that the database was restored.

    Args:
        noticed: what `check_generation` has just noticed, and recorded.

    Raises `ConflictError` if the backup contains something from after `stopped_at`.
    """

    def record(transaction: Transaction) -> Restore:
        add_action(transaction, "restored", report)
        stopped_at = report.stopped_at
        if stopped_at is not None and (restore := find_restore_since(transaction, stopped_at)):
            return narrow_restore(transaction, restore, stopped_at)
        if noticed is not None and stopped_at is None:
            return noticed
        begin_generation(transaction)
        sent_until = stopped_at or transaction.now
        restore = record_restore(
            transaction, Evidence.REPORTED, sent_until=sent_until, key_windows_s={}, actor=report.actor
        )
        if restore.known_until is not None and restore.known_until > sent_until:
            raise ConflictError(f"the backup contains something from {restore.known_until:%Y-%m-%d %H:%M:%S} UTC")
        return restore

    return database.transact(record)


def begin_generation(transaction: Transaction) -> None:
    """Begin a generation, so that no worker goes on in the one before."""
    generation = uuid4().hex
    transaction.execute(update(DatabaseGeneration).values(generation=generation))
    if (file := transaction.backend.generation_file) is not None:
        file.begin(generation, transaction.load_one(select(func.max(Attempt.id))) or 0)


def find_restore_since(transaction: Transaction, stopped_at: datetime) -> Restore | None:
    """The restore, noticed already, of a service that stopped then."""
    is_after = and_(
        col(Restore.denied_at).is_(None),
        col(Restore.noticed_at) >= stopped_at,
        or_(col(Restore.known_until).is_(None), col(Restore.known_until) <= stopped_at),
    )
    return transaction.load_one(select(Restore).where(is_after).order_by(col(Restore.id).desc()).limit(1))


def narrow_restore(transaction: Transaction, restore: Restore, sent_until: datetime) -> Restore:
    """Let what was ordered after `sent_until` be sent: the service had stopped before that."""
    transaction.execute(update(Restore).where(col(Restore.id) == restore.id).values(sent_until=sent_until))
    is_since = col(Delivery.created_at) >= restore.noticed_at
    queued = {**reset_values(transaction.now), "sent_before_restore": None, "updated_at": transaction.now}
    transaction.execute(update(Delivery).where(IS_HELD_SINCE_RESTORE, is_since).values(queued))
    transaction.notify()
    return load_restore(transaction, restore.id)


def record_restore(
    transaction: Transaction,
    evidence: Evidence,
    *,
    sent_until: datetime,
    key_windows_s: Mapping[str, float],
    actor: str | None = None,
) -> Restore:
    """Hold every delivery that would be sent, and mark every one that may have been.

    At accounts in `key_windows_s`, they go on waiting if all that the backup does not know is younger than so many
    seconds: the same key is sent again, and the destination says whether it has the order.
    """
    now = transaction.now
    known_until = find_known_until(transaction)
    interrupted_ids = settle_sending(transaction)
    may_be_sent = col(Delivery.state) != State.DELIVERED
    transaction.execute(update(Delivery).where(may_be_sent).values(sent_before_restore=True))
    is_open: ColumnElement[bool] = col(Delivery.state).in_([State.WAITING, State.SENDING])
    accounts = [
        account
        for account, window_s in key_windows_s.items()
        if known_until is not None and now - known_until < timedelta(seconds=window_s)
    ]
    if accounts:
        repeated = {
            **{name: value for name, value in reset_values(now).items() if name in REPEATED_VALUES},
            "locked_since": locked_since_restore(known_until),
            "updated_at": now,
        }
        transaction.execute(update(Delivery).where(is_open, col(Delivery.account).in_(accounts)).values(repeated))
        is_open = and_(is_open, col(Delivery.account).not_in(accounts))
    transaction.execute(update(Delivery).where(is_open).values(**held_values(RESTORED), updated_at=now))
    for delivery_id in interrupted_ids:
        apply_missed_events(transaction, delivery_id)
    transaction.notify()
    values = {
        "noticed_at": now,
        "known_until": known_until,
        "sent_until": sent_until,
        "evidence": evidence,
        "who": actor,
    }
    restore_id = transaction.execute(insert(Restore).values(values).returning(col(Restore.id))).scalar_one()
    return load_restore(transaction, restore_id)


def load_restore(transaction: Transaction, restore_id: int) -> Restore:
    restore = transaction.load_one(select(Restore).where(Restore.id == restore_id))
    if restore is None:
        raise NotFoundError(f"no restore {restore_id}")
    return restore


#: What changes in a delivery whose key is sent again. Its retries go on.
REPEATED_VALUES = ("state", "due_at", "claimed_by", "claim_expires_at")


def locked_since_restore(known_until: datetime | None) -> ColumnElement[datetime]:
    """Since when a delivery may have been processed: an interrupted attempt is older than the newest row."""
    sending_since = case((col(Delivery.state) == State.SENDING, col(Delivery.updated_at)), else_=known_until)
    return func.coalesce(col(Delivery.locked_since), sending_since)


def settle_sending(transaction: Transaction) -> Sequence[int]:
    """Give the attempts that were under way an outcome: nobody may be left who records one. Returns the deliveries."""
    ids = transaction.load_all(select(Delivery.id).where(Delivery.state == State.SENDING))
    attempts = update(Attempt).where(col(Attempt.delivery_id).in_(ids), col(Attempt.outcome) == State.SENDING)
    transaction.execute(attempts.values(outcome=Outcome.AMBIGUOUS, error=build_message("interrupted").to_json()))
    return ids


def find_known_until(transaction: Transaction) -> datetime | None:
    """The newest time that the backup has certainly seen: all that it does not know came later."""
    times = [
        transaction.load_one(select(Event.received_at).order_by(col(Event.id).desc()).limit(1)),
        transaction.load_one(select(Attempt.started_at).order_by(col(Attempt.id).desc()).limit(1)),
    ]
    presence = transaction.load_one(select(Checkpoint).where(Checkpoint.name == WORKER_LOCK))
    if presence is not None and presence.until is not None:
        times.append(presence.until - timedelta(seconds=PRESENCE_TTL_S))
    return max((at for at in times if at is not None), default=None)


def deny_restores(database: Database, report: RestoreReport) -> int:
    """Record that nothing was lost: what is held since a restore goes on. Returns the number of those deliveries.

    What was being sent at that time is `uncertain`, as after any interrupted attempt.
    """

    def deny(transaction: Transaction) -> int:
        is_undenied = col(Restore.denied_at).is_(None)
        transaction.execute(
            update(Restore).where(is_undenied).values(denied_at=transaction.now, denied_by=report.actor)
        )
        last_outcome = (
            select(Attempt.outcome)
            .where(Attempt.delivery_id == Delivery.id, Attempt.number == Delivery.attempts)
            .scalar_subquery()
        )
        was_interrupted = and_(last_outcome == Outcome.AMBIGUOUS, col(Delivery.locked_since).is_(None))
        uncertain = {"reason": Reason.UNCERTAIN, "sent_before_restore": None, "updated_at": transaction.now}
        interrupted = transaction.execute(
            update(Delivery).where(IS_HELD_SINCE_RESTORE, was_interrupted).values(uncertain)
        )
        queued = {**reset_values(transaction.now), "sent_before_restore": None, "updated_at": transaction.now}
        released = transaction.execute(update(Delivery).where(IS_HELD_SINCE_RESTORE).values(queued))
        is_marked = col(Delivery.sent_before_restore).is_not(None)
        transaction.execute(update(Delivery).where(is_marked).values(sent_before_restore=None))
        add_action(transaction, "not-restored", report)
        transaction.notify()
        return interrupted.rowcount + released.rowcount

    return database.transact(deny)


def add_action(transaction: Transaction, kind: str, report: RestoreReport) -> None:
    """Add an entry to the audit trail."""
    values = {"at": transaction.now, "kind": kind, "who": report.actor, "text": report.note or ""}
    transaction.execute(insert(OperatorAction).values(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreStatus:
    """The last restore that nobody has denied, and what is left to do since then.

    Args:
        held: by account, the deliveries that wait for a person.
        repeated: by account, the deliveries whose idempotency key is sent again.
    """

    restore: Restore | None
    held: Mapping[str, int]
    repeated: Mapping[str, int]


def load_status(database: Database) -> RestoreStatus:
    newest = select(Restore).where(col(Restore.denied_at).is_(None)).order_by(col(Restore.id).desc()).limit(1)
    is_repeated = and_(col(Delivery.state) == State.WAITING, col(Delivery.sent_before_restore).is_(True))
    with database.read() as session:
        return RestoreStatus(
            restore=session.exec(newest).one_or_none(),
            held=count_by_account(session, IS_HELD_SINCE_RESTORE),
            repeated=count_by_account(session, is_repeated),
        )


def count_by_account(session: Session, condition: ColumnElement[bool]) -> dict[str, int]:
    statement = select(Delivery.account, func.count()).where(condition).group_by(Delivery.account)
    return dict(session.exec(statement).all())
