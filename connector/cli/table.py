"""`connector table …`: rows of the accounts' lookup tables, in the database or, with `--file`, in CSV files."""

import csv
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import JSON_OPTION, NOTE_OPTION, cli, find_account_id, local_runtime, operator_name
from connector.cli.output import print_result, print_rows

if TYPE_CHECKING:
    from connector.settings.table_editor import TableLocation

ACCOUNT_OPTION = click.option("--account", required=True, help="The account's name in the configuration.")
NAME_ARGUMENT = click.argument("name", metavar="TABLE")
FILE_OPTION = click.option("--file", "in_file", is_flag=True, help="Use the CSV file, without the database.")


@cli.group()
def table() -> None:
    """Show and change the accounts' lookup tables, such as product_id_by_sku.

    Rows are entered in the database. An entered row is used instead of the configuration's or CSV file's row with the
    same key; if it is removed, that row applies again. With --file, the commands show and change CSV files.

    A running service uses a new row within seconds, and sends the deliveries that waited for it.
    """


def load_table_locations() -> "list[TableLocation]":
    from connector.settings.table_editor import list_table_locations

    return list_table_locations(None, os.environ)


def find_table(account: str, name: str) -> "TableLocation":
    from connector.settings.table_editor import find_table_location

    return find_table_location(load_table_locations(), account, name)


@table.command("list")
@FILE_OPTION
@JSON_OPTION
def list_tables(in_file: bool, as_json: bool) -> None:
    """List the accounts' tables: how many rows they have, and how many orders wait for a row."""
    if in_file:
        list_files(as_json=as_json)
        return
    from connector.operations.tables import list_table_summaries
    from connector.serializers.tables import TableSummarySchema

    with local_runtime() as runtime:
        rows = TableSummarySchema(many=True).dump(list_table_summaries(runtime))
    print_rows(["account", "table", "kept_in", "configured", "entered", "waiting"], rows, as_json=as_json)


def list_files(*, as_json: bool) -> None:
    from connector.core.exceptions import SettingsError

    rows = []
    for location in load_table_locations():
        try:
            count, error_message = len(location.read().lines), None
        except SettingsError as error:
            count, error_message = None, error.errors[0]
        rows.append(
            {
                "account": location.account,
                "table": location.setting,
                "kept in": location.source,
                "rows": count,
                "fault": error_message,
            }
        )
    print_rows(["account", "table", "kept in", "rows", "fault"], rows, as_json=as_json)


@table.command()
@ACCOUNT_OPTION
@FILE_OPTION
@JSON_OPTION
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV file.")
@NAME_ARGUMENT
def show(account: str, in_file: bool, as_json: bool, as_csv: bool, name: str) -> None:
    """Show the rows of a table that apply, and who entered them."""
    columns, rows = load_file_rows(account, name) if in_file else load_rows(account, name)
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in rows)
    else:
        more = [] if in_file else ["entered_by", "entered_at", "note"]
        print_rows([*columns, *more], rows, as_json=as_json)


def load_file_rows(account: str, name: str) -> tuple[list[str], list[dict[str, Any]]]:
    csv_table = find_table(account, name).read()
    columns = ["key", *csv_table.columns]
    return columns, [dict(zip(columns, cells, strict=True)) for _, cells in csv_table.lines]


def load_rows(account: str, name: str) -> tuple[list[str], list[dict[str, Any]]]:
    from connector.database.table_rows import format_value
    from connector.operations.tables import load_table
    from connector.serializers.tables import TableRowSchema

    with local_runtime() as runtime:
        view = load_table(runtime, find_account_id(runtime, account), name)
    rows = []
    for row in TableRowSchema(many=True).dump(view.rows):
        value = row.pop("value")
        cells = value if view.field.is_nested else {"value": format_value(value)}
        rows.append({"key": row.pop("key"), **{column: cells.get(column, "") for column in view.field.columns}, **row})
    return ["key", *view.field.columns], rows


