"""Lookup tables, for an operator: what is in them, which rows orders wait for, and rows that a person enters.

An entered row is in the database, so it survives a restart on a machine whose files do not. It is used instead of the
configuration's row, which applies again when the entered row is removed.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from connector.core.exceptions import InvalidRequestError
from connector.database import table_rows
from connector.database.deliveries import count_missing_rows
from connector.database.idempotency import IdempotentRequest
from connector.database.table_rows import format_value
from connector.runtime import Runtime, current_settings
from connector.settings import EnteredRow, Settings
from connector.settings.csv_tables import names_csv_file
from connector.settings.lookup_tables import dump_value, find_row_errors, find_table, list_tables, parse_value
from mappings.lookup_tables import LookupTable, LookupTableField


class InvalidRowError(InvalidRequestError):
    """The configuration would not accept the row; `errors` are its sentences."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__(" ".join(errors))
        self.errors = list(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRow:
    """A row that orders wait for. It may be under any of the keys."""

    account: str
    table: str
    keys: tuple[str, ...]
    deliveries: int
    newest_delivery: int  # id


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """A table that an account has or may have."""

    account: str
    table: str
    kept_in: str | None  # the file with the configuration's rows
    configured: int  # rows of the configuration
    entered: int  # rows that people entered
    waiting: int  # deliveries that are parked for a row of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRowView:
    """A row in effect. `configured_value` is what the configuration has under the key, if anything."""

    key: str
    value: Any
    configured_value: Any = None
    entered: EnteredRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A table with its rows in effect, sorted by key."""

    account: str
    table: str
    field: LookupTableField
    kept_in: str | None
    rows: list[TableRowView]

    def search(self, term: str) -> list[TableRowView]:
        """Return the rows whose key or value contains the term."""
        needle = term.casefold()
        return [
            row for row in self.rows if needle in row.key.casefold() or needle in format_value(row.value).casefold()
        ]


def list_table_summaries(runtime: Runtime) -> list[TableSummary]:
    settings, _ = current_settings(runtime)
    entered = Counter((row.account, row.table) for row in settings.entered_rows)
    waiting: Counter[tuple[str, str]] = Counter()
    for missing in find_missing_rows(runtime):
        waiting[missing.account, missing.table] += missing.deliveries
    return [
        TableSummary(
            account=account.id,
            table=name,
            kept_in=find_source(settings, account.id, name, field),
            configured=len(configured_table(settings, account.id, name)),
            entered=entered[account.id, name],
            waiting=waiting[account.id, name],
        )
        for account in settings.accounts.values()
        for name, field in list_tables(settings, account).items()
    ]


def load_table(runtime: Runtime, account_id: str, name: str) -> TableView:
    """Raises `NotFoundError`."""
    settings, _ = current_settings(runtime)
    _account, field = find_table(settings, account_id, name)
    configured = configured_table(settings, account_id, name)
    entered = [row for row in settings.entered_rows if (row.account, row.table) == (account_id, name)]
    entered_keys = {field.normalize_key(row.key) for row in entered}
    rows = [
        TableRowView(key=key, value=value, configured_value=value)
        for key, value in dump_rows(field, configured)
        if field.normalize_key(key) not in entered_keys
    ]
    for row in entered:
        configured_value = configured.find(row.key)
        rows.append(
            TableRowView(
                key=row.key,
                value=row.value,
                configured_value=None if configured_value is None else dump_value(field, configured_value),
                entered=row,
            )
        )
    return TableView(
        account=account_id,
        table=name,
        field=field,
        kept_in=find_source(settings, account_id, name, field),
        rows=sorted(rows, key=attrgetter("key")),
    )


def find_missing_rows(runtime: Runtime) -> list[MissingRow]:
    """Return the rows that parked deliveries wait for, those with the most deliveries first."""
    counts: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    newest: dict[tuple[str, str, tuple[str, ...]], int] = {}
    for account, missing_rows, count, newest_id in count_missing_rows(runtime.database):
        for table, keys in json.loads(missing_rows):
            row = (account, table, tuple(keys))
            counts[row] += count
            newest[row] = max(newest.get(row, 0), newest_id)
    return [
        MissingRow(account=row[0], table=row[1], keys=row[2], deliveries=count, newest_delivery=newest[row])
        for row, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def count_waiting(runtime: Runtime, row: EnteredRow) -> int:
    """Return how many deliveries are parked for this row, and possibly for others."""
    _account, field = find_table(runtime.settings, row.account, row.table)
    key = field.normalize_key(row.key)
    return sum(
        missing.deliveries
        for missing in find_missing_rows(runtime)
        if (missing.account, missing.table) == (row.account, row.table)
        and key in map(field.normalize_key, missing.keys)
    )


def set_row(
    runtime: Runtime,
    account_id: str,
    table: str,
    *,
    key: str,
    value: Any,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> EnteredRow:
    """Enter a row, in place of any other with an equivalent key. It applies to all orders of the account from now on.

    Workers use it within seconds, and then send the orders that waited for it.

    Args:
        value: as connector.toml writes it; a text is parsed as the table requires.

    Raises:
        NotFoundError: there is no such table.
        InvalidRowError: the configuration would not accept the row.
    """
    _account, field = find_table(runtime.settings, account_id, table)
    row = EnteredRow(
        account=account_id,
        table=table,
        key=key.strip(),
        value=parse_value(field, value),
        entered_by=actor,
        entered_at=runtime.clock(),
        note=note,
    )
    if errors := find_row_errors(runtime.settings, row):
        raise InvalidRowError(errors)
    saved = table_rows.save_row(
        runtime.database, row, normalized_key=field.normalize_key(row.key), idempotency=idempotency
    )
    runtime.log.info("row_entered", account=account_id, table=table, who=actor)
    return saved


def remove_row(
    runtime: Runtime,
    account_id: str,
    table: str,
    *,
    key: str,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> EnteredRow:
    """Remove an entered row. The configuration's row counts again, if there is one. Returns what was removed.

    Raises `NotFoundError`, also if only the configuration has such a row.
    """
    _account, field = find_table(runtime.settings, account_id, table)
    removed = table_rows.remove_row(
        runtime.database,
        account=account_id,
        table=table,
        normalized_key=field.normalize_key(key.strip()),
        actor=actor,
        note=note,
        idempotency=idempotency,
    )
    runtime.log.info("row_removed", account=account_id, table=table, who=actor)
    return removed


def configured_table(settings: Settings, account_id: str, name: str) -> LookupTable[Any]:
    table: LookupTable[Any] = getattr(settings.configured_accounts[account_id], name)
    return table


def dump_rows(field: LookupTableField, table: LookupTable[Any]) -> Iterable[tuple[str, Any]]:
    return ((key, dump_value(field, value)) for key, value in table.items())


def find_source(settings: Settings, account_id: str, name: str, field: LookupTableField) -> str | None:
    """Return the name of the file that has a table's rows; None if the configuration does not have the table."""
    value = settings.account_tables[settings.configured_accounts[account_id].name].get(name)
    if names_csv_file(field, value):
        return str(value)
    return None if value is None else settings.config_name
