"""Inserts, changes and reads many rows by one statement, past SQLAlchemy: each webhook and each attempt waits for it.

SQLAlchemy's own way costs several times as much as the database does; elsewhere that does not count.
"""

import json
from collections import defaultdict, namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, Boolean, Connection, Dialect, Select, Table

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
    readers = readers_of(table, names, style)
    make = row_class(table, names)._make
    cursor = connection.connection.cursor()
    try:
        locks = "" if style == "sqlite" else locks
        cursor.execute(write_select(table, names, column, len(among), locks, mark_of(style)), list(among))
        found = [list(row) for row in cursor.fetchall()]
    finally:
        cursor.close()
    for row in found:
        for place, read in readers:
            row[place] = read(row[place])
    return [make(row) for row in found]


def read_column(connection: Connection, statement: Select[Any], given: Mapping[str, Any]) -> list[Any]:
    """The first column of what a statement selects: one of few, each of which is written once for each database."""
    text, parameters, places = written(statement, connection.dialect)
    values = {name: convert(given.get(name, usual)) for name, usual, convert in parameters}
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, [values[name] for name in places] if places else values)
        return [row[0] for row in cursor.fetchall()]
    finally:
        cursor.close()


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
def written(
    statement: Select[Any], dialect: Dialect
) -> tuple[str, list[tuple[str, Any, Converter]], Sequence[str] | None]:
    """A statement in the database's words; its parameters, and how they are given; their order, if it counts."""
    compiled = statement.compile(dialect=dialect)
    parameters = [
        (name, usual, converter_of(compiled.binds[name].type, dialect.name)) for name, usual in compiled.params.items()
    ]
    return compiled.string, parameters, compiled.positiontup


@cache
def write_select(table: Table, names: tuple[str, ...], column: str, count: int, locks: str, mark: str) -> str:
    among = ", ".join([mark] * count)
    return (
        f"SELECT {', '.join(names)} FROM {table.name} WHERE {column} IN ({among})"  # noqa: S608  # names of ours
        f" ORDER BY {column} {locks}"
    )


@cache
def row_class(table: Table, names: tuple[str, ...]) -> Any:
    return namedtuple(f"RowOf_{table.name}", names)


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


@cache
def readers_of(table: Table, names: tuple[str, ...], style: str) -> list[tuple[int, Converter]]:
    """How the values that need it are read, by their places among `names`; as `tables` has them written."""
    readers = [(place, reader_of(table.c[name].type, style)) for place, name in enumerate(names)]
    return [(place, read) for place, read in readers if read is not None]


def reader_of(kind: Any, style: str) -> Converter | None:
    if isinstance(kind, Instant):
        return read_instant if style == "sqlite" else in_utc
    if style == "sqlite" and isinstance(kind, JSON):
        return read_json
    return bool if style == "sqlite" and isinstance(kind, Boolean) else None


def write_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half of a surrogate pair, as a store may send
        return json.dumps(value)


def write_instant(at: datetime | None) -> str | None:
    """As SQLAlchemy writes it to SQLite."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26] if at else None


def read_json(text: str | None) -> Any:
    if text == "[]":  # as most are
        return []
    return json.loads(text) if text is not None else None


def read_instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(f"{text}+00:00") if text is not None else None


def in_utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at is not None else None


def keep(value: Any) -> Any:
    return value
