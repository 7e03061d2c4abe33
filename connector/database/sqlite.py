"""SQLite: one file, one writer at a time, commits that are on disk when they return."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, SQLColumnExpression, String, cast, create_engine, event, func
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from connector.core.exceptions import DatabaseUnavailableError, SettingsError
from connector.database.generation import PRIVATE, GenerationFile
from connector.database.sql.run import execute
from connector.database.wakeup import WakeupPipe

#: The first with `RETURNING`: https://www.sqlite.org/lang_returning.html, read 2026-11-22.
MIN_VERSION = (3, 35, 0)
#: How long to wait for readers before the WAL is emptied. One that stays, such as Litestream, must not stop webhooks.
EMPTY_LOG_TIMEOUT_MS = 1000

#: Of the files beside the database, which only the service's user may read.
SUFFIXES = ("-wal", "-shm", "-journal", "-turn", "-wakeup", "-generation")


def database_file(url: str) -> Path:
    """Return the path of the file that a `sqlite:///` URL names."""
    return Path(str(make_url(url).database))


def find_place_errors(url: str) -> list[str]:
    """Return why no database can be where a `sqlite:///` URL says."""
    file = database_file(url).absolute()
    folder = file.parent
    if not folder.is_dir():
        return [f"DATABASE_URL: there is no folder {folder}."]
    if file.is_dir():
        return [f"DATABASE_URL: {file} is a folder."]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [f"DATABASE_URL: nothing can be written in {folder}."]
    if file.exists() and not os.access(file, os.R_OK | os.W_OK):
        return [f"DATABASE_URL: {file} cannot be written."]
    return []


def is_not_a_database(error: BaseException | None) -> bool:
    """Return whether SQLAlchemy's error is that the file is something else."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB


def make_private(file: Path) -> None:
    """Let only this user read the database, and create it so. SQLite creates the files beside it with its mode.

    https://www.sqlite.org/src/file/src/os_unix.c, `findCreateFileMode`, read 2026-11-30. A file that exists must not be
    opened here: closing it drops the locks of this process's connections, and another process then takes the WAL away
    from under them (https://www.sqlite.org/howtocorrupt.html, section 2.2, read 2026-11-30).
    """
    with suppress(OSError):  # it exists, or SQLite says what is wrong
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    for path in (file, *(file.with_name(file.name + suffix) for suffix in SUFFIXES)):
        with suppress(OSError):  # there is none, or another user owns it
            if path.stat().st_mode & 0o077:
                path.chmod(PRIVATE)


