"""Reads lines of order numbers and the orders' ids at the destination, pasted or from a CSV file."""

import csv
import io
from collections.abc import Iterator

from marshmallow import ValidationError

from connector.core.fields import validate_storable
from connector.core.messages import build_message
from connector.database.remote_ids import InvalidRemoteIdsError, RemoteId

MAX_LINES = 5_000
MAX_ID_LENGTH = 200
#: What spreadsheets put between two cells: in the order in which a text is searched for them.
DELIMITERS = ("\t", ";", ",")


def parse_remote_ids(text: str) -> list[RemoteId]:
    """Read an order's number and its id at the destination from each line. Blank lines are skipped.

    Raises:
        InvalidRemoteIdsError: with the number of each line that is not two cells.
    """
    delimiter = next((delimiter for delimiter in DELIMITERS if delimiter in text), ",")
    lines, problems = [], []
    try:
        for number, cells in read_lines(text, delimiter):
            if not is_readable(cells):
                problems.append(build_message("line_unreadable", line=number))
            else:
                lines.append(RemoteId(line=number, order=cells[0], remote_id=cells[1]))
    except csv.Error:
        problems.append(build_message("lines_not_csv"))
    if len(lines) > MAX_LINES:
        problems.append(build_message("too_many_lines", max=MAX_LINES))
    if problems:
        raise InvalidRemoteIdsError(problems)
    return lines


def read_lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not blank, and its cells without empty ones at the end."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    for raw_cells in reader:
        cells = [cell.strip() for cell in raw_cells]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield reader.line_num, cells


def is_readable(cells: list[str]) -> bool:
    if len(cells) != 2 or not all(cells) or len(cells[1]) > MAX_ID_LENGTH:
        return False
    try:
        for cell in cells:
            validate_storable(cell)
    except ValidationError:
        return False
    return True


def decode_file(content: bytes) -> str:
    """Return the text of a CSV file: UTF-8, or else what Excel writes in Latin America."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")
