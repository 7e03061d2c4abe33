"""Tables in CSV files beside connector.toml, as spreadsheets write them: reads them, and tells when one was changed.

No fault quotes what a cell holds: a key may be a customer's document.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields

from connector.settings.coercion import parse_text
from connector.settings.errors import Faults, Trail, explain
from mappings.lookup_tables import Table

BOM = "\ufeff"
#: Semicolons are what Excel writes where the comma stands in decimals, as in Argentina.
HEADER = re.compile(r'\s*"?key"?\s*([;,\t])', re.IGNORECASE)

Stamp = tuple[int, int, int] | None  # None: there is no such file


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file that holds a table of an account, as it was when it was read."""

    account: str  # its table's name
    setting: str
    path: Path
    stamp: Stamp


@dataclass(slots=True, kw_only=True)
class Sheet:
    """A CSV file, so that it can be written as it was."""

    columns: list[str]  # beside the key
    lines: list[tuple[int, list[str]]] = field(default_factory=list)  # with their numbers; the key first
    delimiter: str = ","
    newline: str = "\n"
    has_bom: bool = False

    def write(self) -> bytes:
        written = io.StringIO()
        writer = csv.writer(written, delimiter=self.delimiter, lineterminator=self.newline)
        writer.writerow(["key", *self.columns])
        writer.writerows(cells for _, cells in self.lines)
        return (BOM * self.has_bom + written.getvalue()).encode()


class SheetError(Exception):
    """A CSV file cannot be read as a table. The text begins with the line, where there is one: `, line 3: …`."""


def stamp_of(path: Path) -> Stamp:
    """What differs between two states of a file, at the price of one system call."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def names_file(setting: fields.Field[Any] | None, value: Any) -> bool:
    """Whether a setting's value is the name of a CSV file."""
    return isinstance(setting, Table) and isinstance(value, str) and value.lower().endswith(".csv")


def read_sheet(path: Path, columns: list[str]) -> Sheet:
    """Return the file's lines, each with as many cells as there are columns. Raises `SheetError`."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise SheetError(": there is no such file; `connector table set` makes it.") from None
    except OSError as error:
        raise SheetError(f": cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SheetError(": is not UTF-8 text: in Excel, save it as “CSV UTF-8”.") from None
    sheet = Sheet(columns=columns, has_bom=text.startswith(BOM), newline="\r\n" if "\r\n" in text else "\n")
    text = text.removeprefix(BOM)
    header = HEADER.match(text)
    if header is None:
        raise SheetError(f", line 1: must be the header key,{','.join(columns)}.")
    sheet.delimiter = header[1]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sheet.delimiter, strict=True)
    wanted = ["key", *columns]
    try:
        for number, cells in enumerate_lines(reader):
            cells = [cell.strip() for cell in cells]
            while len(cells) > len(wanted) and not cells[-1]:  # a spreadsheet's empty columns
                cells.pop()
            if number == 1:
                if [cell.lower() for cell in cells] != wanted:
                    raise SheetError(f", line 1: must be the header {sheet.delimiter.join(wanted)}.")
            elif any(cells):
                if len(cells) > len(wanted):
                    raise SheetError(f", line {number}: has {len(cells)} cells; {len(wanted)} are expected.")
                sheet.lines.append((number, cells + [""] * (len(wanted) - len(cells))))
    except csv.Error as error:
        raise SheetError(f", line {reader.line_num}: is no CSV: {error}.") from None
    return sheet


def enumerate_lines(reader: Any) -> Any:
    """Each record with the number of the line where it begins."""
    first = 1
    for cells in reader:
        yield first, cells
        first = reader.line_num + 1


def read_tables(
    schema: Schema, given: Mapping[str, Any], path: Trail, directory: Path, faults: Faults
) -> dict[str, Any]:
    """Return an account's settings with each file's name replaced by the table in it."""
    read: dict[str, Any] = dict(given)
    for name, value in given.items():
        setting = schema.fields.get(name)
        if not names_file(setting, value):
            continue
        assert isinstance(setting, Table)  # noqa: S101  # `names_file` says so
        read[name] = {}
        try:
            sheet = read_sheet(directory / value, setting.columns)
        except SheetError as error:
            faults.add((*path, name), f"{value}{error}")
            continue
        rows, wrong = read_lines(sheet, setting)
        read[name] = rows
        for number, text in wrong:
            faults.add((*path, name), f"{value}, line {number}: {text}")
    return read


def read_lines(sheet: Sheet, setting: Table) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Return the rows as connector.toml would have them, and what is wrong in which line."""
    rows: dict[str, Any] = {}
    first: dict[str, int] = {}
    wrong: list[tuple[int, str]] = []
    for number, (key, *cells) in sheet.lines:
        value = read_cells(cells, setting)
        if said := row_faults(setting, key, value):
            wrong += [(number, text) for text in said]
        elif (other := first.setdefault(setting.alike(key), number)) != number:
            wrong.append((number, f"has the key of line {other}."))
        else:
            rows[key] = value
    return rows, wrong


def read_cells(cells: list[str], setting: Table) -> Any:
    """Return what a row holds: a value, or a table of those columns that are not empty."""
    if setting.is_nested:
        return {name: cell for name, cell in zip(setting.columns, cells, strict=True) if cell}
    return cells[0]


def row_faults(setting: Table, key: str, value: Any) -> list[str]:
    """What is wrong with one row."""
    try:
        setting.deserialize({key: parse_text(setting.value_field, value)})
    except ValidationError as error:
        return [" ".join(map(str, (*place[1:], text))) for place, text in explain(error.messages, setting, ())]
    return []