class Sqlite:
    driver_error: type[Exception] = sqlite3.Error
    poll_interval_s = 0.1  # for what becomes due, and where no pipe can be made
    max_commit_lag_s = 0.0  # with one writer, rows appear in the order of their ids

    def __init__(self, url: str, timeout_s: float, *, read_only: bool = False) -> None:
        self.engine = create_read_only_engine(url) if read_only else create_sqlite_engine(url, timeout_s)
        self.location = str(database_file(url).absolute())
        #: Writers that wait for SQLite's own lock sleep and poll, some of them for long. With a file lock they queue.
        self.lock_file = f"{database_file(url)}-turn"
        self._idle_lock_descriptors: list[int] = []  # of the lock file, not in use
        self._wakeup = WakeupPipe(Path(f"{database_file(url)}-wakeup"))
        self._should_wake = False  # belongs to the thread that has the writer lock
        self.generation_file: GenerationFile | None = GenerationFile(f"{self.location}-generation")

    def now(self) -> datetime:
        return datetime.now(UTC)

    @contextmanager
    def writer_lock(self) -> Iterator[None]:
        descriptor = self._idle_lock_descriptors.pop() if self._idle_lock_descriptors else self._open_lock_file()
        should_wake = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # Linux releases it when the process dies
            yield
        finally:
            should_wake, self._should_wake = self._should_wake, False
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            self._idle_lock_descriptors.append(descriptor)
            if should_wake:  # what is due was committed, or nothing was, and a worker looks in vain
                self._wakeup.wake()

    def _open_lock_file(self) -> int:
        """Open the file again: a lock belongs to an open file, so two threads must not share one."""
        try:
            return os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        except OSError as error:
            raise DatabaseUnavailableError(
                f"the database {self.location} is unavailable: {self.lock_file} cannot be opened: {error.strerror}"
            ) from error

    def begin(self, connection: Connection, *, writes: bool) -> None:
        execute(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")

    def find_server(self) -> bool:
        return False

    def read_server(self, connection: Connection) -> str | None:
        return None

    def lock_orders(self, connection: Connection, orders: Sequence[tuple[str, str]]) -> None:
        """Nothing to do: there is only one writer."""

    def prepare(self) -> None:
        if sqlite3.sqlite_version_info < MIN_VERSION:
            raise SettingsError([f"DATABASE_URL: SQLite here is {sqlite3.sqlite_version}: it takes 3.35 or newer."])
        if errors := find_place_errors(str(self.engine.url)):
            raise SettingsError(errors)
        try:
            with self.writer_lock(), self.engine.connect() as connection:  # fails while other processes connect
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except DBAPIError as error:
            if is_not_a_database(error):
                raise SettingsError([f"DATABASE_URL: {self.location} is not an SQLite database."]) from error
            raise
        except DatabaseUnavailableError as error:
            if isinstance(error.__cause__, PermissionError | FileNotFoundError):
                raise SettingsError([f"DATABASE_URL: {error}."]) from error
            raise

    def exists(self) -> bool:
        return Path(self.location).exists()

    def lock_migrations(self, connection: Connection) -> None:
        """Nothing to do: there is only one writer."""

    def notify(self, connection: Connection) -> None:
        """Wake a worker on this machine once the transaction has ended."""
        self._should_wake = True

    def listen(self, on_notify: Callable[[], None]) -> AbstractContextManager[None]:
        return self._wakeup.listen(on_notify)

    def rewrite(self, tables: Collection[str]) -> None:
        """Write the whole file anew: `secure_delete` leaves copies where SQLite has moved rows to other pages."""
        with self.writer_lock(), self.engine.connect() as connection:
            execute(connection, "VACUUM")

    def empty_log(self) -> bool:
        """https://www.sqlite.org/pragma.html#pragma_wal_checkpoint, read 2026-11-30. Webhooks wait meanwhile."""
        with self.writer_lock(), self.engine.connect() as connection:
            [(timeout_ms,)] = execute(connection, "PRAGMA busy_timeout")
            execute(connection, f"PRAGMA busy_timeout = {EMPTY_LOG_TIMEOUT_MS}")
            try:
                [(is_busy, _, _)] = execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                execute(connection, f"PRAGMA busy_timeout = {timeout_ms}")
            return not is_busy

    def close(self) -> None:
        self.engine.dispose()
        if self.generation_file is not None:
            self.generation_file.close()
        while self._idle_lock_descriptors:
            os.close(self._idle_lock_descriptors.pop())

    def utc_hour(self, at: SQLColumnExpression[datetime]) -> ColumnElement[str]:
        return func.substr(cast(at, String), 1, 13)  # times are stored as text, in UTC

    def contains_bytes(self, body: SQLColumnExpression[Any], needle: bytes) -> ColumnElement[bool]:
        return func.instr(body, needle) > 0

    def contains_text(self, text: Any, needle: str) -> ColumnElement[bool]:
        return func.instr(func.lower(cast(text, String)), needle) > 0

    def is_unavailable(self, error: BaseException | None) -> bool:
        is_ours = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        return isinstance(error, sqlite3.DatabaseError) and not is_ours

    def describe_error(self, error: BaseException) -> str:
        return str(error)


def create_read_only_engine(url: str) -> Engine:
    """An engine that changes nothing on the disk, not even the files that SQLite keeps beside an open database.

    Without a WAL nobody has the database open, so that it needs no lock: https://www.sqlite.org/uri.html#uriimmutable,
    read 2026-11-30. The processes that have it open keep the files of a WAL.
    """
    file = database_file(url).absolute()
    immutable = "" if file.with_name(file.name + "-wal").exists() else "&immutable=1"
    uri = f"{file.as_uri()}?mode=ro{immutable}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    return create_engine(url, creator=connect, hide_parameters=True)


def create_sqlite_engine(url: str, timeout_s: float) -> Engine:
    """An engine without implicit transactions, whose commits are on disk when they return.

    https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL survives a power cut.
    """
    file = database_file(url)
    engine = create_engine(url, pool_size=8, max_overflow=-1, hide_parameters=True)  # parameters are personal data

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        make_private(file)
        connection.isolation_level = None  # else the driver begins transactions itself, without the write lock
        connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; the default is 1000
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # zeros in place of what is deleted

    return engine
