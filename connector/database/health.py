"""Checks the database's integrity, file system, free space and clock. Changes nothing and blocks no writer."""

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from connector.core.check_result import CheckResult, failure, ok, warning
from connector.database.engine import Database
from connector.database.models import Delivery, Event
from connector.database.sqlite import database_file

DATABASE, DISK = "database", "disk"
#: Timeout of the integrity check, which reads the whole file.
CHECK_TIMEOUT_S = 10.0
LOW_DISK_BYTES, CRITICAL_DISK_BYTES = 1024**3, 100 * 1024**2
#: WAL needs memory shared between processes: https://www.sqlite.org/wal.html, read 2026-11-22.
NETWORK_DISKS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.s3fs", "ceph", "glusterfs"}
MIN_POSTGRESQL_VERSION = 130_000


def check_disk(url: str) -> Iterator[CheckResult]:
    """Check the folder of SQLite's file."""
    folder = database_file(url).absolute().parent
    if not folder.is_dir():
        yield failure(DISK, f"there is no folder {folder}", "make it, or name another in DATABASE_URL")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield failure(
            DISK, f"nothing can be written in {folder}", f"let the service's user write there: chown {folder}"
        )
    kind = file_system_type(folder)
    if kind in NETWORK_DISKS:
        message = f"{folder} lies on a network disk ({kind}), where SQLite's WAL does not hold"
        yield failure(DISK, message, "put the file on a local disk, or set DATABASE_URL to a PostgreSQL")
    free = shutil.disk_usage(folder).free
    message = f"{free / 1024**3:.1f} GiB free in {folder}"
    if free < CRITICAL_DISK_BYTES:
        yield failure(DISK, message, "make room at once: a full disk answers webhooks with 503")
    elif free < LOW_DISK_BYTES:
        yield warning(DISK, message, "make room, or drop what is old: connector prune")
    else:
        yield ok(DISK, message)


def file_system_type(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of file system that a folder is on; "" if it is not known."""
    try:
        rows = [line.split(" ")[1:3] for line in mounts.read_text("utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    mounted = [(point, kind) for point, kind in rows if folder.is_relative_to(point)]
    return max(mounted, key=lambda row: len(row[0]), default=("", ""))[1]


def check_sqlite(database: Database, *, timeout_s: float = CHECK_TIMEOUT_S) -> Iterator[CheckResult]:
    with database.read() as session:
        connection = session.connection()
        mode, sync, pages, page_bytes = (
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "page_count", "page_size")
        )
    if (mode, sync) == ("wal", 2):
        yield ok(DATABASE, f"SQLite, {pages * page_bytes / 1024**2:.0f} MiB, WAL, synchronous FULL")
    else:
        message = f"SQLite keeps its journal as {mode}, synchronous {sync}: a power cut may lose what was answered 200"
        yield failure(DATABASE, message, "run connector migrate, which sets WAL, while the service is stopped")
    yield check_pages(database, timeout_s)


def check_pages(database: Database, timeout_s: float) -> CheckResult:
    deadline = monotonic() + timeout_s
    with database.read() as session:
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101  # the engine is SQLite's
        driver.set_progress_handler(lambda: monotonic() > deadline, 10_000)
        try:
            results = [row[0] for row in driver.execute("PRAGMA quick_check(3)")]
        except sqlite3.OperationalError:
            return ok(
                DATABASE, f"no fault in what could be read of the file in {timeout_s:g} s; it is larger than that"
            )
        except sqlite3.DatabaseError as error:
            results = [str(error)]
        finally:
            driver.set_progress_handler(None, 0)
    if results == ["ok"]:
        return ok(DATABASE, "every page of the file is sound")
    remedy = (
        "stop the service, copy the file and its -wal, then restore a backup or let sqlite3's .recover save the rows"
    )
    return failure(DATABASE, f"the file is damaged: {'; '.join(results)}", remedy)


def check_postgresql(database: Database) -> Iterator[CheckResult]:
    with database.read() as session:
        connection = session.connection()

        def setting(name: str) -> str:
            return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one())

        version = int(setting("server_version_num"))
        fsync, commit = setting("fsync"), setting("synchronous_commit")
        is_replica = connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
        clients = text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        free = int(setting("max_connections")) - int(connection.execute(clients).scalar_one())
    name = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < MIN_POSTGRESQL_VERSION:
        yield failure(DATABASE, f"{name} is too old", "upgrade it to 13 or newer")
    if is_replica:
        yield failure(DATABASE, f"{name} is a replica, which takes no writes", "name the primary in DATABASE_URL")
    if fsync != "on" or commit == "off":
        message = f"{name} loses what it said was committed (fsync {fsync}, synchronous_commit {commit})"
        yield failure(DATABASE, message, "set fsync and synchronous_commit to on")
    else:
        yield ok(DATABASE, f"{name}, fsync {fsync}, synchronous_commit {commit}")
    if free < 10:
        yield warning(
            DATABASE,
            f"{free} connections are free",
            "raise max_connections, or lower WEB_CONCURRENCY or WORKER_PROCESSES",
        )


def seconds_ahead(database: Database) -> float:
    """How far this machine's clock is ahead of the database's."""
    return (datetime.now(UTC) - database.backend.now()).total_seconds()


def unknown_ids(database: Database, *, stores: Collection[str], accounts: Collection[str]) -> list[tuple[str, str]]:
    """The ("store" or "account", id) pairs that rows have and the configuration does not.

    Rows are identified by these ids: under a new one, every order would be new.
    """
    with database.read() as session:
        return [
            *(("store", id_) for id_ in distinct_values(session, Event.store) if id_ not in stores),
            *(("account", id_) for id_ in distinct_values(session, Delivery.account) if id_ not in accounts),
        ]


def distinct_values(session: Session, column: str) -> Iterator[str]:
    """The values of an indexed column, with one index look-up for each."""
    value = session.exec(select(func.min(column))).one()
    while value is not None:
        yield value
        value = session.exec(select(func.min(column)).where(col(column) > value)).one()
