"""Inserts and changes many rows by one statement, past SQLAlchemy: every webhook and every attempt waits for this.

SQLAlchemy's own way costs several times as much as the database does; elsewhere that does not count.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, Table

from connector.database.tables import Instant

Converter = Callable[[Any], Any]


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
    cursor = connection.connection.cursor()
    try:
        insert(cursor, connection.dialect.name, table, rows, unique, returning)
        return list(cursor.fetchall()) if returning else []
    finally:
        cursor.close()


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
    cursor = connection.connection.cursor()
    try:
        insert(cursor, "sqlite", table, rows, unique)
        ids = range(cursor.lastrowid - cursor.rowcount + 1, cursor.lastrowid + 1)
        if len(ids) == len(rows):
            return {tuple(row[name] for name in unique): id_ for row, id_ in zip(rows, ids, strict=True)}
        cursor.execute(write_range(table, tuple(unique)), (ids.start, ids.stop))
        return {tuple(key): id_ for id_, *key in cursor.fetchall()}
    finally:
        cursor.close()


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
    cursor.execute(write_insert(table, names, len(rows), tuple(unique), tuple(returning), mark_of(style)), values)


def exists_any(
    connection: Connection, table: Table, column: str, among: Sequence[str], *, before: int, **equal: str
) -> bool:
    """True when some row before the id `before` has one of the values `among` in `column`, and those of `equal`."""
    mark = mark_of(connection.dialect.name)
    cursor = connection.connection.cursor()
    try:
        cursor.execute(write_exists(table, column, len(among), tuple(equal), mark), [*equal.values(), *among, before])
        return bool(cursor.fetchall()[0][0])
    finally:
        cursor.close()


@cache
def write_exists(table: Table, column: str, count: int, equal: tuple[str, ...], mark: str) -> str:
    same = "".join(f"{name} = {mark} AND " for name in equal)
    among = ", ".join([mark] * count)
    return f"SELECT EXISTS (SELECT 1 FROM {table.name} WHERE {same}{column} IN ({among}) AND id < {mark})"  # noqa: S608


def update_rows(connection: Connection, table: Table, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Change rows by their ids: one statement for all that change in the same columns."""
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for id_, values in changes.items():
        alike[tuple(values)].append(id_)
    for names, ids in alike.items():
        run_many(connection, table, names, ("id",), [(changes[id_], (id_,)) for id_ in ids])


def run_many(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    keys: tuple[str, ...],
    rows: Sequence[tuple[Mapping[str, Any], tuple[Any, ...]]],
) -> None:
    """Set the columns `names` of each row that has the values given for the columns `keys`."""
    style = connection.dialect.name
    converters = converters_of(table, names, style)
    given = [
        [*(convert(values[name]) for name, convert in zip(names, converters, strict=True)), *key]
        for values, key in rows
    ]
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(write_update(table, names, keys, mark_of(style)), given)
    finally:
        cursor.close()


def mark_of(style: str) -> str:
    """How a statement marks the place of a value."""
    return "?" if style == "sqlite" else "%s"


@cache
def write_update(table: Table, names: tuple[str, ...], keys: tuple[str, ...], mark: str) -> str:
    sets = ", ".join(f"{name} = {mark}" for name in names)
    return f"UPDATE {table.name} SET {sets} WHERE {' AND '.join(f'{key} = {mark}' for key in keys)}"  # noqa: S608


@cache
def write_insert(
    table: Table, names: tuple[str, ...], count: int, unique: tuple[str, ...], returning: tuple[str, ...], mark: str
) -> str:
    row = f"({', '.join([mark] * len(names))})"
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([row] * count)}"  # noqa: S608  # names of ours
        f" ON CONFLICT ({', '.join(unique)}) DO NOTHING" + (f" RETURNING {', '.join(returning)}" if returning else "")
    )


@cache
def write_range(table: Table, names: tuple[str, ...]) -> str:
    return f"SELECT id, {', '.join(names)} FROM {table.name} WHERE id >= ? AND id < ?"  # noqa: S608  # names of ours


@cache
def converters_of(table: Table, names: tuple[str, ...], style: str) -> list[Converter]:
    """How each column's values are given to the driver; as `tables` has them read."""
    return [converter_of(table.c[name].type, style) for name in names]


def converter_of(kind: Any, style: str) -> Converter:
    if isinstance(kind, JSON):
        return write_json
    if isinstance(kind, Instant) and style == "sqlite":
        return write_instant
    return keep


def write_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half of a surrogate pair, as a store may send
        return json.dumps(value)


def write_instant(at: datetime | None) -> str | None:
    """As SQLAlchemy writes it to SQLite."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26] if at else None


def keep(value: Any) -> Any:
    return value
