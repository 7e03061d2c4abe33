"""`connector table …`: the accounts' lookup tables, and the rows of those that are in CSV files."""

import csv
import os
import sys
from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, cli
from connector.cli.output import print_result, print_rows

if TYPE_CHECKING:
    from connector.settings.table_editor import TableLocation

ACCOUNT_OPTION = click.option("--account", required=True, help="The account's name in the configuration.")
NAME_ARGUMENT = click.argument("name", metavar="TABLE")


@cli.group()
def table() -> None:
    """Show and change the accounts' lookup tables, such as product_id_by_sku.

    A running service reads a changed file within seconds, and sends the deliveries that were parked because the row was
    missing.
    """


def load_table_locations() -> "list[TableLocation]":
    from connector.settings.table_editor import list_table_locations

    return list_table_locations(None, os.environ)


def find_table(account: str, name: str) -> "TableLocation":
    from connector.settings.table_editor import find_table_location

    return find_table_location(load_table_locations(), account, name)


@table.command("list")
@JSON_OPTION
def list_tables(as_json: bool) -> None:
    """List the tables that the accounts have or may have: where each is kept, and its number of rows."""
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
@JSON_OPTION
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV file.")
@NAME_ARGUMENT
def show(account: str, as_json: bool, as_csv: bool, name: str) -> None:
    """Show the rows of a table."""
    csv_table = find_table(account, name).read()
    columns = ["key", *csv_table.columns]
    rows = [dict(zip(columns, cells, strict=True)) for _, cells in csv_table.lines]
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(row.values() for row in rows)
    else:
        print_rows(columns, rows, as_json=as_json)


@table.command("set")
@ACCOUNT_OPTION
@JSON_OPTION
@NAME_ARGUMENT
@click.argument("key")
@click.argument("values", metavar="VALUE", nargs=-1, required=True)
def set_row(account: str, name: str, key: str, values: tuple[str, ...], as_json: bool) -> None:
    """Add a row, or change the row with this KEY.

    VALUE is NAME=VALUE for tables with several columns, such as pickups.
    """
    from connector.settings import table_editor

    location = find_table(account, name)
    cells = parse_cell_arguments(location.table.columns, location.table.is_nested, values)
    table_editor.set_row(location, key.strip(), cells)
    data = {"kept in": location.source, "key": key.strip(), **dict(zip(location.table.columns, cells, strict=True))}
    print_result(f"Row “{key.strip()}” is set in {location.source}.", data, as_json=as_json)


@table.command("remove")
@ACCOUNT_OPTION
@JSON_OPTION
@NAME_ARGUMENT
@click.argument("key")
def remove_row(account: str, name: str, key: str, as_json: bool) -> None:
    """Remove the row with this KEY."""
    from connector.settings import table_editor

    location = find_table(account, name)
    table_editor.remove_row(location, key)
    data = {"kept in": location.source, "removed": key}
    print_result(f"Row “{key}” is removed from {location.source}.", data, as_json=as_json)


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
