"""Wakes workers on the same machine: a named pipe beside an SQLite database, which has no notifications.

A byte wakes one of the workers, which claims all that is due. A lost byte costs no more than the poll that each worker
makes anyway.
"""

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from connector.database.generation import PRIVATE

#: How soon a stopped listener ends.
STOP_CHECK_MS = 250


class WakeupPipe:
    """A FIFO (https://man7.org/linux/man-pages/man7/fifo.7.html, read 2026-11-30). Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def wake(self) -> None:
        """Wake a worker that listens. Without one, or with many bytes that wait for it, nothing happens."""
        with suppress(OSError):
            pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(pipe, b"\n")
            finally:
                os.close(pipe)

    @contextmanager
    def listen(self, on_wake: Callable[[], None]) -> Iterator[None]:
        """Call `on_wake` from a thread, until the block ends. Never called where no pipe can be made."""
        try:
            pipe = self._open()
        except OSError:  # a file system without pipes
            yield
            return
        is_stopping = threading.Event()

        def run() -> None:
            poll = select.poll()
            poll.register(pipe, select.POLLIN)
            while not is_stopping.is_set():
                if poll.poll(STOP_CHECK_MS):
                    with suppress(BlockingIOError):  # another worker was faster
                        os.read(pipe, select.PIPE_BUF)
                        on_wake()
            os.close(pipe)

        threading.Thread(target=run, name="wakeup", daemon=True).start()
        try:
            yield
        finally:
            is_stopping.set()

    def _open(self) -> int:
        """Open the pipe for reading, and for writing, so that it has no end when a writer closes it."""
        with suppress(FileExistsError):
            os.mkfifo(self._path, PRIVATE)
        if not self._path.is_fifo():
            raise FileExistsError
        return os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