@table.command("set")
@ACCOUNT_OPTION
@FILE_OPTION
@NOTE_OPTION
@JSON_OPTION
@NAME_ARGUMENT
@click.argument("key")
@click.argument("values", metavar="VALUE", nargs=-1, required=True)
def set_row(
    account: str, in_file: bool, note: str | None, name: str, key: str, values: tuple[str, ...], as_json: bool
) -> None:
    """Enter a row, or change the row with this KEY.

    VALUE is NAME=VALUE for tables with several columns, such as pickups.
    """
    if in_file:
        set_row_in_file(account, name, key.strip(), values, as_json=as_json)
        return
    from connector.operations import tables
    from connector.serializers.tables import EnteredRowSchema
    from connector.settings.csv_tables import row_from_cells
    from connector.settings.lookup_tables import find_table as find_table_field

    with local_runtime() as runtime:
        account_id = find_account_id(runtime, account)
        _, field = find_table_field(runtime.settings, account_id, name)
        value = row_from_cells(parse_cell_arguments(field.columns, field.is_nested, values), field)
        row = tables.set_row(runtime, account_id, name, key=key, value=value, actor=operator_name(), note=note)
        waiting = tables.count_waiting(runtime, row)
    text = f"Row “{row.key}” of {name} is entered for {account_id}."
    if waiting:
        text += f" Deliveries that wait for it, and that the worker sends now: {waiting}."
    print_result(text, {**EnteredRowSchema().dump(row), "waiting": waiting}, as_json=as_json)


def set_row_in_file(account: str, name: str, key: str, values: tuple[str, ...], *, as_json: bool) -> None:
    from connector.settings import table_editor

    location = find_table(account, name)
    cells = parse_cell_arguments(location.table.columns, location.table.is_nested, values)
    table_editor.set_row(location, key, cells)
    data = {"kept in": location.source, "key": key, **dict(zip(location.table.columns, cells, strict=True))}
    print_result(f"Row “{key}” is set in {location.source}.", data, as_json=as_json)


@table.command("remove")
@ACCOUNT_OPTION
@FILE_OPTION
@NOTE_OPTION
@JSON_OPTION
@NAME_ARGUMENT
@click.argument("key")
def remove_row(account: str, in_file: bool, note: str | None, name: str, key: str, as_json: bool) -> None:
    """Remove the entered row with this KEY. If the configuration has a row, it applies again."""
    if in_file:
        from connector.settings import table_editor

        location = find_table(account, name)
        table_editor.remove_row(location, key)
        data = {"kept in": location.source, "removed": key}
        print_result(f"Row “{key}” is removed from {location.source}.", data, as_json=as_json)
        return
    from connector.operations import tables
    from connector.serializers.tables import EnteredRowSchema

    with local_runtime() as runtime:
        account_id = find_account_id(runtime, account)
        row = tables.remove_row(runtime, account_id, name, key=key, actor=operator_name(), note=note)
        view = tables.load_table(runtime, account_id, name)
    configured = any(view.field.normalize_key(item.key) == view.field.normalize_key(key) for item in view.rows)
    text = f"Row “{row.key}” of {name} is removed from {account_id}."
    text += " The configuration's row applies again." if configured else " The table has no such row now."
    print_result(text, EnteredRowSchema().dump(row), as_json=as_json)


def parse_cell_arguments(columns: list[str], is_nested: bool, values: tuple[str, ...]) -> list[str]:
    """Return one cell per column. Raises `click.UsageError`."""
    if not is_nested:
        if len(values) > 1:
            raise click.UsageError("this table has one value per row; quote a value that contains spaces.")
        return [values[0].strip()]
    cells = dict.fromkeys(columns, "")
    for text in values:
        column, separator, value = text.partition("=")
        if not separator or column not in cells:
            raise click.UsageError(f"this table takes {' or '.join(f'{name}=…' for name in columns)}, not “{text}”.")
        cells[column] = value.strip()
    return list(cells.values())
