"""`connector table …`: the accounts' tables, and the rows of those that are kept in CSV files."""

import csv
import json
import os
import sys
from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, cli, print_result, print_table

if TYPE_CHECKING:
    from connector.settings.table_editor import TableLocation

ACCOUNT_OPTION = click.option("--account", required=True, help="The account's name in the configuration.")


@cli.group()
def table() -> None:
    """Show and change the accounts' tables, such as product_id_by_sku.

    A service that runs heeds a changed file within seconds, and sends what was parked for want of the row.
    """


def load_table_locations() -> list["TableLocation"]:
    from connector.settings import config_path
    from connector.settings.table_editor import list_table_locations

    return list_table_locations(config_path(os.environ), os.environ)


def find_table(account: str, name: str) -> "TableLocation":
    from connector.settings.table_editor import find_table_location

    return find_table_location(load_table_locations(), account, name)


@table.command("list")
@JSON_OPTION
def list_tables(as_json: bool) -> None:
    """List every table that the accounts have or may have: where it is kept, and how many rows it has."""
    from connector.core.exceptions import SettingsError

    rows = []
    for location in load_table_locations():
        try:
            count, fault = len(location.read().lines), None
        except SettingsError as error:
            count, fault = None, error.errors[0]
        row = {"account": location.account, "table": location.setting, "kept in": location.source, "rows": count}
        rows.append({**row, "fault": fault})
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(["account", "table", "kept in", "rows", "fault"], rows)


@table.command()
@ACCOUNT_OPTION
@JSON_OPTION
@click.option("--csv", "as_csv", is_flag=True, help="As a CSV file.")
@click.argument("name", metavar="TABLE")
def show(account: str, as_json: bool, as_csv: bool, name: str) -> None:
    """Show the rows of a table."""
    csv_table = find_table(account, name).read()
    columns = ["key", *csv_table.columns]
    rows = [dict(zip(columns, cells, strict=True)) for _, cells in csv_table.lines]
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(row.values() for row in rows)
    elif as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(columns, rows)


@table.command("set")
@ACCOUNT_OPTION
@JSON_OPTION
@click.argument("name", metavar="TABLE")
@click.argument("key")
@click.argument("values", metavar="VALUE", nargs=-1, required=True)
def set_row(account: str, name: str, key: str, values: tuple[str, ...], as_json: bool) -> None:
    """Add a row, or change the one of this KEY. VALUE is NAME=VALUE where a row has several columns, as in pickups."""
    from connector.settings import table_editor as files

    location = find_table(account, name)
    cells = parse_cell_arguments(location.table.columns, location.table.is_nested, values)
    files.set_row(location, key.strip(), cells)
    data = {"kept in": location.source, "key": key.strip(), **dict(zip(location.table.columns, cells, strict=True))}
    print_result(f"{location.source} has the row “{key.strip()}” now.", data, as_json=as_json)


@table.command("remove")
@ACCOUNT_OPTION
@JSON_OPTION
@click.argument("name", metavar="TABLE")
@click.argument("key")
def remove_row(account: str, name: str, key: str, as_json: bool) -> None:
    """Take a row out."""
    from connector.settings import table_editor as files

    location = find_table(account, name)
    files.remove_row(location, key)
    data = {"kept in": location.source, "removed": key}
    print_result(f"{location.source} has no row “{key}” any more.", data, as_json=as_json)


def parse_cell_arguments(columns: list[str], is_nested: bool, values: tuple[str, ...]) -> list[str]:
    """Return a cell for each column."""
    if not is_nested:
        if len(values) > 1:
            raise click.UsageError("this table has one value a row; quote a value that holds blanks.")
        return [values[0].strip()]
    cells = dict.fromkeys(columns, "")
    for text in values:
        column, separator, value = text.partition("=")
        if not separator or column not in cells:
            raise click.UsageError(f"this table takes {' or '.join(f'{name}=…' for name in columns)}, not “{text}”.")
        cells[column] = value.strip()
    return list(cells.values())
