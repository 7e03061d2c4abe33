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
import structlog

get_logger = structlog.get_logger

#: Of the request that this thread answers.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)


#: How long a line may wait for others, and how many may: more are written at once, however long that takes.
FLUSH_INTERVAL_S = 0.05
MAX_BUFFERED_LINES = 10_000
#: Whoever reads the log and takes nothing for so long is not waited for: not by an order, nor by the end of a process.
WRITE_TIMEOUT_S = 2.0


class BufferedLogWriter:
    """A file of lines. What is no warning waits a little, so that many are written together; the rest is not.

    A thread that writes lets the others have the interpreter, and waits to get it back: with a line for each webhook,
    all that was a sixth of what taking one cost.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: deque[bytes] = deque()
        self._write_lock = threading.Lock()
        self._start_lock = threading.Lock()
        self._flush_requests = threading.Semaphore(0)
        self._is_flush_requested = False
        self._thread: threading.Thread | None = None

    def info(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) > MAX_BUFFERED_LINES:  # nobody takes what is written
            self.flush()
        elif not self._is_flush_requested:
            self._is_flush_requested = True
            self._start()
            self._flush_requests.release()

    def warning(self, line: bytes) -> None:
        self._lines.append(line)
        self.flush()

    debug = info
    error = critical = warning

    def flush(self) -> None:
        """Write what waits."""
        if not self._write_lock.acquire(timeout=WRITE_TIMEOUT_S):
            return
        try:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._file.write(b"".join(line + b"\n" for line in lines))  # it may have no buffer of its own
            self._file.flush()
        except (OSError, ValueError):  # nobody reads any more: no order is to suffer from that
            pass
        finally:
            self._write_lock.release()

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._flush_requests.acquire()
            sleep(FLUSH_INTERVAL_S)
            self._is_flush_requested = False  # first: who comes after this wakes it again
            self.flush()


#: Where this process writes lines for machines.
_writers: list[BufferedLogWriter] = []


def log_writer(*_: Any) -> BufferedLogWriter:
    if not _writers:
        _writers.append(BufferedLogWriter(sys.stderr.buffer))
        atexit.register(_writers[0].flush)
    return _writers[0]


def flush_log() -> None:
    """Write what waits to be written: for who ends a process without a word to Python."""
    for writer in _writers:
        writer.flush()


def configure_logging(*, quiet: bool = False) -> None:
    """`quiet` lets warnings and worse through alone.

    orjson, and a logger that is made once: a line costs a webhook a tenth of its time otherwise.
    https://www.structlog.org/en/stable/performance.html, read 2026-11-21.
    """
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer(orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr) if is_terminal else log_writer,
        cache_logger_on_first_use=True,
    )


def add_request_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A fifth of what structlog's own way takes, which looks through all variables of the context."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        line["request_id"] = request_id
    return line
