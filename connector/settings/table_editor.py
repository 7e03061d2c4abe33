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
from connector.settings.csv_tables import Sheet, SheetError, names_file, read_sheet, row_faults
from connector.settings.errors import Faults, spell
from connector.settings.toml_file import fill_in, read_document
from mappings import DESTINATIONS
from mappings.lookup_tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTable:
    account: str  # its table's name
    setting: str
    table: Table
    file: str  # the name of the configuration's
    value: Any  # what the configuration says: rows, a file's name, or None
    path: Path | None  # of the CSV file

    @property
    def where(self) -> str | None:
        if self.path is not None:
            return str(self.value)
        return self.file if self.value is not None else None

    def read(self) -> Sheet:
        """Return the rows, wherever they are; none where none are configured. Raises `SettingsError`."""
        sheet = Sheet(columns=self.table.columns)
        if self.path is not None:
            try:
                return read_sheet(self.path, self.table.columns)
            except SheetError as error:
                raise SettingsError([f"{self.path}{error}"]) from None
        rows = self.value if isinstance(self.value, dict) else {}
        for key, value in rows.items():
            cells = value if isinstance(value, dict) else {"value": value}
            sheet.lines.append((0, [key, *(str(cells.get(column, "")) for column in sheet.columns)]))
        return sheet


def list_placed(path: Path, variables: Mapping[str, str]) -> list[PlacedTable]:
    """Return every table that the accounts may have. Raises `SettingsError` where the file cannot be read."""
    faults = Faults()
    document = read_document(path, faults) or {}
    faults.raise_any()
    accounts = document.get("accounts")
    placed = []
    for name, given in (accounts if isinstance(accounts, dict) else {}).items():
        destination = DESTINATIONS.get(str(given.get("destination"))) if isinstance(given, dict) else None
        for setting, table in (destination.settings().fields if destination else {}).items():
            if not isinstance(table, Table):
                continue
            value = fill_in(given.get(setting), variables, ("accounts", name, setting), Faults())
            csv = path.absolute().parent / value if names_file(table, value) else None
            placed.append(
                PlacedTable(account=name, setting=setting, table=table, file=path.name, value=value, path=csv)
            )
    return placed


def choose_placed(placed: list[PlacedTable], account: str, setting: str) -> PlacedTable:
    """Raises `NotFoundError`, which says what there is."""
    of_account = {one.setting: one for one in placed if one.account == account}
    if not of_account:
        accounts = sorted({one.account for one in placed})
        raise NotFoundError(f"no account “{account}” with tables; there are {', '.join(accounts) or 'none'}")
    if setting not in of_account:
        raise NotFoundError(f"{account} has no table “{setting}”; it may have {', '.join(sorted(of_account))}")
    return of_account[setting]


def set_row(placed: PlacedTable, key: str, cells: list[str]) -> None:
    """Write a row into the CSV file, in the place of one whose key is alike. Makes the file where there is none.

    Raises `InvalidRequestError` where it cannot be a row, or the table is in no CSV file; `SettingsError`.
    """
    value = dict(zip(placed.table.columns, cells, strict=True)) if placed.table.is_nested else cells[0]
    given = {name: cell for name, cell in value.items() if cell} if isinstance(value, dict) else value
    if faults := row_faults(placed.table, key, given):
        raise InvalidRequestError(" ".join(faults))

    def change(sheet: Sheet) -> None:
        alike = placed.table.alike
        places = [place for place, (_, (known, *_)) in enumerate(sheet.lines) if alike(known) == alike(key)]
        line = (0, [key, *cells])
        if places:
            sheet.lines[places[0]] = line
        else:
            sheet.lines.append(line)

    edit(placed, change)


def remove_row(placed: PlacedTable, key: str) -> None:
    """Raises `NotFoundError` where there is no such row, `InvalidRequestError`, `SettingsError`."""

    def change(sheet: Sheet) -> None:
        alike = placed.table.alike
        kept = [line for line in sheet.lines if alike(line[1][0]) != alike(key)]
        if len(kept) == len(sheet.lines):
            raise NotFoundError(f"{placed.setting} has no row “{key}”")
        sheet.lines = kept

    edit(placed, change)


def edit(placed: PlacedTable, change: Callable[[Sheet], None]) -> None:
    """Change the CSV file as a whole or not at all, one process at a time."""
    path = placed.path
    if path is None:
        raise InvalidRequestError(explain_place(placed))
    path = path.resolve()  # what a link leads to, not the link
    with turn_in(path.parent):
        sheet = placed.read() if path.exists() else Sheet(columns=placed.table.columns)
        change(sheet)
        replace_file(path, sheet.write())


def explain_place(placed: PlacedTable) -> str:
    """Why rows cannot be changed here, and what to do instead."""
    account, setting, file = spell(("accounts", placed.account)), placed.setting, placed.file
    if placed.value is None:
        return (
            f'{placed.account} has no {setting} yet. Write {setting} = "{setting}.csv" under [{account}] in {file}, '
            "run this again, and then start the service again."
        )
    return (
        f"{setting} of {placed.account} stands in {file}, which is not edited here so that its comments stay. "
        "Write the row there and start the service again. Or move the table to a file: "
        f"`connector table show --csv --account {placed.account} {setting} > {setting}.csv`, "
        f'then {setting} = "{setting}.csv" in its place.'
    )


@contextmanager
def turn_in(directory: Path) -> Iterator[None]:
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
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as written:
            try:
                written.write(content)
                written.flush()
                os.fchmod(written.fileno(), mode)
                os.fsync(written.fileno())
                os.replace(written.name, path)
            except BaseException:
                os.unlink(written.name)
                raise
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be written: {error.strerror}") from None
