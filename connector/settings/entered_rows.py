"""Rows of lookup tables that people entered in the dashboard, by the API or by the command line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteredRow:
    """A row of an account's lookup table that a person entered. It is used instead of the configuration's row."""

    account: str  # id
    table: str
    key: str
    value: Any  # as connector.toml writes it: a text, a number, false, or a table of columns
    entered_by: str
    entered_at: datetime
    note: str | None = None
