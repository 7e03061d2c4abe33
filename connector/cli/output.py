"""How a terminal shows tables and JSON, by rich; it is imported where there is a terminal alone."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Words that say how things stand, wherever they are shown.
STYLES = {
    **dict.fromkeys(("delivered", "flowing", "accepted"), "green"),
    **dict.fromkeys(("waiting", "sending", "duplicate"), "cyan"),
    **dict.fromkeys(("parked", "paused", "unmappable", "refused", "exhausted"), "yellow"),
    **dict.fromkeys(("uncertain", "circuit open"), "red"),
    **dict.fromkeys(("discarded", "ignored"), "dim"),
}


def draw_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """A cell that is too long goes on in the next line: an id that is cut cannot be copied."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        is_number = all(isinstance(row[name], int | float | None) for row in rows) and bool(rows)
        table.add_column(name, overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        cells = ["" if row[name] is None else str(row[name]) for name in columns]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    Console().print(table)


def draw_json(data: Any) -> None:
    Console().print_json(data=data, ensure_ascii=False)
