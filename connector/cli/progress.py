"""How far a long command has come, on standard error: a bar on a terminal, else a line now and then."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import click

#: Between two lines where there is no terminal, as in a log.
PRINT_INTERVAL_S = 5.0


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` are `what`; None: nobody knows of how many. Yields what is to be called with it."""
    if not sys.stderr.isatty():
        yield print_progress_lines(label, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def progress_on_tty(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """As `follow` on a terminal; elsewhere says nothing, for what is told at the end anyhow."""
    if sys.stderr.isatty():
        with progress_bar(label, total) as update:
            yield update
    else:
        yield lambda _: None


def print_progress_lines(label: str, total: int | None) -> Callable[[int], None]:
    next_print_at = monotonic() + PRINT_INTERVAL_S

    def print_line(done: int) -> None:
        nonlocal next_print_at
        if monotonic() >= next_print_at or done == total:
            click.echo(f"{label} {done} of {total}", err=True)
            next_print_at = float("inf") if done == total else monotonic() + PRINT_INTERVAL_S

    return print_line
