"""Opens the database and its transactions. Every engine's peculiarities stand here and nowhere else."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connector.errors import DatabaseUnavailableError, MigrationNeededError

UNAVAILABLE = "the database cannot be read or written at present"
MIGRATIONS = Path(__file__).parent / "migrations"
#: The newest of the migrations: what the code expects the tables to be.
HEAD = "0001"
#: How long a transaction waits for another's write lock. Some storefronts never send again what was answered 503.
BUSY_TIMEOUT_MS = 8_000


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
        with naming_errors(), self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def migrate(self) -> None:
        """Bring the tables up to date. Several processes may try at once: the write lock lets one do it."""
        from alembic import command  # half a second that only this needs
        from alembic.config import Config

        with (
            naming_errors(),
            self.engine.connect() as connection,
        ):  # before processes share the file
            connection.exec_driver_sql("COMMIT")  # it cannot be changed inside a transaction
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql("BEGIN")
        with self.write() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def require_migrated(self) -> None:
        """Raises `MigrationNeededError` unless the tables are those of this version."""
        with self.read() as connection:
            is_new = not inspect(connection).has_table("alembic_version")
            statement = "SELECT version_num FROM alembic_version"
            current = None if is_new else connection.exec_driver_sql(statement).scalar()
        if current != HEAD:
            have = f"at revision {current}" if current else "empty"
            raise MigrationNeededError(f"the database is {have}, not at revision {HEAD}: run `connector migrate`")

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def naming_errors() -> Iterator[None]:
    """Turn what the driver says of a database that is locked, full, broken or away into the one error for it."""
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        raise DatabaseUnavailableError(UNAVAILABLE) from error
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(error.orig, sqlite3.IntegrityError):
            raise DatabaseUnavailableError(UNAVAILABLE) from error
        raise


def create_sqlite_engine(url: str, busy_timeout_ms: int) -> Engine:
    """An engine whose transactions begin as we say, and whose commits are on the disk when they return.

    https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL survives a power cut.
    """
    engine = create_engine(url, pool_size=8, max_overflow=-1, hide_parameters=True)  # they are personal data

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
