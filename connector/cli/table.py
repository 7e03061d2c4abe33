"""`connector table …`: the accounts' tables, and the rows of those that are kept in CSV files."""

import csv
import json
import os
import sys
from typing import TYPE_CHECKING

import click

from connector.cli.common import AS_JSON, cli, print_table, say

if TYPE_CHECKING:
    from connector.settings.table_editor import PlacedTable

OF_ACCOUNT = click.option("--account", required=True, help="The account's name in the configuration.")


@cli.group()
def table() -> None:
    """Show and change the accounts' tables, such as product_id_by_sku.

    A service that runs heeds a changed file within seconds, and sends what was parked for want of the row.
    """


def load_placed() -> list["PlacedTable"]:
    from connector.settings import config_path
    from connector.settings.table_editor import list_placed

    return list_placed(config_path(os.environ), os.environ)


def choose(account: str, name: str) -> "PlacedTable":
    from connector.settings.table_editor import choose_placed

    return choose_placed(load_placed(), account, name)


@table.command("list")
@AS_JSON
def list_tables(as_json: bool) -> None:
    """List every table that the accounts have or may have: where it is kept, and how many rows it has."""
    from connector.core.exceptions import SettingsError

    rows = []
    for placed in load_placed():
        try:
            count, fault = len(placed.read().lines), None
        except SettingsError as error:
            count, fault = None, error.faults[0]
        row = {"account": placed.account, "table": placed.setting, "kept in": placed.where, "rows": count}
        rows.append({**row, "fault": fault})
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(["account", "table", "kept in", "rows", "fault"], rows)


@table.command()
@OF_ACCOUNT
@AS_JSON
@click.option("--csv", "as_csv", is_flag=True, help="As a CSV file.")
@click.argument("name", metavar="TABLE")
def show(account: str, as_json: bool, as_csv: bool, name: str) -> None:
    """Show the rows of a table."""
    sheet = choose(account, name).read()
    columns = ["key", *sheet.columns]
    rows = [dict(zip(columns, cells, strict=True)) for _, cells in sheet.lines]
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
@OF_ACCOUNT
@AS_JSON
@click.argument("name", metavar="TABLE")
@click.argument("key")
@click.argument("values", metavar="VALUE", nargs=-1, required=True)
def set_row(account: str, name: str, key: str, values: tuple[str, ...], as_json: bool) -> None:
    """Add a row, or change the one of this KEY. VALUE is NAME=VALUE where a row has several columns, as in pickups."""
    from connector.settings import table_editor as files

    placed = choose(account, name)
    cells = read_values(placed.table.columns, placed.table.is_nested, values)
    files.set_row(placed, key.strip(), cells)
    shown = {"kept in": placed.where, "key": key.strip(), **dict(zip(placed.table.columns, cells, strict=True))}
    say(f"{placed.where} has the row “{key.strip()}” now.", shown, as_json=as_json)


@table.command("remove")
@OF_ACCOUNT
@AS_JSON
@click.argument("name", metavar="TABLE")
@click.argument("key")
def remove_row(account: str, name: str, key: str, as_json: bool) -> None:
    """Take a row out."""
    from connector.settings import table_editor as files

    placed = choose(account, name)
    files.remove_row(placed, key)
    shown = {"kept in": placed.where, "removed": key}
    say(f"{placed.where} has no row “{key}” any more.", shown, as_json=as_json)


def read_values(columns: list[str], is_nested: bool, values: tuple[str, ...]) -> list[str]:
    """Return a cell for each column."""
    if not is_nested:
        if len(values) > 1:
            raise click.UsageError("this table has one value a row; quote a value that holds blanks.")
        return [values[0].strip()]
    cells = dict.fromkeys(columns, "")
    for text in values:
        column, equals, value = text.partition("=")
        if not equals or column not in cells:
            raise click.UsageError(f"this table takes {' or '.join(f'{one}=…' for one in columns)}, not “{text}”.")
        cells[column] = value.strip()
    return list(cells.values())
