"""What the commands share: the group, error handling, options, and opening the runtime."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from connector import __version__
from connector.core.exceptions import ConnectorError, SettingsError

if TYPE_CHECKING:
    from connector.database.audit import Actor
    from connector.runtime import Runtime
    from connector.settings import Settings

T = TypeVar("T")

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
NOTE_OPTION = click.option("--note", help="The reason; it is recorded.")
ID_ARGUMENT = click.argument("id_", metavar="ID", type=click.IntRange(min=1))


class UTCTime(click.ParamType[datetime]):
    """A UTC day or time, as a `datetime` in UTC.

    Args:
        days_only: no time of the day.
    """

    name = "time"

    def __init__(self, *, days_only: bool = False) -> None:
        self.days_only = days_only

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "DAY" if self.days_only else "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            at = datetime.fromisoformat(date.fromisoformat(value).isoformat() if self.days_only else value)
        except ValueError:
            example = "2026-11-20" if self.days_only else "2026-11-20 or 2026-11-20T14:00:00Z"
            self.fail(f"“{value}” is not a UTC day or time; write it as {example}.", param, ctx)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


class CommandGroup(click.Group):
    """A group whose help shows the whole first sentence of each command. click's own cuts what exceeds a line."""

    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(limit=1_000)) for name, command in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, help="Show the version and exit.")
def cli() -> None:
    """Forward paid orders from online stores to shipping and accounting services.

    New here? `connector demo` shows it at work. `connector init` writes a configuration, `connector check` finds what
    is wrong with it, and `connector serve` runs it.
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        click.get_current_context().color = False


def main() -> None:
    """Run the command line. A `ConnectorError` ends it with a message and an exit status, without a traceback."""
    try:
        cli()
    except SettingsError as error:
        exit_with([*error.errors, *hint_at_environment_file(error.errors)], 2)
    except ConnectorError as error:
        exit_with([str(error)], 1)


def hint_at_environment_file(errors: Iterable[str]) -> list[str]:
    """Return how to load ./.env, if variables are not set and there is such a file."""
    if Path(".env").exists() and any("the environment variable" in error for error in errors):
        return ["If they are in .env, load it first: set -a; . ./.env; set +a"]
    return []


def exit_with(lines: Iterable[str], status: int) -> NoReturn:
    """Print `lines` to standard error and exit."""
    for line in lines:
        click.echo(line, err=True)
    sys.exit(status)


def read_settings() -> "Settings":
    """Configure logging and load the settings. Raises `SettingsError`."""
    from connector.observability.logs import configure_logging
    from connector.settings import load_settings

    configure_logging()
    return load_settings()


@contextmanager
def local_runtime() -> Iterator["Runtime"]:
    """A runtime without HTTP clients, for commands that only use the database. It logs warnings and errors only."""
    from connector.observability.logs import configure_logging
    from connector.runtime import open_runtime
    from connector.settings import load_settings

    configure_logging(quiet=True)
    with open_runtime(load_settings()) as runtime:
        yield runtime


def operator_name() -> str:
    """The system user, recorded as the author of an action."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a user id without a name
        return f"user {os.getuid()}"


def command_line_reader() -> "Actor":
    """Return who reads, for the audit trail."""
    from connector.database.audit import Actor

    return Actor(interface="cli", name=operator_name())


def find_account_id(runtime: "Runtime", account: str) -> str:
    """Return the id of the account with this name or id; `account` itself if there is none."""
    names = {configured.name: configured.id for configured in runtime.settings.accounts.values()}
    return names.get(account, account)


def lookup_or_fail(kind: str, name: str, choices: Mapping[str, T]) -> T:
    """Return `choices[name]`. Raises `click.UsageError`, which lists the choices."""
    if name not in choices:
        raise click.UsageError(f"there is no {kind} “{name}”; choose from {', '.join(sorted(choices))}.")
    return choices[name]
