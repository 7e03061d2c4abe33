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
OLDEST = (3, 35, 0)


def database_file(url: str) -> Path:
    """Return the path of the file that a `sqlite:///` URL names."""
    return Path(str(make_url(url).database))


class Sqlite:
    Error = sqlite3.Error
    poll_s = 0.1
    settle_s = 0.0  # one writes at a time, so rows appear in the order of their ids

    def __init__(self, url: str, wait_s: float) -> None:
        self.engine = create_sqlite_engine(url, wait_s)
        #: SQLite lets those who wait for its own lock sleep and try again, some for long: here they stand in line.
        self.turn_file = f"{database_file(url)}-turn"
        self._turns: list[int] = []  # the file, as it was opened: those that nobody waits with

    def now(self) -> datetime:
        return datetime.now(UTC)

    @contextmanager
    def turn(self) -> Iterator[None]:
        descriptor = self._turns.pop() if self._turns else self._open_turn()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # Linux gives it back when the process dies
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            self._turns.append(descriptor)

    def _open_turn(self) -> int:
        """Of whoever has it open, one has the turn: two threads must not share one."""
        try:
            return os.open(self.turn_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DatabaseUnavailableError(f"no file can be opened beside the database: {error.strerror}") from error

    def begin(self, connection: Connection, *, writes: bool) -> None:
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    def lock_orders(self, connection: Connection, orders: Sequence[tuple[str, str]]) -> None:
        """Nothing: who writes has the database alone."""

    def prepare(self) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise SettingsError([f"DATABASE_URL: SQLite here is {sqlite3.sqlite_version}: it takes 3.35 or newer."])
        folder = Path(self.turn_file).parent
        if not folder.is_dir():
            raise SettingsError([f"DATABASE_URL: there is no folder {folder}."])
        with self.turn(), self.engine.connect() as connection:  # it cannot be changed while others come and go
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def lock_migrations(self, connection: Connection) -> None:
        """Nothing: who writes has the database alone."""

    def announce(self, connection: Connection) -> None:
        """Nothing: SQLite has no word for other processes, so they look."""

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        yield

    def close(self) -> None:
        self.engine.dispose()
        while self._turns:
            os.close(self._turns.pop())

    def hour_of(self, at: ColumnElement[datetime]) -> ColumnElement[str]:
        return func.substr(cast(at, String), 1, 13)  # instants are kept as text, in UTC

    def holds(self, body: ColumnElement[bytes], piece: bytes) -> ColumnElement[bool]:
        return func.instr(body, piece) > 0

    def is_unavailable(self, error: BaseException | None) -> bool:
        is_ours = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        return isinstance(error, sqlite3.DatabaseError) and not is_ours


def create_sqlite_engine(url: str, wait_s: float) -> Engine:
    """An engine whose transactions begin as we say, and whose commits are on the disk when they return.

    https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL survives a power cut.
    """
    engine = create_engine(url, pool_size=8, max_overflow=-1, hide_parameters=True)  # they are personal data

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions of its own, without the write lock
        connection.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; four times as seldom as else
        connection.execute("PRAGMA foreign_keys = ON")

    return engine
