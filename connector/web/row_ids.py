"""Ids of rows, as they appear in URLs and JSON: strings of digits."""

import re

from connector.core.exceptions import NotFoundError

#: One less than a database can store: pages begin below an id plus one.
MAX_ID = 2**63 - 2
ID_PATTERN = "^[0-9]{1,19}$"


def parse_id(text: str) -> int:
    """Raises `NotFoundError` if no row can have this id."""
    if not is_id(text) or int(text) > MAX_ID:
        raise NotFoundError("no such id")
    return int(text)


def is_id(text: str) -> bool:
    return re.fullmatch("[0-9]{1,19}", text) is not None
