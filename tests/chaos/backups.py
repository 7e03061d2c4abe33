"""A backup that is taken in the middle of a run, and put back later: what happened in between is forgotten."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg

from tests.chaos.databases import Postgresql, Sqlite
from tests.chaos.programs import Programs
from tests.chaos.storefront import PostedEvent


class Backups:
    """Takes a backup while the service runs, and restores it while it stands still."""

    def __init__(self, database: Sqlite | Postgresql, folder: Path, programs: Programs) -> None:
        self._database = database
        self._copy = folder / "backup"
        self._programs = programs

    def back_up(self, _: float) -> None:
        self._database.ready()
        if isinstance(self._database, Sqlite):
            with (
                closing(sqlite3.connect(self._database.file)) as source,
                closing(sqlite3.connect(self._copy)) as target,
            ):
                source.backup(target)
        else:
            back_up_server(self._database.url, self._database.data, self._copy)

    def restore(self, _: float) -> None:
        with self._programs.stopped():
            self._database.ready()
            if isinstance(self._database, Sqlite):
                file = self._database.file
                for suffix in ("-wal", "-shm"):
                    file.with_name(file.name + suffix).unlink(missing_ok=True)
                shutil.copyfile(self._copy, file)
            else:
                self._database.kill()
                copy_folder(self._copy, self._database.data, is_replaced=True)
                self._database.ready()


def back_up_server(url: str, data: Path, copy: Path) -> None:
    """Copy a running server's files, so that it recovers from them on a new timeline.

    https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP, read 2026-11-30.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_backup_start('chaos', fast => true)")
        copy_folder(data, copy)
        row = connection.execute("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)").fetchone()
    copy_folder(data / "pg_wal", copy / "pg_wal")
    (copy / "postmaster.pid").unlink(missing_ok=True)
    owner = data.stat()
    for name, text in (("backup_label", row[0] if row else ""), ("recovery.signal", "")):
        (copy / name).write_text(text)
        os.chown(copy / name, owner.st_uid, owner.st_gid)
    with (copy / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = '/bin/false'\n")  # all WAL that there is was copied


def copy_folder(source: Path, target: Path, *, is_replaced: bool = False) -> None:
    """Copy what is in a folder, with owners and modes. Files that vanish meanwhile are left out."""
    if is_replaced:
        for path in target.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    subprocess.run(["cp", "--archive", f"{source}/.", str(target)], check=is_replaced, capture_output=True)


def forget_answers(events: Sequence[PostedEvent], began_at: float, ended_at: float) -> int:
    """Drop what was answered after the backup and before the restore: those webhooks are lost. Return how many."""
    lost = 0
    for event in events:
        kept = [response for response in event.answers if not began_at <= response.answered_at <= ended_at]
        lost += len(event.answers) - len(kept)
        event.answers[:] = kept
    return lost
