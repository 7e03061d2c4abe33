"""The generation of a database, and the file beside an SQLite database that notices when an older copy took its place.

The file is in no backup. It holds the database's generation, and the number of the last attempt that was committed as
`sending`, which is written before the first byte is sent.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from connector.core.exceptions import DatabaseUnavailableError

#: Only the service's user may read it, like the database.
PRIVATE = 0o600
MAX_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What a process knows of its database.

    Args:
        id: another one after each restore.
        sent_until: orders that were placed before this may have been sent in the time that a restored backup does not
            know. None: it was never restored.
    """

    id: str
    sent_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationNote:
    """What the file says.

    Args:
        last_attempt: the highest id of an attempt that was committed as `sending`.
        last_revised: the same, of attempts under a new idempotency key.
        is_original: False if the file is a copy, such as one from a backup of the whole folder.
    """

    generation: str
    last_attempt: int
    last_revised: int
    is_original: bool = True


class GenerationFile:
    """Thread-safe, and safe between processes. It survives a killed process; after a power cut it may be older."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._written = GenerationNote(generation="", last_attempt=0, last_revised=0)  # by this process

    def read(self) -> GenerationNote | None:
        """Return what the file says; None if there is none. Raises `DatabaseUnavailableError`."""
        with self._lock:
            if self._descriptor is None and not os.path.exists(self.path):
                return None
            with self._locked() as descriptor:
                return read_note(descriptor)

    def begin(self, generation: str, last_attempt: int) -> None:
        """Write the file of a new generation. Raises `DatabaseUnavailableError`."""
        with self._lock, self._locked() as descriptor:
            self._write(descriptor, GenerationNote(generation=generation, last_attempt=last_attempt, last_revised=0))

    def advance(self, generation: str, attempt: int, *, is_revised: bool) -> bool:
        """Note an attempt that is about to be sent. False if the file belongs to another generation: do not send it.

        Raises `DatabaseUnavailableError`.
        """
        with self._lock:
            written = self._written
            is_written = attempt <= (written.last_revised if is_revised else written.last_attempt)
            if is_written and written.generation == generation:
                return True
            with self._locked() as descriptor:
                note = read_note(descriptor)
                if note is None or note.generation != generation:
                    return False
                last_revised = max(note.last_revised, attempt if is_revised else 0)
                last_attempt = max(note.last_attempt, attempt)
                note = GenerationNote(generation=generation, last_attempt=last_attempt, last_revised=last_revised)
                self._write(descriptor, note)
                return True

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, locked against other processes."""
        try:
            if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:  # somebody deleted it
                self._close()
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield self._descriptor
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DatabaseUnavailableError(f"the database is unavailable: {self.path}: {reason}") from error

    def _write(self, descriptor: int, note: GenerationNote) -> None:
        """Write a line of a fixed length in one call, so that a killed process leaves the old line or the new one."""
        inode = os.fstat(descriptor).st_ino
        line = f"{note.generation} {note.last_attempt:020d} {note.last_revised:020d} {inode:020d}\n"
        os.pwrite(descriptor, line.encode(), 0)
        self._written = note


def read_note(descriptor: int) -> GenerationNote | None:
    """Return what the open file says; None if it is empty or something else."""
    fields = os.pread(descriptor, MAX_BYTES, 0).decode(errors="replace").split()
    if len(fields) != 4 or not all(field.isdecimal() for field in fields[1:]):
        return None
    generation, last_attempt, last_revised, inode = fields
    return GenerationNote(
        generation=generation,
        last_attempt=int(last_attempt),
        last_revised=int(last_revised),
        is_original=int(inode) == os.fstat(descriptor).st_ino,
    )
