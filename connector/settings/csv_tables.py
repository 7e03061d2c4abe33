"""Reads lookup tables from CSV files, as spreadsheets write them, and detects that a file has changed.

Errors do not quote cells: a key may be a customer's tax id.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields

from connector.settings.coercion import coerce_value
from connector.settings.errors import ConfigErrors, ConfigPath, flatten_errors
from mappings.labels import N_, Sentence
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
    """A CSV file is not a valid table.

    Args:
        text: what is wrong.
        line: in which line; None if it is the whole file.
    """

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text, self.line = text, line

    def __str__(self) -> str:
        """Return the message that follows the file's name: `: …` or `, line 3: …`."""
        return describe_line_error("", self.line, self.text)


def describe_line_error(file: str, line: int | None, text: str) -> Sentence:
    error = text if isinstance(text, Sentence) else Sentence(text)
    if line is None:
        return Sentence("%(file)s: %(error)s", file=file, error=error)
    return Sentence(N_("%(file)s, line %(line)s: %(error)s"), file=file, line=line, error=error)


def describe_cell_error(columns: Sequence[str | int], text: str) -> str:
    """Name the column, if the row has several."""
    if not columns:
        return text
    error = text if isinstance(text, Sentence) else Sentence(text)
    return Sentence("%(column)s %(error)s", column=" ".join(map(str, columns)), error=error)


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
            folder = path.parent.absolute()
            raise CsvTableError(Sentence(N_("there is no folder %(folder)s."), folder=folder)) from None
        raise CsvTableError(N_("there is no such file; `connector table set --file` creates it.")) from None
    except OSError as error:
        raise CsvTableError(Sentence(N_("cannot be read: %(reason)s."), reason=error.strerror)) from error
    except UnicodeDecodeError:
        raise CsvTableError(N_("is not UTF-8 text; in Excel, save it as “CSV UTF-8”.")) from None
    csv_table = CsvTable(columns=columns, has_bom=text.startswith(BOM), newline="\r\n" if "\r\n" in text else "\n")
    text = text.removeprefix(BOM)
    header = HEADER.match(text)
    if header is None:
        raise CsvTableError(header_error(",", columns), 1)
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
                    raise CsvTableError(header_error(csv_table.delimiter, columns), 1)
            elif any(cells):
                if len(cells) > len(expected):
                    message = N_("has %(count)s cells; %(expected)s are expected.")
                    raise CsvTableError(Sentence(message, count=len(cells), expected=len(expected)), number)
                csv_table.lines.append((number, cells + [""] * (len(expected) - len(cells))))
    except csv.Error as error:
        raise CsvTableError(Sentence(N_("is not valid CSV: %(reason)s."), reason=error), reader.line_num) from None
    return csv_table


def header_error(delimiter: str, columns: Sequence[str]) -> Sentence:
    return Sentence(N_("must be the header %(header)s."), header=delimiter.join(["key", *columns]))


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
            errors.add((*path, name), describe_line_error(value, error.line, error.text))
            continue
        rows, line_errors = parse_rows(csv_table, setting)
        result[name] = rows
        for number, text in line_errors:
            errors.add((*path, name), describe_line_error(value, number, text))
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
            line_errors.append((number, Sentence(N_("has the same key as line %(line)s."), line=other)))
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
            describe_cell_error(error_path[1:], text)
            for error_path, text in flatten_errors(error.messages, setting, ())
        ]
    return []
