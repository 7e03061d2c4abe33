"""Inserts, changes and reads many rows by one statement, past SQLAlchemy: each webhook and each attempt waits for it.

SQLAlchemy's own way costs several times as much as the database does; elsewhere that does not count.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, cast

from sqlalchemy import Connection, Select, Table

from connector.database.sql.build import (
    compile_select,
    converters_of,
    row_reader,
    write_exists,
    write_insert,
    write_join,
    write_range,
    write_select,
    write_update,
    write_updates,
)


@contextmanager
def cursor_of(connection: Connection) -> Iterator[Any]:
    """A cursor of the driver's, for statements of `statements`.

    psycopg's usual one looks through each long statement anew for its own places of values, a fifth of a transaction's
    processor time: https://www.psycopg.org/psycopg3/docs/advanced/cursors.html#raw-query-cursors, read 2026-11-22.
    """
    if connection.dialect.name == "sqlite":
        cursor: Any = connection.connection.cursor()
    else:
        from psycopg import RawCursor  # SQLite does without psycopg, and its memory

        cursor = RawCursor(cast(Any, connection.connection.driver_connection))
    try:
        yield cursor
    finally:
        cursor.close()


def insert_new(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: Sequence[str],
    returning: Sequence[str] = (),
) -> list[Any]:
    """Insert the rows whose `unique` columns are not there yet, and return `returning` of those: the index decides.

    Every row has the same columns, in the same order. Raises what the driver raises.
    """
    if not rows:
        return []
    with cursor_of(connection) as cursor:
        insert(cursor, connection.dialect.name, table, rows, unique, returning)
        return list(cursor.fetchall()) if returning else []


def insert_numbered(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, unique: Sequence[str]
) -> dict[tuple[Any, ...], int]:
    """As `insert_new`, where SQLite numbers the rows. Returns the ids of those that are new, by their `unique` columns.

    Each row that a driver hands over lets other threads in, here while other processes wait for their turn. New rows
    have one id after the other: https://www.sqlite.org/autoinc.html, read 2026-11-22.
    """
    if connection.dialect.name != "sqlite":
        made = insert_new(connection, table, rows, unique=unique, returning=["id", *unique])
        return {tuple(key): id_ for id_, *key in made}
    if not rows:
        return {}
    with cursor_of(connection) as cursor:
        insert(cursor, "sqlite", table, rows, unique)
        ids = range(cursor.lastrowid - cursor.rowcount + 1, cursor.lastrowid + 1)
        if len(ids) == len(rows):
            return {tuple(row[name] for name in unique): id_ for row, id_ in zip(rows, ids, strict=True)}
        cursor.execute(write_range(table, tuple(unique)), (ids.start, ids.stop))
        return {tuple(key): id_ for id_, *key in cursor.fetchall()}


def insert(
    cursor: Any,
    style: str,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    unique: Sequence[str],
    returning: Sequence[str] = (),
) -> None:
    names = tuple(rows[0])
    converters = converters_of(table, names, style)
    values = [convert(row[name]) for row in rows for name, convert in zip(names, converters, strict=True)]
    cursor.execute(write_insert(table, names, len(rows), tuple(unique), tuple(returning), style), values)


def select_by(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    column: str,
    among: Sequence[Any],
    *,
    locks: str = "",
) -> list[Any]:
    """The rows that have one of the values `among` in `column`, in its order, each with `names` as attributes.

    Args:
        locks: how PostgreSQL is to lock them, such as "FOR UPDATE"; on SQLite who writes has the database alone.
    """
    if not among:
        return []
    style = connection.dialect.name
    read = row_reader(table, names, style)
    with cursor_of(connection) as cursor:
        cursor.execute(write_select(table, names, column, len(among), locks, style), list(among))
        return [read(row) for row in cursor.fetchall()]


def select_joined(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    column: str,
    other: Table,
    others: tuple[str, ...],
    ids: Sequence[int],
) -> list[tuple[Any, Any]]:
    """The rows of these ids, in any order, each with the row of `other` whose id is in its `column`."""
    style = connection.dialect.name
    read, read_other = row_reader(table, names, style), row_reader(other, others, style)
    with cursor_of(connection) as cursor:
        cursor.execute(write_join(table, names, column, other, others, len(ids), style), list(ids))
        return [(read(row[: len(names)]), read_other(row[len(names) :])) for row in cursor.fetchall()]


def read_column(connection: Connection, statement: Select[Any], given: Mapping[str, Any]) -> list[Any]:
    """The first column of what a statement selects: one of few, each of which is written once for each database."""
    text, parameters, places = compile_select(statement, connection.dialect)
    values = {name: convert(given.get(name, usual)) for name, usual, convert in parameters}
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(text, [values[name] for name in places] if places else values)
        return [row[0] for row in cursor.fetchall()]


def exists_any(
    connection: Connection, table: Table, column: str, among: Sequence[str], *, before: int, **equal: str
) -> bool:
    """True when some row before the id `before` has one of the values `among` in `column`, and those of `equal`."""
    style = connection.dialect.name
    with cursor_of(connection) as cursor:
        cursor.execute(write_exists(table, column, len(among), tuple(equal), style), [*equal.values(), *among, before])
        return bool(cursor.fetchall()[0][0])


def update_rows(connection: Connection, table: Table, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Change rows by their ids: those that change in the same columns together."""
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for id_, values in changes.items():
        alike[tuple(values)].append(id_)
    for names, ids in alike.items():
        update_by(connection, table, names, ("id",), [(changes[id_], (id_,)) for id_ in ids])


def update_by(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    keys: tuple[str, ...],
    rows: Sequence[tuple[Mapping[str, Any], tuple[Any, ...]]],
) -> None:
    """Set the columns `names` of each row that has the values given for the columns `keys`."""
    dialect = connection.dialect
    converters = converters_of(table, names, dialect.name)
    given = [
        [*(convert(values[name]) for name, convert in zip(names, converters, strict=True)), *key]
        for values, key in rows
    ]
    with cursor_of(connection) as cursor:
        if dialect.name == "sqlite":  # takes longer for one statement than for one after the other
            cursor.executemany(write_update(table, names, keys), given)
        else:  # psycopg lets other threads go first for each
            cursor.execute(write_updates(table, names, keys, len(given), dialect), list(chain.from_iterable(given)))
