"""Where each table of each account is kept, and how a row of a CSV file is changed without losing another.

It reads no more of the configuration than that: a row can be added while other settings have faults.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.core.exceptions import InvalidRequestError, NotFoundError, SettingsError
from connector.settings.csv_tables import CsvTable, CsvTableError, names_csv_file, read_csv_table, row_errors
from connector.settings.errors import ConfigErrors, format_path
from connector.settings.toml_file import read_toml, substitute_variables
from mappings import DESTINATIONS
from mappings.lookup_tables import LookupTableField


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLocation:
    account: str  # its table's name
    setting: str
    table: LookupTableField
    config_file: str  # the name of the configuration's
    value: Any  # what the configuration says: rows, a file's name, or None
    path: Path | None  # of the CSV file

    @property
    def source(self) -> str | None:
        if self.path is not None:
            return str(self.value)
        return self.config_file if self.value is not None else None

    def read(self) -> CsvTable:
        """Return the rows, wherever they are; none where none are configured. Raises `SettingsError`."""
        csv_table = CsvTable(columns=self.table.columns)
        if self.path is not None:
            try:
                return read_csv_table(self.path, self.table.columns)
            except CsvTableError as error:
                raise SettingsError([f"{self.path}{error}"]) from None
        rows = self.value if isinstance(self.value, dict) else {}
        for key, value in rows.items():
            cells = value if isinstance(value, dict) else {"value": value}
            csv_table.lines.append((0, [key, *(str(cells.get(column, "")) for column in csv_table.columns)]))
        return csv_table


def list_table_locations(path: Path, variables: Mapping[str, str]) -> list[TableLocation]:
    """Return every table that the accounts may have. Raises `SettingsError` where the file cannot be read."""
    errors = ConfigErrors()
    data = read_toml(path, errors) or {}
    errors.raise_any()
    accounts = data.get("accounts")
    locations = []
    for name, values in (accounts if isinstance(accounts, dict) else {}).items():
        destination = DESTINATIONS.get(str(values.get("destination"))) if isinstance(values, dict) else None
        for setting, table in (destination.settings_schema().fields if destination else {}).items():
            if not isinstance(table, LookupTableField):
                continue
            value = substitute_variables(values.get(setting), variables, ("accounts", name, setting), ConfigErrors())
            csv_path = path.absolute().parent / value if names_csv_file(table, value) else None
            locations.append(
                TableLocation(
                    account=name, setting=setting, table=table, config_file=path.name, value=value, path=csv_path
                )
            )
    return locations


def find_table_location(locations: list[TableLocation], account: str, setting: str) -> TableLocation:
    """Raises `NotFoundError`, which says what there is."""
    tables_by_setting = {location.setting: location for location in locations if location.account == account}
    if not tables_by_setting:
        accounts = sorted({location.account for location in locations})
        raise NotFoundError(f"no account “{account}” with tables; there are {', '.join(accounts) or 'none'}")
    if setting not in tables_by_setting:
        raise NotFoundError(f"{account} has no table “{setting}”; it may have {', '.join(sorted(tables_by_setting))}")
    return tables_by_setting[setting]


def set_row(location: TableLocation, key: str, cells: list[str]) -> None:
    """Write a row into the CSV file, in the place of one whose key is alike. Makes the file where there is none.

    Raises `InvalidRequestError` where it cannot be a row, or the table is in no CSV file; `SettingsError`.
    """
    value = dict(zip(location.table.columns, cells, strict=True)) if location.table.is_nested else cells[0]
    row_value = {name: cell for name, cell in value.items() if cell} if isinstance(value, dict) else value
    if errors := row_errors(location.table, key, row_value):
        raise InvalidRequestError(" ".join(errors))

    def change(csv_table: CsvTable) -> None:
        normalize = location.table.normalize_key
        matches = [
            index
            for index, (_, (existing_key, *_)) in enumerate(csv_table.lines)
            if normalize(existing_key) == normalize(key)
        ]
        line = (0, [key, *cells])
        if matches:
            csv_table.lines[matches[0]] = line
        else:
            csv_table.lines.append(line)

    rewrite_csv(location, change)


def remove_row(location: TableLocation, key: str) -> None:
    """Raises `NotFoundError` where there is no such row, `InvalidRequestError`, `SettingsError`."""

    def change(csv_table: CsvTable) -> None:
        normalize = location.table.normalize_key
        lines = [line for line in csv_table.lines if normalize(line[1][0]) != normalize(key)]
        if len(lines) == len(csv_table.lines):
            raise NotFoundError(f"{location.setting} has no row “{key}”")
        csv_table.lines = lines

    rewrite_csv(location, change)


def rewrite_csv(location: TableLocation, change: Callable[[CsvTable], None]) -> None:
    """Change the CSV file as a whole or not at all, one process at a time."""
    path = location.path
    if path is None:
        raise InvalidRequestError(explain_not_editable(location))
    path = path.resolve()  # what a link leads to, not the link
    with directory_lock(path.parent):
        csv_table = location.read() if path.exists() else CsvTable(columns=location.table.columns)
        change(csv_table)
        replace_file(path, csv_table.to_bytes())


def explain_not_editable(location: TableLocation) -> str:
    """Why rows cannot be changed here, and what to do instead."""
    account, setting, file = format_path(("accounts", location.account)), location.setting, location.config_file
    if location.value is None:
        return (
            f'{location.account} has no {setting} yet. Write {setting} = "{setting}.csv" under [{account}] in {file}, '
            "run this again, and then start the service again."
        )
    return (
        f"{setting} of {location.account} stands in {file}, which is not edited here so that its comments stay. "
        "Write the row there and start the service again. Or move the table to a file: "
        f"`connector table show --csv --account {location.account} {setting} > {setting}.csv`, "
        f'then {setting} = "{setting}.csv" in its place.'
    )


@contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Wait for others that change files of this directory. The lock ends with the process."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise InvalidRequestError(f"{directory}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        with suppress(OSError):  # some network disks cannot
            os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes) -> None:
    """Put a whole file in the place of the old one: who reads it finds one or the other."""
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
