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

from connector.database.models import TZDateTime

Converter = Callable[[Any], Any]


@cache
def compile_select(
    statement: Select[Any], dialect: Dialect
) -> tuple[str, list[tuple[str, Any, Converter]], Sequence[str] | None]:
    """A statement in the database's words; its parameters, and how they are given; their order, if it counts."""
    compiled = statement.compile(dialect=dialect)
    parameters = [
        (name, default, bind_converter(compiled.binds[name].type, dialect.name))
        for name, default in compiled.params.items()
    ]
    return compiled.string, parameters, compiled.positiontup


@cache
def build_select(
    table: Table, column_names: tuple[str, ...], key_column: str, count: int, lock_clause: str, dialect_name: str
) -> str:
    return to_placeholders(
        f"SELECT {', '.join(column_names)} FROM {table.name} WHERE {key_column} IN ({placeholders(count)})"  # noqa: S608  # names of ours
        f" ORDER BY {key_column} {lock_clause if dialect_name != 'sqlite' else ''}",
        dialect_name,
    )


@cache
def build_join(
    table: Table,
    column_names: tuple[str, ...],
    foreign_key: str,
    other_table: Table,
    other_column_names: tuple[str, ...],
    count: int,
    dialect_name: str,
) -> str:
    columns = [
        *(f"{table.name}.{name}" for name in column_names),
        *(f"{other_table.name}.{name}" for name in other_column_names),
    ]
    return to_placeholders(
        f"SELECT {', '.join(columns)} FROM {table.name}"  # noqa: S608  # names of ours
        f" JOIN {other_table.name} ON {other_table.name}.id = {table.name}.{foreign_key}"
        f" WHERE {table.name}.id IN ({placeholders(count)})",
        dialect_name,
    )


@cache
def build_exists(table: Table, column: str, count: int, equal: tuple[str, ...], dialect_name: str) -> str:
    conditions = "".join(f"{name} = ? AND " for name in equal)
    return to_placeholders(
        f"SELECT EXISTS (SELECT 1 FROM {table.name} WHERE {conditions}{column} IN ({placeholders(count)}) AND id < ?)",  # noqa: S608
        dialect_name,
    )


@cache
def build_update(table: Table, column_names: tuple[str, ...], key_columns: tuple[str, ...]) -> str:
    """Of one row, as SQLite has it: first the values, then those that it is found by."""
    assignments = ", ".join(f"{name} = ?" for name in column_names)
    return f"UPDATE {table.name} SET {assignments} WHERE {' AND '.join(f'{key} = ?' for key in key_columns)}"  # noqa: S608


@cache
def build_update_many(
    table: Table, column_names: tuple[str, ...], key_columns: tuple[str, ...], count: int, dialect: Dialect
) -> str:
    """Of so many rows at once, as PostgreSQL has it: of each the values, then those that it is found by."""
    columns = (*column_names, *key_columns)
    sql_types = (table.c[name].type.compile(dialect) for name in columns)
    typed_row = ", ".join(
        f"CAST(? AS {sql_type})" for sql_type in sql_types
    )  # the first row's types are all rows': a NULL has none
    rows = [f"({typed_row})", *[f"({placeholders(len(columns))})"] * (count - 1)]
    return to_placeholders(
        f"WITH changes ({', '.join(columns)}) AS (VALUES {', '.join(rows)})"  # noqa: S608  # names of ours
        f" UPDATE {table.name} SET {', '.join(f'{name} = changes.{name}' for name in column_names)}"
        f" FROM changes WHERE {' AND '.join(f'{table.name}.{key} = changes.{key}' for key in key_columns)}",
        dialect.name,
    )


@cache
def build_insert(
    table: Table,
    column_names: tuple[str, ...],
    count: int,
    unique: tuple[str, ...],
    returning: tuple[str, ...],
    dialect_name: str,
) -> str:
    rows = ", ".join([f"({placeholders(len(column_names))})"] * count)
    return to_placeholders(
        f"INSERT INTO {table.name} ({', '.join(column_names)}) VALUES {rows}"  # noqa: S608  # names of ours
        f" ON CONFLICT ({', '.join(unique)}) DO NOTHING" + (f" RETURNING {', '.join(returning)}" if returning else ""),
        dialect_name,
    )


@cache
def build_select_range(table: Table, column_names: tuple[str, ...]) -> str:
    return f"SELECT id, {', '.join(column_names)} FROM {table.name} WHERE id >= ? AND id < ?"  # noqa: S608  # names of ours


def placeholders(count: int) -> str:
    return ", ".join("?" * count)


def to_placeholders(sql: str, dialect_name: str) -> str:
    """The statement with its values' places as the engine has them."""
    if dialect_name == "sqlite":
        return sql
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


@cache
def bind_converters(table: Table, column_names: tuple[str, ...], dialect_name: str) -> list[Converter]:
    """How each column's values are given to the driver; as `tables` has them read."""
    return [bind_converter(table.c[name].type, dialect_name) for name in column_names]


def bind_converter(column_type: Any, dialect_name: str) -> Converter:
    if isinstance(column_type, JSON):
        return encode_json
    if isinstance(column_type, TZDateTime) and dialect_name == "sqlite":
        return encode_datetime
    return identity


def row_class(table: Table, column_names: tuple[str, ...]) -> Any:
    return namedtuple(f"RowOf_{table.name}", column_names)


@cache
def row_reader(table: Table, column_names: tuple[str, ...], dialect_name: str) -> Callable[[Sequence[Any]], Any]:
    """Makes what the driver read of a row an object with `names` as attributes, their values as `tables` has them."""
    make_row = row_class(table, column_names)._make
    converters = [
        (index, result_converter(table.c[name].type, dialect_name)) for index, name in enumerate(column_names)
    ]
    needed = [(index, convert) for index, convert in converters if convert is not None]

    def convert_row(raw_row: Sequence[Any]) -> Any:
        values = list(raw_row)
        for index, convert in needed:
            values[index] = convert(values[index])
        return make_row(values)

    return convert_row


def result_converter(column_type: Any, dialect_name: str) -> Converter | None:
    if isinstance(column_type, TZDateTime):
        return decode_datetime if dialect_name == "sqlite" else to_utc
    if dialect_name == "sqlite" and isinstance(column_type, JSON):
        return decode_json
    return bool if dialect_name == "sqlite" and isinstance(column_type, Boolean) else None


def encode_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half of a surrogate pair, as a store may send
        return json.dumps(value)


def encode_datetime(at: datetime | None) -> str | None:
    """As SQLAlchemy writes it to SQLite."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26] if at else None


def decode_json(text: str | None) -> Any:
    if text == "[]":  # as most are
        return []
    return json.loads(text) if text is not None else None


def decode_datetime(text: str | None) -> datetime | None:
    return datetime.fromisoformat(f"{text}+00:00") if text is not None else None


def to_utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at is not None else None


def identity(value: Any) -> Any:
    return value
