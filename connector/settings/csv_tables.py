"""Reads lookup tables from CSV files, as spreadsheets write them, and detects that a file has changed.

Errors do not quote cells: a key may be a customer's tax id.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields

from connector.settings.coercion import coerce_value
from connector.settings.errors import ConfigErrors, ConfigPath, flatten_errors
from mappings.lookup_tables import LookupTableField

BOM = "\ufeff"
#: Excel writes semicolons where the decimal separator is a comma, as in Argentina.
HEADER = re.compile(r'\s*"?key"?\s*([;,\t])', re.IGNORECASE)

FileFingerprint = tuple[int, int, int] | None  # None: there is no such file


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A CSV file with a table of an account, and its state when it was read."""

    account: str  # name
    setting: str
    path: Path
    fingerprint: FileFingerprint


@dataclass(slots=True, kw_only=True)
class CsvTable:
    """The contents of a CSV file, with its dialect, so that it can be written in the same form."""

    columns: list[str]  # without the key
    lines: list[tuple[int, list[str]]] = field(default_factory=list)  # line number, then the key and the other cells
    delimiter: str = ","
    newline: str = "\n"
    has_bom: bool = False

    def to_bytes(self) -> bytes:
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter=self.delimiter, lineterminator=self.newline)
        writer.writerow(["key", *self.columns])
        writer.writerows(cells for _, cells in self.lines)
        return (BOM * self.has_bom + buffer.getvalue()).encode()


class CsvTableError(Exception):
    """A CSV file is not a valid table. The message follows the file's name: `: …` or `, line 3: …`."""


def file_fingerprint(path: Path) -> FileFingerprint:
    """Return a value that differs between two states of a file: its modification time, size and inode."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def names_csv_file(setting: fields.Field[Any] | None, value: Any) -> bool:
    """Whether a setting's value is the name of a CSV file."""
    return isinstance(setting, LookupTableField) and isinstance(value, str) and value.lower().endswith(".csv")


def read_csv_table(path: Path, columns: list[str]) -> CsvTable:
    """Read a CSV file, each line with as many cells as there are columns. Raises `CsvTableError`."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise CsvTableError(f": there is no folder {path.parent.absolute()}.") from None
        raise CsvTableError(": there is no such file; `connector table set --file` creates it.") from None
    except OSError as error:
        raise CsvTableError(f": cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise CsvTableError(": is not UTF-8 text; in Excel, save it as “CSV UTF-8”.") from None
    csv_table = CsvTable(columns=columns, has_bom=text.startswith(BOM), newline="\r\n" if "\r\n" in text else "\n")
    text = text.removeprefix(BOM)
    header = HEADER.match(text)
    if header is None:
        raise CsvTableError(f", line 1: must be the header key,{','.join(columns)}.")
    csv_table.delimiter = header[1]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=csv_table.delimiter, strict=True)
    expected = ["key", *columns]
    try:
        for number, raw_cells in enumerate_lines(reader):
            cells = [cell.strip() for cell in raw_cells]
            while len(cells) > len(expected) and not cells[-1]:  # empty columns of a spreadsheet
                cells.pop()
            if number == 1:
                if [cell.lower() for cell in cells] != expected:
                    raise CsvTableError(f", line 1: must be the header {csv_table.delimiter.join(expected)}.")
            elif any(cells):
                if len(cells) > len(expected):
                    raise CsvTableError(f", line {number}: has {len(cells)} cells; {len(expected)} are expected.")
                csv_table.lines.append((number, cells + [""] * (len(expected) - len(cells))))
    except csv.Error as error:
        raise CsvTableError(f", line {reader.line_num}: is not valid CSV: {error}.") from None
    return csv_table


def enumerate_lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of its first line."""
    line_number = 1
    for cells in reader:
        yield line_number, cells
        line_number = reader.line_num + 1


def load_csv_tables(
    schema: Schema, values: Mapping[str, Any], path: ConfigPath, directory: Path, errors: ConfigErrors
) -> dict[str, Any]:
    """Return an account's settings with the name of each CSV file replaced by its rows. Adds the files' errors."""
    result: dict[str, Any] = dict(values)
    for name, value in values.items():
        setting = schema.fields.get(name)
        if not names_csv_file(setting, value):
            continue
        assert isinstance(setting, LookupTableField)  # noqa: S101  # `names_csv_file` has checked it
        result[name] = {}
        try:
            csv_table = read_csv_table(directory / value, setting.columns)
        except CsvTableError as error:
            errors.add((*path, name), f"{value}{error}")
            continue
        rows, line_errors = parse_rows(csv_table, setting)
        result[name] = rows
        for number, text in line_errors:
            errors.add((*path, name), f"{value}, line {number}: {text}")
    return result


def parse_rows(csv_table: CsvTable, setting: LookupTableField) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Return the rows as they would be in connector.toml, and the errors with their line numbers."""
    rows: dict[str, Any] = {}
    line_by_key: dict[str, int] = {}
    line_errors: list[tuple[int, str]] = []
    for number, (key, *cells) in csv_table.lines:
        value = row_from_cells(cells, setting)
        if messages := row_errors(setting, key, value):
            line_errors += [(number, text) for text in messages]
        elif (other := line_by_key.setdefault(setting.normalize_key(key), number)) != number:
            line_errors.append((number, f"has the same key as line {other}."))
        else:
            rows[key] = value
    return rows, line_errors


def row_from_cells(cells: list[str], setting: LookupTableField) -> Any:
    """Return the value of a row: a text, or a table of the columns that are not empty."""
    if setting.is_nested:
        return {name: cell for name, cell in zip(setting.columns, cells, strict=True) if cell}
    return cells[0]


def row_errors(setting: LookupTableField, key: str, value: Any) -> list[str]:
    """Return the errors in a row."""
    try:
        setting.deserialize({key: coerce_value(setting.value_field, value)})
    except ValidationError as error:
        return [
            " ".join(map(str, (*error_path[1:], text)))
            for error_path, text in flatten_errors(error.messages, setting, ())
        ]
    return []
