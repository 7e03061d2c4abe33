"""PostgreSQL: any number of machines share the work, and use the server's clock."""

import os
import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from time import monotonic
from typing import Any

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    SQLColumnExpression,
    create_engine,
    event,
    func,
    literal,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from connector.database.generation import GenerationFile

CHANNEL = "connector_deliveries"
DEFAULT_PORT = 5432
#: How long this machine's monotonic clock is trusted before the server's time is queried again.
CLOCK_SYNC_INTERVAL_S = 1.0
RECONNECT_DELAY_S = 1.0
#: How soon a stopped listener ends.
LISTEN_TIMEOUT_S = 0.25

#: A connection to a server that vanished fails after 15 s, not after the operating system's hours.
#: https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS
CONNECT_ARGS = {
    "application_name": "connector",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
LOCK_ORDERS = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
LOCK_MIGRATIONS = text("SELECT pg_advisory_xact_lock(0)")
#: A recovery begins a new timeline, which the names of the WAL files contain. A restored dump is on another server, or
#: its tables have other ids.
#: https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-TIMELINES, read 2026-11-30.
READ_SERVER = text(
    "SELECT (SELECT system_identifier FROM pg_control_system())"
    " || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
    " || '/' || CAST(CAST('attempts' AS regclass) AS oid)"
)
NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', '')")


class Postgresql:
    driver_error: type[Exception] = psycopg.Error
    poll_interval_s = 0.5  # for what becomes due, and in case notifications fail; they arrive at once
    max_commit_lag_s = 70.0  # the server ends transactions that are idle for 60 s

    def __init__(self, url: str, connections: int, timeout_s: float) -> None:
        self.url = driver_url(url)
        self.engine = create_postgresql_engine(self.url, connections, timeout_s)
        self.location = describe_server(self.url)
        self.generation_file: GenerationFile | None = None
        self._clock = ServerClock()
        self._tells_server = False

    def now(self) -> datetime:
        return self._clock.now()

    @contextmanager
    def writer_lock(self) -> Iterator[None]:
        yield

    def begin(self, connection: Connection, *, writes: bool) -> None:
        if not writes:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._clock.sync(connection)

    def find_server(self) -> bool:
        """Some hosts do not let their customers call the functions that tell."""
        with self.engine.connect() as connection:
            try:
                connection.execute(READ_SERVER)
            except DBAPIError as error:
                if isinstance(error.orig, psycopg.OperationalError):
                    raise
                self._tells_server = False
            else:
                self._tells_server = True
        return self._tells_server

    def read_server(self, connection: Connection) -> str | None:
        if not self._tells_server:
            return None
        server: str = connection.execute(READ_SERVER).scalar_one()
        return server

    def lock_orders(self, connection: Connection, orders: Sequence[tuple[str, str]]) -> None:
        """In the same order everywhere, to avoid deadlocks."""
        if orders:
            connection.execute(LOCK_ORDERS, {"keys": sorted({lock_key(*order) for order in orders})})

    def prepare(self) -> None:
        """Nothing to do: the server's operator prepares it."""

    def exists(self) -> bool:
        """The server says otherwise, if it is not so."""
        return True

    def lock_migrations(self, connection: Connection) -> None:
        connection.execute(LOCK_MIGRATIONS)

    def notify(self, connection: Connection) -> None:
        connection.execute(NOTIFY)

    @contextmanager
    def listen(self, on_notify: Callable[[], None]) -> Iterator[None]:
        stop_event = threading.Event()
        listener = threading.Thread(
            target=self._run_listener, args=(on_notify, stop_event), name="listener", daemon=True
        )
        listener.start()
        try:
            yield
        finally:
            stop_event.set()
            listener.join(timeout=2 * RECONNECT_DELAY_S)

    def _run_listener(self, on_notify: Callable[[], None], stop_event: threading.Event) -> None:
        """Listen on a separate connection, and reconnect whenever it breaks."""
        while not stop_event.is_set():
            try:
                with psycopg.connect(libpq_url(self.url), autocommit=True, **CONNECT_ARGS) as connection:  # type: ignore[arg-type]
                    connection.execute(f"LISTEN {CHANNEL}")
                    on_notify()  # there may have been notifications before
                    while not stop_event.is_set():
                        for _ in connection.notifies(timeout=LISTEN_TIMEOUT_S, stop_after=1):
                            on_notify()
            except psycopg.Error:
                stop_event.wait(RECONNECT_DELAY_S)

    def rewrite(self, tables: Collection[str]) -> None:
        """Free what the rows were before. The server overwrites that space when it uses it again."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in sorted(tables):
                connection.exec_driver_sql(f"VACUUM {table}")

    def empty_log(self) -> bool:
        """Nothing to do: the server reuses its WAL, and its operator decides how long an archive is kept."""
        return True

    def close(self) -> None:
        self.engine.dispose()

    def utc_hour(self, at: SQLColumnExpression[datetime]) -> ColumnElement[str]:
        return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD HH24")

    def contains_bytes(self, body: SQLColumnExpression[Any], needle: bytes) -> ColumnElement[bool]:
        return func.position(literal(needle).op("IN")(body)) > 0

    def contains_text(self, text: Any, needle: str) -> ColumnElement[bool]:
        """True for some that do not contain it, too, if it has other characters than those of ASCII."""
        if isinstance(text.type, LargeBinary):  # as text with escapes: the bytes need not be UTF-8
            text = func.encode(text, "escape")
        pattern = "".join(character if character.isascii() and character != "\\" else "%" for character in needle)
        return func.lower(text).like(f"%{pattern}%")

    def is_unavailable(self, error: BaseException | None) -> bool:
        """`InternalError` comes from a server that accepts no writes: a replica, before it is promoted.

        Missing privileges, too, are the server's operator's to mend.
        """
        return isinstance(
            error,
            psycopg.OperationalError
            | psycopg.InternalError
            | psycopg.InterfaceError
            | psycopg.errors.InsufficientPrivilege,
        )

    def describe_error(self, error: BaseException) -> str:
        """The first line: those below it are hints, context and further attempts."""
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = re.sub(r"^.*\bfailed: ", "", lines[0]).removeprefix("FATAL:").strip()
        password = self.url.password
        return reason.replace(password, "***") if password else reason


class ServerClock:
    """The server's time. Between two queries, this machine's monotonic clock continues it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server_time = datetime.now(UTC)
        self._synced_at = monotonic()
        self._is_unsynced = True

    def now(self) -> datetime:
        with self._lock:
            return self._server_time + timedelta(seconds=monotonic() - self._synced_at)

    def sync(self, connection: Connection) -> None:
        """Query the server's time if the last query is older than `CLOCK_SYNC_INTERVAL_S`."""
        if not self._is_unsynced and 0 <= monotonic() - self._synced_at < CLOCK_SYNC_INTERVAL_S:
            return
        at: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        with self._lock:
            self._server_time, self._synced_at, self._is_unsynced = at.astimezone(UTC), monotonic(), False


def lock_key(store: str, order_id: str) -> int:
    """The key of an order's advisory lock. Orders whose keys collide only wait for each other."""
    digest = blake2b(f"{store}\0{order_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def driver_url(url: str) -> URL:
    """Heroku's `postgres://` names no driver: https://devcenter.heroku.com/articles/heroku-postgresql.

    TLS is required of another machine's server unless the URL or `PGSSLMODE` says otherwise: libpq's default, `prefer`,
    sends the password and all orders in the clear if the server, or someone between, offers no TLS.
    https://www.postgresql.org/docs/18/libpq-ssl.html, read 2026-11-30.
    """
    parsed = make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg")
    if "sslmode" in parsed.query or "PGSSLMODE" in os.environ or is_local(parsed):
        return parsed
    return parsed.update_query_dict({"sslmode": "require"})


def describe_server(url: URL) -> str:
    """Return the database, host and port that an operator looks for; a socket's folder in place of the host."""
    host = url.host or url.query.get("host") or "the default socket"
    hosts = host if isinstance(host, str) else ",".join(host)
    return f"“{url.database}” at {hosts}, port {url.port or url.query.get('port') or DEFAULT_PORT},"


def is_local(url: URL) -> bool:
    """Whether the server is on this machine: on a loopback address, or at a socket."""
    hosts = [url.host] if url.host else url.query.get("host", "")
    names = [name for host in ([hosts] if isinstance(hosts, str) else hosts) for name in str(host).split(",")]
    return all(not name or name.startswith(("/", "@", "127.")) or name in {"localhost", "::1"} for name in names)


def libpq_url(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def create_postgresql_engine(url: URL, connections: int, timeout_s: float) -> Engine:
    """An engine whose commits are on the server's disk when they return, whatever the server's default."""
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=timeout_s,
        pool_pre_ping=True,  # else the first statement after the server's restart fails
        hide_parameters=True,  # parameters are personal data
        connect_args=CONNECT_ARGS,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: psycopg.Connection[Any], _: Any) -> None:
        connection.autocommit = True
        connection.execute(
            f"SET synchronous_commit = on; SET lock_timeout = {int(timeout_s * 1000)};"
            " SET idle_in_transaction_session_timeout = 60000; SET TIME ZONE 'UTC';"
            # A plan cached while a table was small reads all of it when it is large:
            # https://www.postgresql.org/docs/18/runtime-config-query.html#GUC-PLAN-CACHE-MODE, read 2026-11-22.
            " SET plan_cache_mode = force_custom_plan"
        )
        connection.autocommit = False

    return engine
