"""Finds the accounts' lookup tables, and changes rows of those that are in CSV files, for `connector table --file`.

It needs no valid configuration beyond the tables: a row can be added while other settings have errors.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.core.exceptions import InvalidRequestError, NotFoundError, SettingsError
from connector.settings.csv_tables import (
    CsvTable,
    CsvTableError,
    names_csv_file,
    read_csv_table,
    row_errors,
    row_from_cells,
)
from connector.settings.errors import ConfigErrors, format_path
from connector.settings.toml_file import References, find_config_source, read_toml, substitute_references
from mappings import DESTINATIONS
from mappings.lookup_tables import LookupTableField


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLocation:
    """The location of an account's lookup table."""

    account: str  # name
    setting: str
    table: LookupTableField
    config_file: str  # name of the configuration file, or of the variable that holds its text
    value: Any  # in the configuration: rows, the name of a CSV file, or None
    path: Path | None  # of the CSV file

    @property
    def source(self) -> str | None:
        """The file that has the rows, as the configuration names it."""
        if self.path is not None:
            return str(self.value)
        return self.config_file if self.value is not None else None

    def read(self) -> CsvTable:
        """Return the rows, from either location. Raises `SettingsError` if a CSV file cannot be read."""
        if self.path is not None:
            try:
                return read_csv_table(self.path, self.table.columns)
            except CsvTableError as error:
                raise SettingsError([f"{self.path}{error}"]) from None
        csv_table = CsvTable(columns=self.table.columns)
        for key, value in (self.value if isinstance(self.value, dict) else {}).items():
            cells = value if isinstance(value, dict) else {"value": value}
            csv_table.lines.append((0, [key, *(str(cells.get(column, "")) for column in csv_table.columns)]))
        return csv_table


def list_table_locations(path: Path | None, variables: Mapping[str, str]) -> list[TableLocation]:
    """Return every table that the accounts may have, in `path` or the configuration that the environment names.

    Raises `SettingsError` if it cannot be read.
    """
    errors = ConfigErrors()
    source = find_config_source(path, variables, errors)
    data = read_toml(source, errors) if source else None
    if source is None or data is None:
        raise SettingsError(errors.messages)
    config_file = source.path.name if source.path else source.name
    accounts = data.get("accounts")
    locations = []
    for name, values in (accounts if isinstance(accounts, dict) else {}).items():
        destination = DESTINATIONS.get(str(values.get("destination"))) if isinstance(values, dict) else None
        for setting, table in (destination.settings_schema().fields if destination else {}).items():
            if not isinstance(table, LookupTableField):
                continue
            references = References(variables, source.directory)
            value = substitute_references(values.get(setting), references, ("accounts", name, setting), ConfigErrors())
            csv_path = source.directory / value if names_csv_file(table, value) else None
            locations.append(
                TableLocation(
                    account=name, setting=setting, table=table, config_file=config_file, value=value, path=csv_path
                )
            )
    return locations


def find_table_location(locations: list[TableLocation], account: str, setting: str) -> TableLocation:
    """Return the location of a table. Raises `NotFoundError`, which lists the choices."""
    tables_by_setting = {location.setting: location for location in locations if location.account == account}
    if not tables_by_setting:
        accounts = sorted({location.account for location in locations})
        raise NotFoundError(f"there is no account “{account}” with tables; choose from {', '.join(accounts) or 'none'}")
    if setting not in tables_by_setting:
        raise NotFoundError(f"{account} has no table “{setting}”; choose from {', '.join(sorted(tables_by_setting))}")
    return tables_by_setting[setting]


def set_row(location: TableLocation, key: str, cells: list[str]) -> None:
    """Add a row to the CSV file, or replace the one with an equivalent key. Creates the file if there is none.

    Raises `InvalidRequestError` if the row is invalid or the table is not in a CSV file, and `SettingsError` if the
    file cannot be read.
    """
    if errors := row_errors(location.table, key, row_from_cells(cells, location.table)):
        raise InvalidRequestError(" ".join(errors))

    def change(csv_table: CsvTable) -> None:
        line = (0, [key, *cells])
        index = find_line(location, csv_table, key)
        if index is None:
            csv_table.lines.append(line)
        else:
            csv_table.lines[index] = line

    rewrite_csv(location, change)


def remove_row(location: TableLocation, key: str) -> None:
    """Remove a row from the CSV file. Raises `NotFoundError` if there is none, and what `set_row` raises."""

    def change(csv_table: CsvTable) -> None:
        index = find_line(location, csv_table, key)
        if index is None:
            raise NotFoundError(f"{location.setting} has no row “{key}”")
        del csv_table.lines[index]

    rewrite_csv(location, change)


def find_line(location: TableLocation, csv_table: CsvTable, key: str) -> int | None:
    """Return the index of the line with an equivalent key."""
    normalize = location.table.normalize_key
    for index, (_, cells) in enumerate(csv_table.lines):
        if normalize(cells[0]) == normalize(key):
            return index
    return None


def rewrite_csv(location: TableLocation, change: Callable[[CsvTable], None]) -> None:
    """Apply a change to the CSV file. Other processes see the old or the new file, and change it one at a time."""
    if location.path is None:
        raise InvalidRequestError(explain_not_editable(location))
    path = location.path.resolve()  # keep a symbolic link, and replace the file that it points to
    with directory_lock(path.parent):
        csv_table = location.read() if path.exists() else CsvTable(columns=location.table.columns)
        change(csv_table)
        replace_file(path, csv_table.to_bytes())


def explain_not_editable(location: TableLocation) -> str:
    """Return why the rows cannot be changed here, and what to do instead."""
    account, setting, file = format_path(("accounts", location.account)), location.setting, location.config_file
    if location.value is None:
        return (
            f"{location.account} has no {setting} in a file. Leave out --file to enter the row in the database. Or "
            f'write {setting} = "{setting}.csv" under [{account}] in {file}, run this command again, and then restart '
            "the service."
        )
    return (
        f"{setting} of {location.account} is in {file}, which this command does not edit, to preserve its comments. "
        "Leave out --file to enter the row in the database. Or write the row there and restart the service. Or move "
        "the table to a file: "
        f"`connector table show --file --csv --account {location.account} {setting} > {setting}.csv`, "
        f'then write {setting} = "{setting}.csv" instead of it.'
    )


@contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Hold a lock on the directory, which the kernel releases if the process dies."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise InvalidRequestError(f"{directory}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file atomically, keeping its permissions. Raises `InvalidRequestError` if it cannot be written."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary_file:
            try:
                temporary_file.write(content)
                temporary_file.flush()
                os.fchmod(temporary_file.fileno(), mode)
                os.fsync(temporary_file.fileno())
                os.replace(temporary_file.name, path)
            except BaseException:
                os.unlink(temporary_file.name)
                raise
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be written: {error.strerror}") from None
