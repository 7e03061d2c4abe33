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
    bind_converters,
    build_exists,
    build_insert,
    build_join,
    build_select,
    build_select_range,
    build_update,
    build_update_many,
    compile_select,
    row_reader,
)


@contextmanager
def driver_cursor(connection: Connection) -> Iterator[Any]:
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


def insert_ignore(
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
    with driver_cursor(connection) as cursor:
        execute_insert(cursor, connection.dialect.name, table, rows, unique, returning)
        return list(cursor.fetchall()) if returning else []


def insert_ignore_returning_ids(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, unique: Sequence[str]
) -> dict[tuple[Any, ...], int]:
    """As `insert_new`, where SQLite numbers the rows. Returns the ids of those that are new, by their `unique` columns.

    Each row that a driver hands over lets other threads in, here while other processes wait for their turn. New rows
    have one id after the other: https://www.sqlite.org/autoinc.html, read 2026-11-22.
    """
    if connection.dialect.name != "sqlite":
        inserted = insert_ignore(connection, table, rows, unique=unique, returning=["id", *unique])
        return {tuple(key): id_ for id_, *key in inserted}
    if not rows:
        return {}
    with driver_cursor(connection) as cursor:
        execute_insert(cursor, "sqlite", table, rows, unique)
        ids = range(cursor.lastrowid - cursor.rowcount + 1, cursor.lastrowid + 1)
        if len(ids) == len(rows):
            return {tuple(row[name] for name in unique): id_ for row, id_ in zip(rows, ids, strict=True)}
        cursor.execute(build_select_range(table, tuple(unique)), (ids.start, ids.stop))
        return {tuple(key): id_ for id_, *key in cursor.fetchall()}


def execute_insert(
    cursor: Any,
    dialect_name: str,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    unique: Sequence[str],
    returning: Sequence[str] = (),
) -> None:
    column_names = tuple(rows[0])
    converters = bind_converters(table, column_names, dialect_name)
    values = [convert(row[name]) for row in rows for name, convert in zip(column_names, converters, strict=True)]
    cursor.execute(build_insert(table, column_names, len(rows), tuple(unique), tuple(returning), dialect_name), values)


def select_by(
    connection: Connection,
    table: Table,
    column_names: tuple[str, ...],
    key_column: str,
    values: Sequence[Any],
    *,
    lock_clause: str = "",
) -> list[Any]:
    """The rows that have one of the values `among` in `column`, in its order, each with `names` as attributes.

    Args:
        locks: how PostgreSQL is to lock them, such as "FOR UPDATE"; on SQLite who writes has the database alone.
    """
    if not values:
        return []
    dialect_name = connection.dialect.name
    to_row = row_reader(table, column_names, dialect_name)
    with driver_cursor(connection) as cursor:
        cursor.execute(
            build_select(table, column_names, key_column, len(values), lock_clause, dialect_name), list(values)
        )
        return [to_row(row) for row in cursor.fetchall()]


def select_joined(
    connection: Connection,
    table: Table,
    column_names: tuple[str, ...],
    foreign_key: str,
    other_table: Table,
    other_column_names: tuple[str, ...],
    ids: Sequence[int],
) -> list[tuple[Any, Any]]:
    """The rows of these ids, in any order, each with the row of `other` whose id is in its `column`."""
    dialect_name = connection.dialect.name
    to_row, to_other_row = (
        row_reader(table, column_names, dialect_name),
        row_reader(other_table, other_column_names, dialect_name),
    )
    with driver_cursor(connection) as cursor:
        cursor.execute(
            build_join(table, column_names, foreign_key, other_table, other_column_names, len(ids), dialect_name),
            list(ids),
        )
        return [(to_row(row[: len(column_names)]), to_other_row(row[len(column_names) :])) for row in cursor.fetchall()]


def fetch_scalars(connection: Connection, statement: Select[Any], params: Mapping[str, Any]) -> list[Any]:
    """The first column of what a statement selects: one of few, each of which is written once for each database."""
    sql, parameters, positional_names = compile_select(statement, connection.dialect)
    values = {name: convert(params.get(name, default)) for name, default, convert in parameters}
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql, [values[name] for name in positional_names] if positional_names else values)
        return [row[0] for row in cursor.fetchall()]


def row_exists(
    connection: Connection, table: Table, column: str, values: Sequence[str], *, before_id: int, **equal: str
) -> bool:
    """True when some row before the id `before` has one of the values `among` in `column`, and those of `equal`."""
    dialect_name = connection.dialect.name
    with driver_cursor(connection) as cursor:
        cursor.execute(
            build_exists(table, column, len(values), tuple(equal), dialect_name), [*equal.values(), *values, before_id]
        )
        return bool(cursor.fetchall()[0][0])


def update_rows(connection: Connection, table: Table, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Change rows by their ids: those that change in the same columns together."""
    ids_by_columns: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for id_, values in changes.items():
        ids_by_columns[tuple(values)].append(id_)
    for column_names, ids in ids_by_columns.items():
        update_by(connection, table, column_names, ("id",), [(changes[id_], (id_,)) for id_ in ids])


def update_by(
    connection: Connection,
    table: Table,
    column_names: tuple[str, ...],
    key_columns: tuple[str, ...],
    rows: Sequence[tuple[Mapping[str, Any], tuple[Any, ...]]],
) -> None:
    """Set the columns `names` of each row that has the values given for the columns `keys`."""
    dialect = connection.dialect
    converters = bind_converters(table, column_names, dialect.name)
    params = [
        [*(convert(values[name]) for name, convert in zip(column_names, converters, strict=True)), *key]
        for values, key in rows
    ]
    with driver_cursor(connection) as cursor:
        if dialect.name == "sqlite":  # takes longer for one statement than for one after the other
            cursor.executemany(build_update(table, column_names, key_columns), params)
        else:  # psycopg lets other threads go first for each
            cursor.execute(
                build_update_many(table, column_names, key_columns, len(params), dialect),
                list(chain.from_iterable(params)),
            )
