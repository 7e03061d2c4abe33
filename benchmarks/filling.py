"""Fills a database with copies of rows that the connector wrote: to receive as many orders would take days.

Only keys, and what pruning removes, are changed; every other column is as the connector wrote it.
"""

# ruff: noqa: S608  # the names in these statements are the tables' own

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, create_engine, inspect, text

#: The copies' first id and order id: above those of the rows they are copied from, below those of later webhooks.
FIRST_ID = 1_000
FIRST_ORDER_ID = 7_000_000_000_000
TABLES = ("events", "deliveries", "attempts")


@dataclass(frozen=True, kw_only=True)
class Filler:
    """Copies the rows of seeds. A seed is one order's event, delivery and attempts."""

    url: str

    def save_seed(self, name: str, order_id: int) -> None:
        """Save the rows of an order, for `fill` to copy."""
        with self._begin() as connection:
            for table, condition in (
                ("events", "order_id = :order"),
                ("deliveries", "order_id = :order"),
                ("attempts", "delivery_id IN (SELECT id FROM deliveries WHERE order_id = :order)"),
            ):
                # CREATE TABLE takes no parameters; the id is an integer.
                selected = condition.replace(":order", f"'{order_id:d}'")
                connection.execute(text(f"CREATE TABLE seed_{name}_{table} AS SELECT * FROM {table} WHERE {selected}"))

    def fill(self, seed: str, count: int, *, pruned: bool = False) -> None:
        """Add `count` orders like the seed, without their bodies if `pruned`."""
        if count < 1:
            return
        with self._begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("PRAGMA cache_size = -400000"))
            first = 1 + max(
                FIRST_ID,
                *(connection.execute(text(f"SELECT max(id) FROM {table}")).scalar() or 0 for table in TABLES),
            )
            for table in TABLES:
                copy_rows(connection, seed, table, first, count, pruned=pruned)

    def count_waiting(self) -> int:
        with self._begin() as connection:
            return int(connection.execute(text("SELECT count(*) FROM deliveries WHERE state = 'waiting'")).scalar_one())

    def size_mb(self) -> float:
        with self._begin() as connection:
            size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            if connection.dialect.name == "postgresql":
                size = "SELECT pg_database_size(current_database())"
            return float(connection.execute(text(size)).scalar_one()) / 1e6

    def settle(self) -> None:
        """Checkpoint, and on PostgreSQL vacuum and analyze, so that none of this slows down what is measured."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            else:
                for table in TABLES:
                    sequence = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
                    connection.execute(text(sequence))
                connection.execute(text("VACUUM ANALYZE"))
                connection.execute(text("CHECKPOINT"))
        engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        engine = create_engine(self.url)
        with engine.begin() as connection:
            yield connection
        engine.dispose()


def copy_rows(connection: Connection, seed: str, table: str, first: int, count: int, *, pruned: bool) -> None:
    columns = [column["name"] for column in inspect(connection).get_columns(table)]
    values = {
        "id": ":first + n",
        "order_id": f"CAST({FIRST_ORDER_ID} + :first + n AS TEXT)",
        "order_number": "'#' || CAST(:first + n AS TEXT)",
        "event_key": "'filled-' || CAST(:first + n AS TEXT)",
        "event_id": ":first + n",
        "delivery_id": ":first + n",
    }
    if pruned:
        values |= {"body": "seed.body" if table != "events" else "substr(seed.body, 1, 0)", "reply": "NULL"}
        if table == "deliveries":
            values |= {"body": "NULL", "pruned_at": "seed.updated_at"}
    selected = ", ".join(values.get(column, f"seed.{column}") for column in columns)
    series = f"(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {count - 1}) SELECT n FROM s)"
    if connection.dialect.name == "postgresql":
        series = f"(SELECT generate_series(0, {count - 1})::bigint AS n)"
    names = ", ".join(columns)
    statement = f"INSERT INTO {table} ({names}) SELECT {selected} FROM {series} AS numbers, seed_{seed}_{table} AS seed"
    connection.execute(text(statement), {"first": first})
