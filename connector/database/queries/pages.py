"""Pages of rows, newest first, from searches that read a bounded number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, SQLColumnExpression, func

from connector.database.models import Delivery, Event

#: The most rows that one search reads where no index fits the filter.
MAX_SCANNED_ROWS = 20_000

Row = TypeVar("Row", Event, Delivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage(Generic[Row]):
    """One page of rows, newest first.

    Args:
        next: `before_id` of the next page; None on the last.
        is_truncated: the search ended before the page was full, and there are more rows to search.
    """

    rows: list[Row] = field(default_factory=list)
    next: int | None = None
    is_truncated: bool = False


def build_page(rows: Sequence[Row], limit: int, scanned_to: int | None) -> SearchPage[Row]:
    """Merge the rows of several scans.

    Args:
        scanned_to: the highest id at which a scan stopped early. Older rows are left out: they could hide others.
    """
    ordered = sorted(rows, key=lambda row: -row.id)
    if scanned_to is not None:
        ordered = [row for row in ordered if row.id >= scanned_to]
    page_rows = ordered[:limit]
    if len(ordered) > limit:
        return SearchPage(rows=page_rows, next=page_rows[-1].id)
    return SearchPage(rows=page_rows, next=scanned_to, is_truncated=scanned_to is not None)


def scan_floor(low: int, high: int) -> tuple[int, int | None]:
    """The lowest id that one search reads, and the same again if there are rows below it."""
    floor = max(low, high - MAX_SCANNED_ROWS + 1)
    return floor, floor if floor > low else None


def without_index(column: SQLColumnExpression[str]) -> ColumnElement[str]:
    """The column in a form that no index has. With one, SQLite would collect all matches and then sort them."""
    return func.coalesce(column, "")
