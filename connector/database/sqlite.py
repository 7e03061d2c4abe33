"""SQLite: one file, one writer at a time, commits that are on the disk when they return."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, String, cast, create_engine, event, func
from sqlalchemy.engine import make_url

from connector.core.exceptions import DatabaseUnavailableError, SettingsError

#: The first that knows `RETURNING`: https://www.sqlite.org/lang_returning.html, read 2026-11-22.
MIN_VERSION = (3, 35, 0)


def database_file(url: str) -> Path:
    """Return the path of the file that a `sqlite:///` URL names."""
    return Path(str(make_url(url).database))


class Sqlite:
    Error = sqlite3.Error
    poll_interval_s = 0.1
    max_commit_lag_s = 0.0  # one writes at a time, so rows appear in the order of their ids

    def __init__(self, url: str, timeout_s: float) -> None:
        self.engine = create_sqlite_engine(url, timeout_s)
        #: SQLite lets those who wait for its own lock sleep and try again, some for long: here they stand in line.
        self.lock_file = f"{database_file(url)}-turn"
        self._idle_lock_descriptors: list[int] = []  # the file, as it was opened: those that nobody waits with

    def now(self) -> datetime:
        return datetime.now(UTC)

    @contextmanager
    def writer_lock(self) -> Iterator[None]:
        descriptor = self._idle_lock_descriptors.pop() if self._idle_lock_descriptors else self._open_lock_file()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # Linux gives it back when the process dies
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            self._idle_lock_descriptors.append(descriptor)

    def _open_lock_file(self) -> int:
        """Of whoever has it open, one has the turn: two threads must not share one."""
        try:
            return os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DatabaseUnavailableError(f"no file can be opened beside the database: {error.strerror}") from error

    def begin(self, connection: Connection, *, writes: bool) -> None:
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    def lock_orders(self, connection: Connection, orders: Sequence[tuple[str, str]]) -> None:
        """Nothing: who writes has the database alone."""

    def prepare(self) -> None:
        if sqlite3.sqlite_version_info < MIN_VERSION:
            raise SettingsError([f"DATABASE_URL: SQLite here is {sqlite3.sqlite_version}: it takes 3.35 or newer."])
        folder = Path(self.lock_file).parent
        if not folder.is_dir():
            raise SettingsError([f"DATABASE_URL: there is no folder {folder}."])
        with self.writer_lock(), self.engine.connect() as connection:  # it cannot be changed while others come and go
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def lock_migrations(self, connection: Connection) -> None:
        """Nothing: who writes has the database alone."""

    def notify(self, connection: Connection) -> None:
        """Nothing: SQLite has no word for other processes, so they look."""

    @contextmanager
    def listen(self, on_notify: Callable[[], None]) -> Iterator[None]:
        yield

    def close(self) -> None:
        self.engine.dispose()
        while self._idle_lock_descriptors:
            os.close(self._idle_lock_descriptors.pop())

    def utc_hour(self, at: ColumnElement[datetime]) -> ColumnElement[str]:
        return func.substr(cast(at, String), 1, 13)  # instants are kept as text, in UTC

    def contains_bytes(self, body: ColumnElement[bytes], needle: bytes) -> ColumnElement[bool]:
        return func.instr(body, needle) > 0

    def is_unavailable(self, error: BaseException | None) -> bool:
        is_ours = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        return isinstance(error, sqlite3.DatabaseError) and not is_ours


def create_sqlite_engine(url: str, timeout_s: float) -> Engine:
    """An engine whose transactions begin as we say, and whose commits are on the disk when they return.

    https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL survives a power cut.
    """
    engine = create_engine(url, pool_size=8, max_overflow=-1, hide_parameters=True)  # they are personal data

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions of its own, without the write lock
        connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; four times as seldom as else
        connection.execute("PRAGMA foreign_keys = ON")

    return engine
