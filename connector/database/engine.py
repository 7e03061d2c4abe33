"""Opens the database and its transactions. Every engine's peculiarities stand here and nowhere else."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connector.errors import DatabaseUnavailableError, MigrationNeededError

BUSY_TIMEOUT_MS = 5_000  # how long a transaction waits for another's write lock


class Database:
    """One database. Safe to share between threads, not over a fork."""

    def __init__(self, url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self.engine = create_sqlite_engine(url, busy_timeout_ms)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start, and is on disk when the block ends.

        Raises `DatabaseUnavailableError` when it cannot be had or committed; nothing of it is kept then.
        """
        with self._transaction({"begin": "BEGIN IMMEDIATE"}) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._transaction({"begin": "BEGIN"}) as connection:
            yield connection

    @contextmanager
    def _transaction(self, options: dict[str, Any]) -> Iterator[Connection]:
        try:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except (OperationalError, PoolTimeoutError) as error:
            raise DatabaseUnavailableError("the database cannot be read or written at present") from error
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(error.orig, sqlite3.IntegrityError):
                raise DatabaseUnavailableError("the database cannot be read or written at present") from error
            raise

    def migrate(self) -> None:
        """Bring the tables up to date. Several processes may try at once: the write lock lets one do it."""
        with self.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA journal_mode = WAL")  # type: ignore[union-attr]
        with self.write() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def require_migrated(self) -> None:
        """Raises `MigrationNeededError` unless the tables are those of this version."""
        with self.read() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        head = ScriptDirectory.from_config(alembic_config()).get_current_head()
        if current != head:
            raise MigrationNeededError(
                f"the database is at {current or 'nothing'}, not {head}: run `connector migrate`"
            )

    def close(self) -> None:
        self.engine.dispose()


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def create_sqlite_engine(url: str, busy_timeout_ms: int) -> Engine:
    """An engine whose transactions begin as we say, and whose commits are on the disk when they return.

    https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL survives a power cut.
    """
    engine = create_engine(url, pool_size=8, max_overflow=-1)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions of its own, without the write lock
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine
