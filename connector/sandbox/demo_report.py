"""The demo's output: in colour on a terminal, plain lines elsewhere."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from connector.sandbox.demo_scenario import Result, Step, describe_state

WIDTH = 100
INDENT = 13  # where the second column begins
STATUS_COLOURS = {"delivered": "green", "parked": "yellow", "duplicate": "cyan", "ignored": "cyan"}


class Report:
    def __init__(self) -> None:
        is_terminal = sys.stdout.isatty()
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal else WIDTH
        self.console = Console(width=width, force_terminal=is_terminal, highlight=False)

    def print_text(self, text: str = "", style: str = "") -> None:
        self.console.print(Text(text, style=style))

    def print_facts(self, facts: Mapping[str, str]) -> None:
        """Print names and values in two columns. Values are not wrapped, so that they can be copied."""
        name_width = max(map(len, facts))
        for name, value in facts.items():
            line = Text.assemble(f"  {name:<{name_width}}  ", (value, "bold"))
            self.console.print(line, soft_wrap=True)

    def print_header(self) -> None:
        self.print_text()
        self.console.print(table_row("", *(Text(name, "bold") for name in ("order", "from → to", "webhook", "result"))))
        self.console.rule(style="dim", characters="─")

    def print_step(self, number: int, step: Step, result: Result, failures: Sequence[str]) -> None:
        """Print a webhook, its result with the reason, and what it shows."""
        order = step.order
        self.console.print(
            table_row(
                f"{number:>2}",
                order.number,
                f"{order.store} → {order.account}",
                step.webhook,
                format_outcome(result, failures),
            )
        )
        for problem in [result.ignore_reason, *(result.delivery or {}).get("problems", [])]:
            if problem:
                self.print_detail(f"“{problem}”", "yellow" if result.state == "parked" else "cyan")
        self.print_detail(step.lesson, "dim")
        for failure in failures:
            self.print_detail(f"Wrong: {failure}.", "bold red")

    def print_detail(self, text: str, style: str) -> None:
        self.console.print(Padding(Text(text, style=style), (0, 0, 0, INDENT), expand=False))

    def print_verdict(self, steps: int, order_counts: Mapping[str, int], failures: Sequence[str]) -> None:
        """Print how many orders each destination has, and whether that is as expected."""
        self.print_text()
        counts = ", ".join(f"{name} {count}" for name, count in order_counts.items() if count) or "none"
        if not failures:
            self.print_text(f"✓ All {steps} webhooks ended as expected: no order was lost or sent twice.", "bold green")
            self.print_text(f"  Orders at the destinations: {counts}.", "bold green")
            return
        self.print_text(f"✗ Something is not as expected. Orders at the destinations: {counts}.", "bold red")
        self.print_failures(failures)

    def print_failures(self, failures: Sequence[str]) -> None:
        for failure in failures:
            self.print_text(f"  ✗ {failure}", "bold red")

    def print_commands(self, title: str, commands: Sequence[tuple[str, str]]) -> None:
        """Print commands to copy, each below its purpose."""
        self.print_text()
        self.print_text(title, "bold")
        for purpose, command in commands:
            self.print_text(f"  {purpose}", "dim")
            self.console.print(Text(f"    {command}"), soft_wrap=True)

    def print_tail(self, log: Path, lines: int = 20) -> None:
        self.print_text(f"Last lines of {log.name}:", "bold")
        for line in log.read_text("utf-8", "replace").splitlines()[-lines:]:
            self.console.print(Text(f"  {line}", style="dim"), soft_wrap=True)


def table_row(*cells: str | Text) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for width in (2, 7, 22, 33):
        table.add_column(width=width)
    table.add_column()
    table.add_row(*cells)
    return table


def format_outcome(result: Result, failures: Sequence[str]) -> Text:
    if result.response in {"accepted", "caught up"}:
        text, colour = describe_state(result.state, result.reason), STATUS_COLOURS.get(result.state or "", "red")
        if result.response == "caught up":
            text = f"caught up: {text}"
        if result.attempts > 1:
            text += f" at attempt {result.attempts}"
    else:
        text = {"401": "rejected: 401"}.get(result.response, result.response)
        colour = STATUS_COLOURS.get(result.response, "magenta")
    return Text(f"{'✗' if failures else '✓'} {text}", style="bold red" if failures else f"bold {colour}")
