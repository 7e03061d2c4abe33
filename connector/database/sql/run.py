"""Runs the statements of `statements.py` with the driver's own cursor.

https://docs.sqlalchemy.org/en/20/core/connections.html#working-with-driver-sql-and-raw-dbapi-connections, read
2026-11-30. SQLAlchemy's `exec_driver_sql` adds about as much as SQLite takes for the statement: docs/performance.md.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection

PARAMETER = re.compile(r":([a-z_]+)")
LOCK_CLAUSE = re.compile(r"^FOR UPDATE.*$", re.MULTILINE)
VALUES_ROW = re.compile(r"(?<=^VALUES )(\(.*?\))", re.MULTILINE | re.DOTALL)
MAX_ROWS = 500  # in one INSERT: SQLite accepts 32,766 parameters


def run(connection: Connection, sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement once. Returns its rows, with times as the driver returns them: see `parse_time`."""
    dialect_name = connection.dialect.name
    values: dict[str, Any] = {}
    list_lengths: list[tuple[str, int]] = []
    for name, value in params.items():
        if isinstance(value, list):
            list_lengths.append((name, len(value)))
            values |= {f"{name}_{index}": item for index, item in enumerate(value)}
        else:
            values[name] = value
    driver_sql = to_driver_sql(sql, dialect_name, tuple(list_lengths))
    return execute(connection, driver_sql, to_driver_values(values, dialect_name))


def execute(connection: Connection, driver_sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
    """Run a statement in the driver's own form. Returns its rows, if it has any."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(driver_sql, values)
        rows: list[tuple[Any, ...]] = list(cursor.fetchall()) if cursor.description else []
        return rows


def run_many(connection: Connection, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement once per row of parameters, as one `executemany`."""
    dialect_name = connection.dialect.name
    driver_rows = [to_driver_values(row, dialect_name) for row in rows]
    with closing(connection.connection.cursor()) as cursor:
        cursor.executemany(to_driver_sql(sql, dialect_name, ()), driver_rows)


def insert_rows(connection: Connection, sql: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Run an `INSERT … VALUES (…) … RETURNING …` with many rows. Returns what it returns, in any order."""
    dialect_name = connection.dialect.name
    converters = CONVERTERS[dialect_name]
    returned: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), MAX_ROWS):
        part = rows[start : start + MAX_ROWS]
        driver_sql, names = to_multi_row_insert(sql, dialect_name, len(part))
        values = [row[name] for row in part for name in names]
        driver_values = tuple(
            [converters[type(value)](value) if type(value) in converters else value for value in values]
        )
        returned += execute(connection, driver_sql, driver_values)
    return returned


@cache
def to_multi_row_insert(sql: str, dialect_name: str, row_count: int) -> tuple[str, tuple[str, ...]]:
    """The statement with its `VALUES (…)` repeated, and the names of the parameters of one row.

    Its parameters are positional: SQLite compares a named one with all those before it.
    """
    before, values_row, after = VALUES_ROW.split(sql)
    driver_row = PARAMETER.sub("?" if dialect_name == "sqlite" else "%s", values_row)
    return before + ", ".join([driver_row] * row_count) + after, tuple(PARAMETER.findall(values_row))


@cache
def to_driver_sql(sql: str, dialect_name: str, list_lengths: tuple[tuple[str, int], ...]) -> str:
    """The statement with the driver's parameter style, and one parameter for each item of a list."""
    lengths = dict(list_lengths)
    template = ":{}" if dialect_name == "sqlite" else "%({})s"

    def to_driver_parameter(match: re.Match[str]) -> str:
        name = match[1]
        names = [f"{name}_{index}" for index in range(lengths[name])] if name in lengths else [name]
        return ", ".join(template.format(item) for item in names) or "NULL"  # PostgreSQL refuses `IN ()`

    driver_sql = PARAMETER.sub(to_driver_parameter, sql)
    return LOCK_CLAUSE.sub("", driver_sql) if dialect_name == "sqlite" else driver_sql


def to_driver_values(values: Mapping[str, Any], dialect_name: str) -> dict[str, Any]:
    converters = CONVERTERS[dialect_name]
    return {
        name: converters[type(value)](value) if type(value) in converters else value for name, value in values.items()
    }


def format_time(at: datetime) -> str:
    """A time as SQLAlchemy stores it in SQLite: UTC, without offset."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def parse_time(value: datetime | str | None) -> datetime | None:
    """A time as the driver returns it: text from SQLite, aware from PostgreSQL."""
    return None if value is None else parse_required_time(value)


def parse_required_time(value: datetime | str) -> datetime:
    return datetime.fromisoformat(f"{value}+00:00") if isinstance(value, str) else value.astimezone(UTC)


def dump_json(value: Any) -> str:
    return orjson.dumps(value).decode()


#: How values are passed to the driver, by their type: dicts and lists as JSON. Others are passed as they are.
CONVERTERS: Mapping[str, Mapping[type, Callable[[Any], Any]]] = {
    "sqlite": {datetime: format_time, dict: json.dumps, list: dump_json},
    "postgresql": {dict: json.dumps, list: dump_json},
}
