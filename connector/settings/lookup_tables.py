"""The accounts' lookup tables in effect: the configuration's rows, and over them the rows that people entered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector.core.exceptions import NotFoundError
from connector.settings.coercion import coerce_value
from connector.settings.credentials import with_credentials_in_effect
from connector.settings.csv_tables import file_fingerprint, row_errors
from connector.settings.entered_rows import EnteredRow
from connector.settings.errors import ConfigErrors
from connector.settings.integrations import build_store_or_account
from connector.settings.loader import Settings
from mappings import setting_fields as fields
from mappings.lookup_tables import LookupTableField
from mappings.settings import Account


def refresh_tables(settings: Settings) -> tuple[Settings, list[str]]:
    """Read the CSV files that have changed again. Returns the new settings, and the errors in those files.

    An account keeps its current tables if one of its files has an error. If no file has changed, `settings` itself is
    returned.
    """
    files = tuple(replace(file, fingerprint=file_fingerprint(file.path)) for file in settings.table_files)
    if files == settings.table_files:
        return settings, []
    changed_accounts = {new.account for old, new in zip(settings.table_files, files, strict=True) if old != new}
    accounts, messages = dict(settings.configured_accounts), []
    for name in sorted(changed_accounts):
        errors, path = ConfigErrors(), ("accounts", name)
        table = settings.account_tables[name]
        account = build_store_or_account("destination", name, table, path, errors, directory=settings.directory)
        messages += errors.messages
        if not errors.messages:
            accounts[account.id] = account
    settings = replace(settings, configured_accounts=accounts, table_files=files)
    settings, row_messages = apply_entered_rows(settings, settings.entered_rows, version=settings.entered_rows_version)
    return settings, messages + row_messages


def apply_entered_rows(
    settings: Settings, rows: Sequence[EnteredRow], *, version: int | None
) -> tuple[Settings, list[str]]:
    """Put these rows over those of the configuration. Returns the new settings, and the errors in the rows.

    An account keeps its current tables if one of its rows has an error. Rows of accounts and tables that the
    configuration does not have are not used.

    Args:
        version: of the rows, see `connector.database.table_rows`.
    """
    accounts, messages = dict(settings.configured_accounts), []
    for account_id, account in settings.configured_accounts.items():
        account_rows = [row for row in rows if row.account == account_id]
        errors = ConfigErrors()
        with_rows = put_over(settings, account, account_rows, errors) or settings.accounts[account_id]
        accounts[account_id] = with_credentials_in_effect(settings, with_rows)
        messages += errors.messages
    return replace(settings, accounts=accounts, entered_rows=tuple(rows), entered_rows_version=version), messages


def put_over(settings: Settings, account: Account, rows: Sequence[EnteredRow], errors: ConfigErrors) -> Account | None:
    """Return the account with these rows. None, after adding their errors, if one is invalid.

    The rows pass the schema that validates the configuration, so they have the same errors.
    """
    tables = list_tables(settings, account)
    rows_by_table: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.table in tables:
            rows_by_table.setdefault(row.table, {})[row.key] = row.value
    if not rows_by_table:
        return account
    others = {name: value for name, value in settings.account_tables[account.name].items() if name not in tables}
    path = ("accounts", account.name)
    entered = build_store_or_account(
        "destination", account.name, {**others, **rows_by_table}, path, errors, directory=settings.directory
    )
    if entered is None or errors.messages:
        return None
    return replace(
        account, **{name: getattr(account, name).overridden_by(getattr(entered, name)) for name in rows_by_table}
    )


def list_tables(settings: Settings, account: Account) -> dict[str, LookupTableField]:
    """Return the tables that an account has or may have, by name."""
    schema = settings.destination(account).settings_schema()
    return {name: field for name, field in schema.fields.items() if isinstance(field, LookupTableField)}


def find_table(settings: Settings, account_id: str, name: str) -> tuple[Account, LookupTableField]:
    """Return an account and one of its tables. Raises `NotFoundError`, which lists the choices."""
    account = settings.accounts.get(account_id)
    if account is None:
        raise NotFoundError(f"there is no account “{account_id}”; choose from {', '.join(sorted(settings.accounts))}")
    tables = list_tables(settings, account)
    if name not in tables:
        raise NotFoundError(f"{account_id} has no table “{name}”; choose from {', '.join(sorted(tables)) or 'none'}")
    return account, tables[name]


def find_row_errors(settings: Settings, row: EnteredRow) -> list[str]:
    """Return what the configuration would say about a row. Raises `NotFoundError` if there is no such table."""
    account, field = find_table(settings, row.account, row.table)
    if messages := row_errors(field, row.key, row.value):
        return messages
    errors = ConfigErrors()
    put_over(settings, account, [row], errors)
    return errors.messages


def parse_value(field: LookupTableField, value: Any) -> Any:
    """Return a row's value as connector.toml writes it. Texts are parsed as the field requires."""
    return coerce_value(field.value_field, value)


def dump_value(field: LookupTableField, value: Any) -> Any:
    """Return the value of a row of a loaded table as connector.toml writes it."""
    if not isinstance(field.value_field, fields.Nested):
        return value
    columns: Mapping[str, Any] = field.value_field.schema.dump(value)
    return {name: cell for name, cell in columns.items() if cell is not None}
