"""What every command stands on: the group, how errors end the process, what is opened for it, how it prints.

Colours, tables with rules and progress bars are for terminals alone; `NO_COLOR` (https://no-color.org) is heeded.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from connector import __version__
from connector.core.exceptions import ConnectorError, SettingsError

if TYPE_CHECKING:
    from connector.runtime import Runtime
    from connector.settings import Settings


JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Carry paid orders from online stores to the services that ship and book them."""
    if os.environ.get("NO_COLOR"):
        click.get_current_context().color = False


def main() -> None:
    """Run the command line, and turn errors that have a name into a text and an exit status."""
    try:
        cli()
    except SettingsError as error:
        exit_with(error.errors, 2)
    except ConnectorError as error:
        exit_with([str(error)], 1)


def exit_with(lines: list[str], status: int) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(status)


def read_settings() -> "Settings":
    from connector.observability.logs import configure_logging
    from connector.settings import load_settings

    configure_logging()
    return load_settings()


@contextmanager
def local_runtime() -> Iterator["Runtime"]:
    """The runtime of a command that looks or acts, and sends nothing itself."""
    from connector.observability.logs import configure_logging
    from connector.runtime import open_runtime
    from connector.settings import load_settings

    configure_logging(quiet=True)
    with open_runtime(load_settings()) as runtime:
        yield runtime


def operator_name() -> str:
    """Who acts, as the notes tell it."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return f"user {os.getuid()}"


def prepare_database(settings: "Settings") -> None:
    """Wait for the database to answer, then bring it up to date unless that is somebody else's task."""
    from connector.runtime import wait_for_database

    wait_for_database(settings)
    if settings.environment.auto_migrate:
        migrate_database(settings)


def migrate_database(settings: "Settings") -> None:
    from connector.database.engine import Database

    database = Database(settings.environment.database_url)
    database.migrate()
    database.close()


def lookup_or_fail(kind: str, name: str, choices: dict[str, Any]) -> Any:
    if name not in choices:
        raise click.UsageError(f"no {kind} “{name}”; there are {', '.join(sorted(choices))}.")
    return choices[name]


def print_result(text: str, data: Any, *, as_json: bool) -> None:
    """The text for people, or what it says for programs."""
    click.echo(json.dumps(data, ensure_ascii=False) if as_json else text)


def print_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Print every cell whole: an id that is cut cannot be copied."""
    if sys.stdout.isatty():
        from connector.cli.output import draw_table

        draw_table(columns, rows)
        return
    lines = [columns, *(["" if row[name] is None else str(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
