"""The rows of lookup tables that people entered, and a version number by which processes see that they changed."""

import json
from typing import Any

from sqlalchemy import delete, insert, update
from sqlmodel import and_, col, select

from connector.core.exceptions import NotFoundError
from connector.core.messages import build_message
from connector.database.coordination import lock_checkpoint, set_checkpoint
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.models import Checkpoint, OperatorAction, TableRow
from connector.settings import EnteredRow, Settings
from connector.settings.lookup_tables import apply_entered_rows

#: The checkpoint whose number is the version.
VERSION = "table_rows"


def refresh_entered_rows(settings: Settings, database: Database) -> tuple[Settings, list[str]]:
    """Put the entered rows over the configuration's. Returns the new settings, and the errors in the rows.

    If no row has changed since, `settings` itself is returned. That costs one query by primary key.
    """
    with database.read() as session:
        version = session.exec(select(Checkpoint.number).where(Checkpoint.name == VERSION)).one_or_none() or 0
        if version == settings.entered_rows_version:
            return settings, []
        rows = session.exec(select(TableRow).order_by(col(TableRow.account), col(TableRow.table_name))).all()
    return apply_entered_rows(settings, [as_entered_row(row) for row in rows], version=version)


def save_row(
    database: Database,
    row: EnteredRow,
    *,
    normalized_key: str,
    idempotency: IdempotentRequest | None = None,
) -> EnteredRow:
    """Add a row, or replace the one with an equivalent key. Returns it with the time of the change."""
    is_row = matches_row(row.account, row.table, normalized_key)

    def save(transaction: Transaction) -> EnteredRow:
        advance_version(transaction)
        previous = transaction.load_one(select(TableRow).where(is_row))
        values = {
            "key": row.key,
            "value": row.value,
            "entered_by": row.entered_by,
            "entered_at": transaction.now,
            "note": row.note,
        }
        if previous is None:
            ids = {"account": row.account, "table_name": row.table, "normalized_key": normalized_key}
            transaction.execute(insert(TableRow).values(**ids, **values))
            message = build_message("row_entered", table=row.table, key=row.key, value=format_value(row.value))
        else:
            transaction.execute(update(TableRow).where(is_row).values(values))
            message = build_message(
                "row_changed",
                table=row.table,
                key=row.key,
                value=format_value(row.value),
                previous=format_value(previous.value),
            )
        record_action(transaction, row.account, "set-row", row.entered_by, row.note, message.to_json())
        saved = transaction.load_one(select(TableRow).where(is_row))
        assert saved is not None  # noqa: S101  # inserted or updated above
        return as_entered_row(saved)

    return transact_idempotently(database, save, idempotency)


def remove_row(
    database: Database,
    *,
    account: str,
    table: str,
    normalized_key: str,
    actor: str,
    note: str | None,
    idempotency: IdempotentRequest | None = None,
) -> EnteredRow:
    """Remove a row. Returns what it was. Raises `NotFoundError`."""
    is_row = matches_row(account, table, normalized_key)

    def remove(transaction: Transaction) -> EnteredRow:
        advance_version(transaction)
        row = transaction.load_one(select(TableRow).where(is_row))
        if row is None:
            raise NotFoundError("nobody entered such a row")
        transaction.execute(delete(TableRow).where(is_row))
        message = build_message("row_removed", table=table, key=row.key, previous=format_value(row.value))
        record_action(transaction, account, "remove-row", actor, note, message.to_json())
        return as_entered_row(row)

    return transact_idempotently(database, remove, idempotency)


def matches_row(account: str, table: str, normalized_key: str) -> Any:
    return and_(
        col(TableRow.account) == account,
        col(TableRow.table_name) == table,
        col(TableRow.normalized_key) == normalized_key,
    )


def advance_version(transaction: Transaction) -> None:
    """Let other processes see the change, and let one transaction at a time make one."""
    set_checkpoint(transaction, VERSION, lock_checkpoint(transaction, VERSION) + 1)


def record_action(
    transaction: Transaction, account: str, kind: str, actor: str, note: str | None, message: dict[str, Any]
) -> None:
    """Add an entry to the audit trail."""
    values = {"at": transaction.now, "account": account, "kind": kind, "who": actor, "text": note or ""}
    transaction.execute(insert(OperatorAction).values(**values, message=message))


def as_entered_row(row: TableRow) -> EnteredRow:
    return EnteredRow(
        account=row.account,
        table=row.table_name,
        key=row.key,
        value=row.value,
        entered_by=row.entered_by,
        entered_at=row.entered_at,
        note=row.note,
    )


def format_value(value: Any) -> str:
    """Return a row's value as a person reads it: `12`, `El Norte`, `id = 12`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} = {cell}" for name, cell in value.items())
    return value if isinstance(value, str) else json.dumps(value)
