"""Which stores and accounts the rows speak of. Rows are keyed by these ids: under a new id every order would be new."""

from collections.abc import Iterator

from sqlalchemy import Column, Connection, func, select

from connector.database.engine import Database
from connector.database.models import deliveries, events


def unknown_ids(database: Database, *, stores: set[str], accounts: set[str]) -> list[tuple[str, str]]:
    """The ("store" or "account", id) pairs in the rows that are not among those given."""
    with database.read() as connection:
        unknown = [
            *(("store", name) for name in distinct_values(connection, events.c.store) if name not in stores),
            *(("account", name) for name in distinct_values(connection, deliveries.c.account) if name not in accounts),
        ]
    return unknown


def distinct_values(connection: Connection, column: Column[str]) -> Iterator[str]:
    """The values of an indexed column, one index look-up each, however many rows there are."""
    value = connection.execute(select(func.min(column))).scalar_one()
    while value is not None:
        yield value
        value = connection.execute(select(func.min(column)).where(column > value)).scalar_one()
