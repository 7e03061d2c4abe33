"""How commands print results: as text, as a table, or as JSON.

On a terminal, tables and JSON are drawn with rich, which is imported only there and honours `NO_COLOR`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

#: How a terminal colours the words for states and reasons.
STYLES = {
    **dict.fromkeys(("delivered", "flowing", "accepted"), "green"),
    **dict.fromkeys(("waiting", "sending", "duplicate"), "cyan"),
    **dict.fromkeys(("parked", "paused", "unmappable", "refused", "exhausted", "held"), "yellow"),
    **dict.fromkeys(("uncertain", "circuit open"), "red"),
    **dict.fromkeys(("discarded", "ignored"), "dim"),
}


def print_json_line(data: Any) -> None:
    """Print `data` as JSON on one line, for programs."""
    click.echo(json.dumps(data, ensure_ascii=False))


def print_json(data: Any) -> None:
    """Print `data` as indented JSON, for people."""
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print_json(data=data, ensure_ascii=False)
    else:
        click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def print_result(text: str, data: Any, *, as_json: bool) -> None:
    """Print a command's result: `text` for people, or `data` as a JSON line."""
    if as_json:
        print_json_line(data)
    else:
        click.echo(text)


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print a list: as a table of `columns`, or each row as a JSON line."""
    if as_json:
        for row in rows:
            print_json_line(row)
    else:
        print_table(columns, rows)


def print_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, is_plain: bool = False) -> None:
    """Print a table. Cells are never truncated, so that ids can be copied; a terminal wraps long ones.

    Args:
        is_plain: one line for each row on a terminal, too, however long.
    """
    if sys.stdout.isatty() and not is_plain:
        draw_table(columns, rows)
        return
    lines = [columns, *([format_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def draw_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table with rules and colours."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        is_number = bool(rows) and all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(name, overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        cells = [format_cell(row[name]) for name in columns]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    Console().print(table)


def format_cell(value: Any) -> str:
    return "" if value is None else str(value)
