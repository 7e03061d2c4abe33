"""Runs the statements of `statements.py` with the driver's own cursor.

https://docs.sqlalchemy.org/en/20/core/connections.html#working-with-driver-sql-and-raw-dbapi-connections, read
2026-11-30. SQLAlchemy's `exec_driver_sql` adds about as much as SQLite takes for the statement: docs/performance.md.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection

PARAMETER = re.compile(r":([a-z_]+)")
LOCK_CLAUSE = re.compile(r"^FOR UPDATE.*$", re.MULTILINE)
VALUES_ROW = re.compile(r"(?<=^VALUES )(\(.*?\))", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^INSERT INTO (\w+)", re.MULTILINE)
RETURNING_CLAUSE = re.compile(r"^RETURNING (.*)$", re.MULTILINE)
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
    driver_sql, names = to_driver_sql(sql, dialect_name, tuple(list_lengths))
    return execute(connection, driver_sql, to_driver_params(values, names, dialect_name))


def execute(connection: Connection, driver_sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
    """Run a statement in the driver's own form. Returns its rows, if it has any."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(driver_sql, values)
        rows: list[tuple[Any, ...]] = list(cursor.fetchall()) if cursor.description else []
        return rows


def run_many(connection: Connection, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement once per row of parameters, as one `executemany`."""
    dialect_name = connection.dialect.name
    driver_sql, names = to_driver_sql(sql, dialect_name, ())
    with closing(connection.connection.cursor()) as cursor:
        cursor.executemany(driver_sql, [to_driver_params(row, names, dialect_name) for row in rows])


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
        if dialect_name == "sqlite":
            returned += insert_into_sqlite(connection, driver_sql, driver_values, part)
        else:
            returned += execute(connection, driver_sql, driver_values)
    return returned


def insert_into_sqlite(
    connection: Connection, driver_sql: str, values: tuple[Any, ...], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    """Insert rows, and return what `RETURNING` would, without waiting for the interpreter for each value.

    sqlite3 lets other threads run before it returns a row, and again for each column. So the ids are calculated: one
    statement gives its rows consecutive ids in their order, which SQLAlchemy relies on as well:
    https://docs.sqlalchemy.org/en/20/core/connections.html#correlating-returning-rows-to-parameter-sets, read
    2026-11-30. Only if some rows existed already, those that are new are read: they have the highest ids.
    """
    insert_sql, read_new, columns = split_returning(driver_sql)
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(insert_sql, values)
        if cursor.rowcount == len(rows):
            first_id = cursor.lastrowid - len(rows) + 1
            return [
                tuple([id_ if column == "id" else row[column] for column in columns])
                for id_, row in enumerate(rows, first_id)
            ]
        cursor.execute(read_new, (cursor.rowcount,))
        return list(cursor.fetchall())


@cache
def split_returning(driver_sql: str) -> tuple[str, str, tuple[str, ...]]:
    """An insert without its `RETURNING` clause, a query of the newest rows for it, and the clause's columns."""
    clause, table = RETURNING_CLAUSE.search(driver_sql), TABLE.search(driver_sql)
    if clause is None or table is None:
        raise ValueError("not an INSERT with RETURNING")
    read_new = f"SELECT {clause[1]} FROM {table[1]} ORDER BY id DESC LIMIT ?"  # noqa: S608  # of `statements.py`
    return RETURNING_CLAUSE.sub("", driver_sql), read_new, tuple(clause[1].split(", "))


@cache
def to_multi_row_insert(sql: str, dialect_name: str, row_count: int) -> tuple[str, tuple[str, ...]]:
    """The statement with its `VALUES (…)` repeated, and the names of the parameters of one row.

    Its parameters are positional: SQLite compares a named one with all those before it.
    """
    before, values_row, after = VALUES_ROW.split(sql)
    driver_row = PARAMETER.sub("?" if dialect_name == "sqlite" else "%s", values_row)
    return before + ", ".join([driver_row] * row_count) + after, tuple(PARAMETER.findall(values_row))


@cache
def to_driver_sql(
    sql: str, dialect_name: str, list_lengths: tuple[tuple[str, int], ...]
) -> tuple[str, tuple[str, ...]]:
    """The statement with the driver's parameter style and one parameter for each item of a list, and their names.

    On SQLite they are positional, and a name that occurs twice is returned twice: for each that is named, sqlite3 lets
    other threads run before it looks up the name, and numbered ones (`?1`) end with Python 3.14.
    """
    lengths = dict(list_lengths)
    is_sqlite = dialect_name == "sqlite"
    occurrences: list[str] = []

    def to_driver_parameter(match: re.Match[str]) -> str:
        name = match[1]
        names = [f"{name}_{index}" for index in range(lengths[name])] if name in lengths else [name]
        occurrences.extend(names)
        # PostgreSQL refuses `IN ()`.
        return ", ".join("?" if is_sqlite else f"%({item})s" for item in names) or "NULL"

    driver_sql = PARAMETER.sub(to_driver_parameter, sql)
    if is_sqlite:
        return LOCK_CLAUSE.sub("", driver_sql), tuple(occurrences)
    return driver_sql, tuple(dict.fromkeys(occurrences))


def to_driver_params(values: Mapping[str, Any], names: Sequence[str], dialect_name: str) -> Any:
    """The parameters `names` in the driver's form: by position for SQLite, by name for PostgreSQL."""
    converters = CONVERTERS[dialect_name]
    params = {
        name: converters[type(value)](value) if type(value) in converters else value
        for name in names
        for value in (values[name],)
    }
    return [params[name] for name in names] if dialect_name == "sqlite" else params


@lru_cache(maxsize=64)  # all rows of a transaction have its time
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
