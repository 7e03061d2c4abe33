"""Opens the database and its transactions. What SQLite and PostgreSQL do differently stands in files of their names."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, CursorResult, Engine, Executable, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError
from connector.database.group_commit import Change, GroupCommitter

UNAVAILABLE = "the database cannot be read or written at present"
MIGRATIONS = Path(__file__).parent / "migrations"
#: The newest of the migrations: what the code expects the tables to be.
HEAD = "0001"
#: How long a change waits for its turn and its commit. Some storefronts never send again what was answered 503.
DEFAULT_TIMEOUT_S = 8.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class Backend(Protocol):
    """What differs between the engines."""

    engine: Engine
    poll_interval_s: float  # how often who waits for deliveries should look by itself
    max_commit_lag_s: float  # after which no row appears any more with an id or a time before those that are there

    @property
    def Error(self) -> type[Exception]:  # noqa: N802  # a class
        """What the driver raises."""

    def now(self) -> datetime:
        """By the clock that leases run by."""

    def writer_lock(self) -> AbstractContextManager[None]:
        """Wait for the writers of other processes where only one can write at a time."""

    def begin(self, connection: Connection, *, writes: bool) -> None: ...

    def lock_orders(self, connection: Connection, orders: Sequence[tuple[str, str]]) -> None:
        """Let no other transaction record events of these orders until this one ends."""

    def prepare(self) -> None:
        """What a database needs once, before its tables are made."""

    def lock_migrations(self, connection: Connection) -> None: ...

    def notify(self, connection: Connection) -> None:
        """Wake those that listen for deliveries, once this transaction is committed."""

    def listen(self, on_notify: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `wake` whenever deliveries are announced."""

    def close(self) -> None: ...

    def utc_hour(self, at: ColumnElement[datetime]) -> ColumnElement[str]:
        """The instant's hour in UTC, as `2026-11-21 16`."""

    def contains_bytes(self, body: ColumnElement[bytes], needle: bytes) -> ColumnElement[bool]:
        """True where the bytes hold the piece."""

    def is_unavailable(self, error: BaseException | None) -> bool:
        """True when the database is locked, full, broken or away, and a later try may go well."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a change is made in: one transaction, at one time."""

    connection: Connection
    backend: Backend
    now: datetime

    def execute(
        self, statement: Executable, params: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        return self.connection.execute(statement, params)

    def lock_orders(self, orders: Sequence[tuple[str, str]]) -> None:
        self.backend.lock_orders(self.connection, orders)

    def notify(self) -> None:
        self.backend.notify(self.connection)


class Database:
    """One database. Safe to share between threads, not over a fork.

    Args:
        clock: what transactions take for the time; by default the machine's on SQLite, the server's on PostgreSQL.
        connections: how many PostgreSQL connections this process may hold, one of them to write.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime] | None = None,
        connections: int = 3,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self.backend = open_backend(url, connections, timeout_s)
        self.engine = self.backend.engine
        self.clock = clock or self.backend.now
        self.timeout_s = timeout_s
        self._idle: deque[Connection] = deque(maxlen=1)
        self._may_keep_idle = connections > 1  # else nobody could read
        self._committer: GroupCommitter[Transaction] = GroupCommitter(self.write)

    def commit(self, change: Change[Transaction, Item, Result], item: Item, *, no_timeout: bool = False) -> Result:
        """Have `change` applied to `item`, together with what other threads want changed; return what it says of it.

        It is on disk when this returns. Raises `DatabaseUnavailableError` when it cannot be had or committed, or its
        turn does not come within `wait_s`; `is_patient` waits however long that takes.
        """
        try:
            return self._committer.commit(change, item, timeout_s=None if no_timeout else self.timeout_s)
        except TimeoutError as error:
            raise DatabaseUnavailableError(UNAVAILABLE) from error

    def transact(self, change: Callable[[Transaction], Result]) -> Result:
        """As `commit`, for a change that stands alone."""
        result: Result = self.commit(apply_all, change)
        return result

    def listen(self, on_notify: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `wake` when deliveries are due, where the database can tell; who waits for them looks now and then."""
        return self.backend.listen(on_notify)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may change rows, and is on disk when the block ends. The writer's own: others `commit`.

        Raises `DatabaseUnavailableError` when it cannot be had or committed; nothing of it is kept then.
        """
        with (
            translate_errors(self.backend),
            self.backend.writer_lock(),
            self._connection() as connection,
            connection.begin(),
        ):
            self.backend.begin(connection, writes=True)
            yield Transaction(connection, self.backend, self.clock())

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """The one that the last transaction left, unless that failed: to open one takes as long as a small change."""
        connection = self._idle.pop() if self._idle else self.engine.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if self._may_keep_idle and not self._idle:
            self._idle.append(connection)
        else:
            connection.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with translate_errors(self.backend), self.engine.connect() as connection, connection.begin():
            self.backend.begin(connection, writes=False)
            yield connection

    def ping(self) -> None:
        """Raises `DatabaseUnavailableError` when it does not answer, `SettingsError` when it never will."""
        with translate_errors(self.backend):
            self.backend.prepare()
        with self.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def migrate(self) -> None:
        """Bring the tables up to date. Several processes may try at once: a lock lets one do it."""
        self.ping()
        if self._revision() == HEAD:
            return
        from alembic import command  # half a second, and ten megabytes, that only this needs
        from alembic.config import Config

        with self.write() as transaction:
            self.backend.lock_migrations(transaction.connection)
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = transaction.connection
            command.upgrade(config, "head")

    def require_migrated(self) -> None:
        """Raises `MigrationNeededError` unless the tables are those of this version."""
        current = self._revision()
        if current != HEAD:
            actual = f"at revision {current}" if current else "empty"
            raise MigrationNeededError(f"the database is {actual}, not at revision {HEAD}: run `connector migrate`")

    def _revision(self) -> str | None:
        """What the tables are at; None where there are none."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            return revision

    def error_detail(self, error: DatabaseUnavailableError) -> str:
        """What the driver said, for an operator: it names the server, and no row."""
        message = str(getattr(error.__cause__, "orig", None) or error.__cause__ or error).strip()
        return message.splitlines()[-1] if message else type(error).__name__

    def close(self) -> None:
        self._committer.close()
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        self.backend.close()


def apply_all(transaction: Transaction, changes: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
    return [change(transaction) for change in changes]


@contextmanager
def translate_errors(backend: Backend) -> Iterator[None]:
    """Turn what the driver says of a database that is locked, full, broken or away into the one error for it."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError(UNAVAILABLE) from error
    except DBAPIError as error:
        if backend.is_unavailable(error.orig):
            raise DatabaseUnavailableError(UNAVAILABLE) from error
        raise
    except backend.Error as error:  # from `bulk`: the driver's own text may quote the row
        if backend.is_unavailable(error):
            raise DatabaseUnavailableError(UNAVAILABLE) from error
        raise RuntimeError(f"the database refused a statement: {type(error).__name__}") from None


def open_backend(url: str, connections: int, timeout_s: float) -> Backend:
    if url.startswith("sqlite"):
        from connector.database.sqlite import Sqlite

        return Sqlite(url, timeout_s)
    from connector.database.postgresql import Postgresql

    return Postgresql(url, connections, timeout_s)
