"""Opens the database and its transactions. `sqlite.py` and `postgresql.py` hold what differs between the engines."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, CursorResult, Engine, Executable, SQLColumnExpression, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session
from sqlmodel.sql.expression import SelectOfScalar

from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError
from connector.database.generation import Generation, GenerationFile
from connector.database.group_commit import Change, GroupCommitter

MIGRATIONS = Path(__file__).parent / "migrations"
#: The newest migration, which the code requires.
HEAD = "0001"
#: Timeout of a change, until it is committed. Some storefronts never resend a webhook that got a 503.
DEFAULT_TIMEOUT_S = 8.0

Item = TypeVar("Item")
Result = TypeVar("Result")
Value = TypeVar("Value")


class Backend(Protocol):
    """What differs between the engines."""

    engine: Engine
    location: str  # where the database is, without the password
    driver_error: type[Exception]  # the base of the driver's errors
    poll_interval_s: float  # how often to look for due deliveries without a notification
    max_commit_lag_s: float  # after this time, no row is committed with an id or a time older than the present ones
    generation_file: GenerationFile | None  # where one process can notice that the database is an older copy

    def now(self) -> datetime:
        """The current time by the clock that leases use."""

    def writer_lock(self) -> AbstractContextManager[None]:
        """Wait for other processes' writers, where only one can write at a time."""

    def begin(self, connection: Connection, *, writes: bool) -> None: ...

    def find_server(self) -> bool:
        """Learn whether `read_server` can tell. To be called outside of transactions."""

    def read_server(self, connection: Connection) -> str | None:
        """Which server has the database, and how often it was recovered. None if that cannot be told."""

    def lock_orders(self, connection: Connection, orders: Sequence[tuple[str, str]]) -> None:
        """Keep other transactions from recording events of these orders until this one ends."""

    def prepare(self) -> None:
        """Prepare a database once, before its tables are created."""

    def exists(self) -> bool:
        """False if connecting would create the database."""

    def lock_migrations(self, connection: Connection) -> None: ...

    def notify(self, connection: Connection) -> None:
        """Wake listening workers when this transaction is committed."""

    def listen(self, on_notify: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `on_notify` for each notification of due deliveries."""

    def rewrite(self, tables: Collection[str]) -> None:
        """Leave nothing of deleted content in the files, as far as the engine can."""

    def empty_log(self) -> bool:
        """Empty the file beside the database that keeps earlier content. False if a reader prevents it."""

    def close(self) -> None: ...

    def utc_hour(self, at: SQLColumnExpression[datetime]) -> ColumnElement[str]:
        """The UTC hour of a time, as `2026-11-21 16`."""

    def contains_bytes(self, body: SQLColumnExpression[Any], needle: bytes) -> ColumnElement[bool]:
        """True where `body` contains `needle`."""

    def contains_text(self, text: Any, needle: str) -> ColumnElement[bool]:
        """True where a text, or bytes that hold one, contains `needle` in any case. It may be true for others, too.

        Args:
            needle: in lower case.
        """

    def is_unavailable(self, error: BaseException | None) -> bool:
        """True if the database is locked, full, damaged or unreachable, so that a retry may succeed."""

    def describe_error(self, error: BaseException) -> str:
        """Why the database is unavailable, in the driver's words, without the password."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that may change rows. All of its statements have the same time, `now`."""

    connection: Connection
    backend: Backend
    now: datetime

    def execute(
        self, statement: Executable, params: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        return self.connection.execute(statement, params)

    def load_all(self, statement: SelectOfScalar[Value]) -> Sequence[Value]:
        """All results of a `select` of one model or one column. The objects are detached."""
        with Session(self.connection) as session:  # closing it leaves the transaction open
            return session.exec(statement).all()

    def load_one(self, statement: SelectOfScalar[Value]) -> Value | None:
        """The only result, or None."""
        with Session(self.connection) as session:
            return session.exec(statement).one_or_none()

    def lock_orders(self, orders: Sequence[tuple[str, str]]) -> None:
        self.backend.lock_orders(self.connection, orders)

    def notify(self) -> None:
        self.backend.notify(self.connection)


class Database:
    """One database. Thread-safe; not to be shared across a fork.

    Args:
        clock: the time source of transactions; by default the machine's on SQLite, the server's on PostgreSQL.
        connections: the maximum number of PostgreSQL connections of this process, one of them for writing.
        timeout_s: the maximum time for a change to be committed, and for a connection.
        read_only: create and change no file. For a short look.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime] | None = None,
        connections: int = 3,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        read_only: bool = False,
    ) -> None:
        self.backend = open_backend(url, connections, timeout_s, read_only=read_only)
        self.engine = self.backend.engine
        self.clock = clock or self.backend.now
        self.timeout_s = timeout_s
        self.is_closed = False
        #: As `connector.database.restores` last saw it. Without it, nothing is sent.
        self.generation: Generation | None = None
        self._idle: deque[Connection] = deque(maxlen=1)
        self._may_keep_idle = connections > 1  # otherwise nothing could read
        self._committer: GroupCommitter[Transaction] = GroupCommitter(self.write)

    def commit(self, change: Change[Transaction, Item, Result], item: Item, *, no_timeout: bool = False) -> Result:
        """Apply `change` to `item` in one transaction with other threads' changes, and return its result.

        The change is on disk when this returns. `no_timeout` waits as long as it takes.

        Raises `DatabaseUnavailableError` if a transaction cannot begin or commit, or `timeout_s` has passed. The change
        may still be committed.
        """
        try:
            return self._committer.commit(change, item, timeout_s=None if no_timeout else self.timeout_s)
        except TimeoutError as error:
            raise unavailable(self.backend, f"nothing was committed for {self.timeout_s:g} s") from error

    def commit_all(
        self, change: Change[Transaction, Item, Result], items: Sequence[Item], *, timeout_s: float
    ) -> list[Result | Exception]:
        """Apply `change` to several items, in few transactions. Returns for each its result, or why it failed alone.

        Raises `DatabaseUnavailableError` like `commit`.
        """
        try:
            results = self._committer.commit_all(change, items, timeout_s=timeout_s)
        except TimeoutError as error:
            raise unavailable(self.backend, f"nothing was committed for {timeout_s:g} s") from error
        for result in results:
            if isinstance(result, DatabaseUnavailableError):
                raise result.with_traceback(None)
        return results

    def transact(self, change: Callable[[Transaction], Result]) -> Result:
        """Like `commit`, for a change that is not written for batches."""
        result: Result = self.commit(apply_all, change)
        return result

    def listen(self, on_notify: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `on_notify` when deliveries become due, where the engine can notify. Callers must poll as well."""
        return self.backend.listen(on_notify)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that is on disk when the block ends. For the committer; other code calls `commit`.

        Raises `DatabaseUnavailableError` if it cannot begin or commit.
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
        """The connection of the last transaction, unless that failed; else a new one."""
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
    def read(self) -> Iterator[Session]:
        """A session that reads one snapshot. Loaded objects stay usable after it is closed.

        Raises `DatabaseUnavailableError`.
        """
        with translate_errors(self.backend), Session(self.engine) as session:
            self.backend.begin(session.connection(), writes=False)
            yield session

    def ping(self) -> None:
        """Raises `DatabaseUnavailableError` if it does not respond, `SettingsError` if it cannot be used at all."""
        with translate_errors(self.backend):
            self.backend.prepare()
        with self.read() as session:
            session.connection().execute(text("SELECT 1"))

    def rewrite(self, tables: Collection[str]) -> None:
        """Leave nothing of what was deleted in the files, as far as the engine can. Raises `DatabaseUnavailableError`.

        Args:
            tables: in which content was deleted.
        """
        with translate_errors(self.backend):
            self.backend.rewrite(tables)

    def empty_log(self) -> bool:
        """Empty the file with earlier content. False if a reader prevents it. Raises `DatabaseUnavailableError`."""
        with translate_errors(self.backend):
            return self.backend.empty_log()

    def migrate(self) -> None:
        """Bring the tables up to date. Several processes may call this at once: a lock lets one do it."""
        self.ping()
        if not self.is_migratable():
            self.require_migrated()
            return
        from alembic import command  # takes half a second and 10 MB
        from alembic.config import Config

        with self.write() as transaction:
            self.backend.lock_migrations(transaction.connection)
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = transaction.connection
            command.upgrade(config, "head")

    def is_migratable(self) -> bool:
        """Whether the tables are missing, or of an older version."""
        current = self._revision()
        return current is None or current < HEAD

    def has_tables(self) -> bool:
        return self._revision() is not None

    def require_migrated(self) -> None:
        """Raises `MigrationNeededError` unless the tables are at the revision that this version needs."""
        if not self.backend.exists():
            raise MigrationNeededError(
                f"there is no database {self.backend.location}: `connector serve` and `connector migrate` create it;"
                " DATABASE_URL names another"
            )
        current = self._revision()
        if current != HEAD:
            actual = f"at revision {current}" if current else "empty"
            remedy = "run `connector migrate`" if self.is_migratable() else "run a newer version of the program"
            raise MigrationNeededError(f"the database is {actual}, not at revision {HEAD}: {remedy}")

    def _revision(self) -> str | None:
        """The revision of the tables, or None if there are none."""
        with self.read() as session:
            connection = session.connection()
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return revision

    def close(self) -> None:
        self.is_closed = True
        self._committer.close()
        self.disconnect()
        self.backend.close()

    def disconnect(self) -> None:
        """Close every connection that is not in use. The next use opens new ones."""
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()


def apply_all(transaction: Transaction, changes: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
    return [change(transaction) for change in changes]


@contextmanager
def translate_errors(backend: Backend) -> Iterator[None]:
    """Turn driver errors of an unavailable database into `DatabaseUnavailableError`."""
    try:
        yield
    except PoolTimeoutError as error:
        raise unavailable(backend, "all connections of this process are in use") from error
    except DBAPIError as error:
        if error.orig is not None and backend.is_unavailable(error.orig):
            raise unavailable(backend, backend.describe_error(error.orig)) from error
        raise
    except backend.driver_error as error:  # from a cursor of `database/sql`
        if backend.is_unavailable(error):
            raise unavailable(backend, backend.describe_error(error)) from error
        raise


def unavailable(backend: Backend, reason: str) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(f"the database {backend.location} is unavailable: {reason}")


def open_backend(url: str, connections: int, timeout_s: float, *, read_only: bool = False) -> Backend:
    if url.startswith("sqlite"):
        from connector.database.sqlite import Sqlite

        return Sqlite(url, timeout_s, read_only=read_only)
    from connector.database.postgresql import Postgresql

    return Postgresql(url, connections, timeout_s)
