"""What the demo prints: in colour on a terminal, plain lines elsewhere. It decides nothing."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from connector.sandbox.demo_scenario import Result, Step, tell

WIDTH = 100
INDENT = 13  # to where the second column begins
COLOURS = {"delivered": "green", "parked": "yellow", "duplicate": "cyan", "ignored": "cyan"}


class Report:
    def __init__(self) -> None:
        is_terminal = sys.stdout.isatty()
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal else WIDTH
        self.console = Console(width=width, force_terminal=is_terminal, highlight=False)

    def say(self, text: str = "", style: str = "") -> None:
        self.console.print(Text(text, style=style))

    def list_facts(self, facts: Mapping[str, str]) -> None:
        """Print names and values in two columns. No value is broken, so that it can be copied."""
        longest = max(map(len, facts))
        for name, value in facts.items():
            line = Text.assemble(f"  {name:<{longest}}  ", (value, "bold"))
            self.console.print(line, soft_wrap=True)

    def print_columns(self) -> None:
        self.say()
        self.console.print(
            row("", *(Text(name, "bold") for name in ("order", "from → to", "webhook", "what came of it")))
        )
        self.console.rule(style="dim", characters="─")

    def print_step(self, number: int, step: Step, result: Result, faults: Sequence[str]) -> None:
        """Print what a webhook was, what came of it and why, and what that shows."""
        order = step.order
        self.console.print(
            row(f"{number:>2}", order.number, f"{order.store} → {order.account}", step.webhook, outcome(result, faults))
        )
        for problem in [result.why, *(result.delivery or {}).get("problems", [])]:
            if problem:
                self.detail(f"“{problem}”", "yellow" if result.state == "parked" else "cyan")
        self.detail(step.lesson, "dim")
        for fault in faults:
            self.detail(f"This is wrong: {fault}.", "bold red")

    def detail(self, text: str, style: str) -> None:
        self.console.print(Padding(Text(text, style=style), (0, 0, 0, INDENT), expand=False))

    def print_verdict(self, steps: int, there: Mapping[str, int], faults: Sequence[str]) -> None:
        """Print what counts: how many orders each destination has, and whether that is right."""
        self.say()
        counts = ", ".join(f"{name} {count}" for name, count in there.items() if count) or "none"
        if not faults:
            self.say(f"✓ All {steps} webhooks ended as they should: no order lost, none twice.", "bold green")
            self.say(f"  Orders there: {counts}.", "bold green")
            return
        self.say(f"✗ Not all is as it should be. Orders there: {counts}.", "bold red")
        self.print_faults(faults)

    def print_faults(self, faults: Sequence[str]) -> None:
        for fault in faults:
            self.say(f"  ✗ {fault}", "bold red")

    def print_commands(self, title: str, commands: Sequence[tuple[str, str]]) -> None:
        """Print commands to copy, each under what it does."""
        self.say()
        self.say(title, "bold")
        for purpose, command in commands:
            self.say(f"  {purpose}", "dim")
            self.console.print(Text(f"    {command}"), soft_wrap=True)

    def print_tail(self, log: Path, lines: int = 20) -> None:
        self.say(f"The end of {log.name}:", "bold")
        for line in log.read_text("utf-8", "replace").splitlines()[-lines:]:
            self.console.print(Text(f"  {line}", style="dim"), soft_wrap=True)


def row(*cells: str | Text) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for width in (2, 7, 22, 33):
        table.add_column(width=width)
    table.add_column()
    table.add_row(*cells)
    return table


def outcome(result: Result, faults: Sequence[str]) -> Text:
    if result.answer == "accepted":
        words, colour = tell(result.state, result.reason), COLOURS.get(result.state or "", "red")
        if result.attempts > 1:
            words += f" at attempt {result.attempts}"
    else:
        words = {"401": "turned away: 401"}.get(result.answer, result.answer)
        colour = COLOURS.get(result.answer, "magenta")
    return Text(f"{'✗' if faults else '✓'} {words}", style="bold red" if faults else f"bold {colour}")
