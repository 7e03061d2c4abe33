"""Sets up logging, on standard error: key=value on a terminal, JSON elsewhere. Standard output is for answers."""

import atexit
import logging
import sys
import threading
from collections import deque
from collections.abc import MutableMapping
from contextvars import ContextVar
from time import sleep
from typing import Any, BinaryIO

import orjson

from connector.core.lazy_imports import without

with without("rich"):
    import structlog

get_logger = structlog.get_logger

#: Of the request that this thread answers.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)


#: How long a line may wait for others, and how many may: more are written at once, however long that takes.
GATHER_S = 0.05
MOST_LINES = 10_000
#: Whoever reads the log and takes nothing for so long is not waited for: not by an order, nor by the end of a process.
STUCK_S = 2.0


class Lines:
    """A file of lines. What is no warning waits a little, so that many are written together; the rest is not.

    A thread that writes lets the others have the interpreter, and waits to get it back: with a line for each webhook,
    all that was a sixth of what taking one cost.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: deque[bytes] = deque()
        self._writing = threading.Lock()
        self._starting = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._is_woken = False
        self._thread: threading.Thread | None = None

    def info(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) > MOST_LINES:  # nobody takes what is written
            self.flush()
        elif not self._is_woken:
            self._is_woken = True
            self._start()
            self._wake.release()

    def warning(self, line: bytes) -> None:
        self._lines.append(line)
        self.flush()

    debug = info
    error = critical = warning

    def flush(self) -> None:
        """Write what waits."""
        if not self._writing.acquire(timeout=STUCK_S):
            return
        try:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._file.write(b"".join(line + b"\n" for line in lines))  # it may have no buffer of its own
            self._file.flush()
        except (OSError, ValueError):  # nobody reads any more: no order is to suffer from that
            pass
        finally:
            self._writing.release()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            sleep(GATHER_S)
            self._is_woken = False  # first: who comes after this wakes it again
            self.flush()


#: Where this process writes lines for machines.
_lines: list[Lines] = []


def open_lines(*_: Any) -> Lines:
    if not _lines:
        _lines.append(Lines(sys.stderr.buffer))
        atexit.register(_lines[0].flush)
    return _lines[0]


def flush_log() -> None:
    """Write what waits to be written: for who ends a process without a word to Python."""
    for lines in _lines:
        lines.flush()


def set_up_log(*, quiet: bool = False) -> None:
    """`quiet` lets warnings and worse through alone.

    orjson, and a logger that is made once: a line costs a webhook a tenth of its time otherwise.
    https://www.structlog.org/en/stable/performance.html, read 2026-11-21.
    """
    is_for_people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if is_for_people else structlog.processors.JSONRenderer(orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr) if is_for_people else open_lines,
        cache_logger_on_first_use=True,
    )


def add_request_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A fifth of what structlog's own way takes, which looks through all variables of the context."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        line["request_id"] = request_id
    return line
