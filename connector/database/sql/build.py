"""Statements that run for every webhook and every attempt, each written once; and how values go in and come out.

A value's place is `?` on SQLite and `$1` on PostgreSQL; what SQLAlchemy wrote has its own.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, Boolean, Dialect, Select, Table

from connector.database.models import Instant

Converter = Callable[[Any], Any]


@cache
def compile_select(
    statement: Select[Any], dialect: Dialect
) -> tuple[str, list[tuple[str, Any, Converter]], Sequence[str] | None]:
    """A statement in the database's words; its parameters, and how they are given; their order, if it counts."""
    compiled = statement.compile(dialect=dialect)
    parameters = [
        (name, usual, converter_of(compiled.binds[name].type, dialect.name)) for name, usual in compiled.params.items()
    ]
    return compiled.string, parameters, compiled.positiontup


@cache
def write_select(table: Table, names: tuple[str, ...], column: str, count: int, locks: str, style: str) -> str:
    return mark(
        f"SELECT {', '.join(names)} FROM {table.name} WHERE {column} IN ({places(count)})"  # noqa: S608  # names of ours
        f" ORDER BY {column} {locks if style != 'sqlite' else ''}",
        style,
    )


@cache
def write_join(
    table: Table, names: tuple[str, ...], column: str, other: Table, others: tuple[str, ...], count: int, style: str
) -> str:
    columns = [*(f"{table.name}.{name}" for name in names), *(f"{other.name}.{name}" for name in others)]
    return mark(
        f"SELECT {', '.join(columns)} FROM {table.name} JOIN {other.name} ON {other.name}.id = {table.name}.{column}"  # noqa: S608
        f" WHERE {table.name}.id IN ({places(count)})",
        style,
    )


@cache
def write_exists(table: Table, column: str, count: int, equal: tuple[str, ...], style: str) -> str:
    same = "".join(f"{name} = ? AND " for name in equal)
    return mark(
        f"SELECT EXISTS (SELECT 1 FROM {table.name} WHERE {same}{column} IN ({places(count)}) AND id < ?)",  # noqa: S608
        style,
    )


@cache
def write_update(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    """Of one row, as SQLite has it: first the values, then those that it is found by."""
    sets = ", ".join(f"{name} = ?" for name in names)
    return f"UPDATE {table.name} SET {sets} WHERE {' AND '.join(f'{key} = ?' for key in keys)}"  # noqa: S608


@cache
def write_updates(table: Table, names: tuple[str, ...], keys: tuple[str, ...], count: int, dialect: Dialect) -> str:
    """Of so many rows at once, as PostgreSQL has it: of each the values, then those that it is found by."""
    columns = (*names, *keys)
    kinds = (table.c[name].type.compile(dialect) for name in columns)
    typed = ", ".join(f"CAST(? AS {kind})" for kind in kinds)  # the first row's types are all rows': a NULL has none
    rows = [f"({typed})", *[f"({places(len(columns))})"] * (count - 1)]
    return mark(
        f"WITH given ({', '.join(columns)}) AS (VALUES {', '.join(rows)})"  # noqa: S608  # names of ours
        f" UPDATE {table.name} SET {', '.join(f'{name} = given.{name}' for name in names)}"
        f" FROM given WHERE {' AND '.join(f'{table.name}.{key} = given.{key}' for key in keys)}",
        dialect.name,
    )


@cache
def write_insert(
    table: Table, names: tuple[str, ...], count: int, unique: tuple[str, ...], returning: tuple[str, ...], style: str
) -> str:
    rows = ", ".join([f"({places(len(names))})"] * count)
    return mark(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {rows}"  # noqa: S608  # names of ours
        f" ON CONFLICT ({', '.join(unique)}) DO NOTHING" + (f" RETURNING {', '.join(returning)}" if returning else ""),
        style,
    )


@cache
def write_range(table: Table, names: tuple[str, ...]) -> str:
    return f"SELECT id, {', '.join(names)} FROM {table.name} WHERE id >= ? AND id < ?"  # noqa: S608  # names of ours


def places(count: int) -> str:
    return ", ".join("?" * count)


def mark(text: str, style: str) -> str:
    """The statement with its values' places as the engine has them."""
    if style == "sqlite":
        return text
    first, *others = text.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


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


def row_class(table: Table, names: tuple[str, ...]) -> Any:
    return namedtuple(f"RowOf_{table.name}", names)


@cache
def row_reader(table: Table, names: tuple[str, ...], style: str) -> Callable[[Sequence[Any]], Any]:
    """Makes what the driver read of a row an object with `names` as attributes, their values as `tables` has them."""
    make = row_class(table, names)._make
    readers = [(place, reader_of(table.c[name].type, style)) for place, name in enumerate(names)]
    needed = [(place, read) for place, read in readers if read is not None]

    def read_row(given: Sequence[Any]) -> Any:
        values = list(given)
        for place, read in needed:
            values[place] = read(values[place])
        return make(values)

    return read_row


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
