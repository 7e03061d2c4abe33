"""How far a long command has come, on standard error: a bar on a terminal, else a line now and then."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import click

#: Between two lines where there is no terminal, as in a log.
SAY_EVERY_S = 5.0


@contextmanager
def follow(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` are `what`; None: nobody knows of how many. Yields what is to be called with it."""
    if not sys.stderr.isatty():
        yield say_lines(what, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def follow_quietly(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """As `follow` on a terminal; elsewhere says nothing, for what is told at the end anyhow."""
    if sys.stderr.isatty():
        with follow(what, total) as show:
            yield show
    else:
        yield lambda _: None


def say_lines(what: str, total: int | None) -> Callable[[int], None]:
    next_at = monotonic() + SAY_EVERY_S

    def say(done: int) -> None:
        nonlocal next_at
        if monotonic() >= next_at or done == total:
            click.echo(f"{what} {done} of {total}", err=True)
            next_at = float("inf") if done == total else monotonic() + SAY_EVERY_S

    return say
