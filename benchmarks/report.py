"""Prints measurements as a table on the terminal, and stores them in a JSON file."""

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
console = Console(width=None if sys.stdout.isatty() else 160)


@dataclass(frozen=True, kw_only=True)
class Target:
    """The wanted minimum, or maximum, of a figure."""

    value: float
    at_most: bool = False
    unit: str = ""

    def is_met_by(self, measured: float) -> bool:
        return measured <= self.value if self.at_most else measured >= self.value

    def format(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.value:g}{self.unit}"


def format_figure(measured: float, target: Target | None, *, digits: int = 2) -> str:
    """Return a figure and its target: green if it is met, red if it is missed."""
    unit = target.unit if target else ""
    text = f"{measured:.{digits}f}{unit}"
    if target is None:
        return text
    colour = "green" if target.is_met_by(measured) else "red"
    return f"[{colour}]{text}[/] [dim]({target.format()})[/]"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> dict[str, Any]:
    """Print a table on the terminal. Returns it without colours, for the stored results and the documents."""
    rows = list(rows)
    console.print(f"\n[bold]{title}[/]")
    table = Table(header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    plain = [[Text.from_markup(cell).plain for cell in row] for row in rows]
    return {"title": title, "columns": list(columns), "rows": plain}


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def write_result(
    name: str, figures: Any, machine: dict[str, Any], *, tables: Sequence[dict[str, Any]] = (), **settings: Any
) -> None:
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    content = {"benchmark": name, "settings": settings, "machine": machine, "tables": tables, "figures": figures}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    console.print(f"[dim]Wrote {file.relative_to(ROOT)}.[/]")


def describe_machine() -> dict[str, Any]:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu.partition(":")[2].strip(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "commit": commit.stdout.decode().strip(),
    }
