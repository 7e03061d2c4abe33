"""Progress of long commands on standard error: a bar on a terminal, otherwise a line every few seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import click

#: Seconds between two lines where there is no terminal.
PRINT_INTERVAL_S = 5.0


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show progress towards `total`; None means unknown. Yields a function that takes the number done so far."""
    if not sys.stderr.isatty():
        yield print_progress_lines(label, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def progress_on_tty(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Like `progress_bar`, but silent where there is no terminal, for commands that print a summary at the end."""
    if sys.stderr.isatty():
        with progress_bar(label, total) as update:
            yield update
    else:
        yield lambda _: None


def print_progress_lines(label: str, total: int | None) -> Callable[[int], None]:
    next_print_at = monotonic() + PRINT_INTERVAL_S

    def update(done: int) -> None:
        nonlocal next_print_at
        is_last = done == total and next_print_at != float("inf")
        if monotonic() >= next_print_at or is_last:
            click.echo(f"{label} {done} of {total}", err=True)
            next_print_at = float("inf") if is_last else monotonic() + PRINT_INTERVAL_S

    return update
