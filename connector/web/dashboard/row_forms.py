"""Forms in which a person enters a row of a lookup table, typed as the table requires."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.database.models import Delivery, Reason, State
from connector.operations.tables import InvalidRowError, MissingRow
from connector.runtime import Runtime, current_settings
from connector.settings import Settings
from connector.settings.lookup_tables import list_tables
from connector.web.dashboard.forms import read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import translate_text
from mappings.lookup_tables import LookupTableField, find_row
from mappings.problems import load_problems, missing_rows_in

#: What the names of inputs begin with; the column's name follows.
INPUT_PREFIX = "column:"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowInput:
    """An input of the form, for one column.

    Args:
        choices: value -> label, if only these are valid.
        value: what the row has, or what was sent and refused; never a guess.
    """

    name: str
    label: str
    choices: Mapping[str, str] = field(default_factory=dict)
    is_number: bool = False
    is_required: bool = True
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowForm:
    """The form for a row.

    Args:
        keys: the row may be under any of these. None: the person enters one.
        key_choices: the only valid keys; empty: any.
        exists: the row has been entered since.
        deliveries: how many wait for the row.
        errors: why what was sent is refused.
    """

    account: str
    table: str
    keys: Sequence[str] | None
    inputs: Sequence[RowInput]
    key_choices: Sequence[str] = ()
    key: str = ""
    note: str = ""
    exists: bool = False
    deliveries: int = 0
    errors: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRow:
    """What a person sent for a row."""

    key: str
    cells: Mapping[str, str]  # by column
    note: str | None

    def value(self, table_field: LookupTableField) -> Any:
        """Return the row's value as a CSV file has it."""
        return dict(self.cells) if table_field.is_nested else self.cells.get("value", "")


def read_row(form: Mapping[str, str], table_field: LookupTableField) -> SentRow:
    """Raises `InvalidFormError`."""
    cells = {column: read_text(form, INPUT_PREFIX + column) for column in table_field.columns}
    return SentRow(
        key=read_text(form, "key") or "",
        cells={column: cell for column, cell in cells.items() if cell is not None},
        note=read_text(form, "note"),
    )


def build_row_form(
    settings: Settings,
    account_id: str,
    table: str,
    *,
    keys: Sequence[str] | None = None,
    deliveries: int = 0,
    cells: Mapping[str, Any] | None = None,
    sent: SentRow | None = None,
    errors: Sequence[str] = (),
) -> RowForm:
    """Return the form for a row of a table.

    Args:
        cells: what the row has, by column, if it is to be changed.
        sent: what was sent and refused.
    """
    account = settings.accounts[account_id]
    table_field = list_tables(settings, account)[table]
    values = sent.cells if sent else cells or {}
    setting_choices: Mapping[Any, Any] = (
        getattr(account, table_field.choices_setting) if table_field.choices_setting else {}
    )
    choices = {str(choice): f"{choice} ({label})" for choice, label in setting_choices.items()}
    return RowForm(
        account=account_id,
        table=table,
        keys=keys,
        inputs=[
            RowInput(
                name=INPUT_PREFIX + column,
                label=_("Value") if column == "value" else column,
                choices=choices or find_choices(column_field),
                is_number=isinstance(column_field, fields.Integer),
                is_required=not table_field.is_nested,
                value=str(values.get(column, "")),
            )
            for column, column_field in column_fields(table_field).items()
        ],
        key_choices=list(find_choices(table_field.key_field)),
        key=sent.key if sent else "",
        note=(sent.note or "") if sent else "",
        exists=keys is not None and find_row(account, table, keys) is not None,
        deliveries=deliveries,
        errors=errors,
    )


def build_missing_row_forms(
    runtime: Runtime, delivery: Delivery, *, sent: Mapping[str, SentRow] | None = None, errors: Sequence[str] = ()
) -> list[RowForm]:
    """Return a form for each row that a parked delivery waits for.

    Args:
        sent: by table, what was sent and refused because of `errors`.
    """
    missing_rows = missing_rows_in(load_problems(delivery.problems))
    if not missing_rows or (delivery.state, delivery.reason) != (State.PARKED, Reason.UNMAPPABLE):
        return []
    settings, _errors = current_settings(runtime)
    forms = []
    for table, keys in missing_rows:
        if not has_table(settings, delivery.account, table):
            continue
        sent_row = (sent or {}).get(table)
        is_sent = sent_row is not None and sent_row.key in keys
        forms.append(
            build_row_form(
                settings,
                delivery.account,
                table,
                keys=keys,
                sent=sent_row if is_sent else None,
                errors=errors if is_sent else (),
            )
        )
    return forms


def build_waiting_forms(settings: Settings, missing_rows: Sequence[MissingRow]) -> list[tuple[MissingRow, RowForm]]:
    """Return the rows that deliveries wait for, each with its form."""
    return [
        (row, build_row_form(settings, row.account, row.table, keys=row.keys, deliveries=row.deliveries))
        for row in missing_rows
        if has_table(settings, row.account, row.table)
    ]


def has_table(settings: Settings, account_id: str, table: str) -> bool:
    account = settings.accounts.get(account_id)
    return account is not None and table in list_tables(settings, account)


def describe_row_errors(error: InvalidRowError) -> list[str]:
    return [_("The row is not valid: it %(error)s", error=translate_text(text)) for text in error.errors]


def column_fields(table_field: LookupTableField) -> dict[str, fields.Field[Any]]:
    """Return the fields of a row by column."""
    value_field = table_field.value_field
    if isinstance(value_field, fields.Nested):
        return {column.data_key or name: column for name, column in value_field.schema.fields.items()}
    return {"value": value_field} if value_field else {}


def find_choices(setting: fields.Field[Any] | None) -> dict[str, str]:
    """Return the only valid values, each with its label; empty if there are others."""
    for validator in setting.validators if setting else ():
        if isinstance(validator, OneOf):
            return {str(choice): str(choice) for choice in validator.choices}
    return {}
