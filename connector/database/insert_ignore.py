"""INSERT that skips rows that exist already, which SQLAlchemy offers for each engine separately.

The inserts of events and deliveries, which every webhook waits for, are written out in `sql/statements.py` instead.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Row
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel


def insert_ignore(
    connection: Connection,
    model: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: tuple[str, ...],
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Insert the rows whose `unique` columns have no row yet; the unique index decides.

    All rows have the same columns. Returns the `unique` columns of those that were inserted, in any order.
    """
    if not rows:
        return []
    return connection.execute(build_insert(model, unique, connection.dialect.name), rows).all()


@cache
def build_insert(model: type[SQLModel], unique: tuple[str, ...], dialect_name: str) -> Insert:
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    statement: Insert = dialect.insert(model).on_conflict_do_nothing(index_elements=unique)
    return statement.returning(*(getattr(model, name) for name in unique))
