"""Logging, on standard error: key=value on a terminal, JSON elsewhere. Standard output is for results.

structlog renders a line in the thread that logs it. The standard library's `QueueHandler` and `QueueListener` write it
from a thread of their own, so that a log reader that stops reading does not hold up webhooks.
"""

import io
import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from threading import Event
from typing import Any, TextIO

import orjson
import structlog

get_logger = structlog.get_logger

#: The id of the request that is being handled.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)

#: The standard library's logger that every line goes through.
LOGGER_NAME = "connector"
#: How many lines are queued for a log reader that has stopped reading. Further lines are dropped.
MAX_QUEUED_LINES = 10_000
#: How long a warning, a full queue and the exit of the process wait for such a reader.
FLUSH_TIMEOUT_S = 2.0
#: How long lines are gathered, to be written together. A thread that writes lets others run, and then waits for its
#: turn: with a write for each webhook, that costs more than the line.
GATHER_S = 0.01
MAX_GATHERED_LINES = 1_000


class LineQueueHandler(QueueHandler):
    """Queues lines for the listener. Logging a warning or worse returns once it is written, or after a timeout."""

    queue: "SimpleQueue[logging.LogRecord | Event]"
    _is_blocked = False  # the queue is full, and has not moved for `FLUSH_TIMEOUT_S`

    def __init__(self, queue: "SimpleQueue[logging.LogRecord | Event]", is_urgent: Event) -> None:
        super().__init__(queue)
        self.is_urgent = is_urgent  # a thread waits until its lines are written

    def handle(self, record: logging.LogRecord) -> bool:
        super().handle(record)
        if record.levelno >= logging.WARNING:
            self.flush()
        return True

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # structlog has rendered it

    def enqueue(self, record: logging.LogRecord) -> None:
        if self.queue.qsize() >= MAX_QUEUED_LINES:
            self._is_blocked = self._is_blocked or not self.wait_until_written()
            if self._is_blocked:
                return
        self._is_blocked = False
        self.queue.put_nowait(record)

    def flush(self) -> None:
        """Write the lines that are queued so far. `logging.shutdown` calls this when the process exits."""
        self.wait_until_written()

    def wait_until_written(self) -> bool:
        """Wait until the lines that are queued so far are written. Returns False if that took too long."""
        is_written = Event()
        self.queue.put_nowait(is_written)
        self.is_urgent.set()
        return is_written.wait(FLUSH_TIMEOUT_S)


class LineQueueListener(QueueListener):
    """Gathers lines for `GATHER_S`, unless they are urgent, and writes them together."""

    queue: "SimpleQueue[logging.LogRecord | Event]"

    def __init__(self, queue: "SimpleQueue[logging.LogRecord | Event]", writer: "LineWriter", is_urgent: Event) -> None:
        super().__init__(queue, writer)
        self.writer = writer
        self.is_urgent = is_urgent

    def dequeue(self, block: bool) -> logging.LogRecord:
        if not self.queue.empty():
            return super().dequeue(block)
        self.writer.write_gathered()
        record = super().dequeue(block)
        self.is_urgent.wait(GATHER_S)
        return record

    def handle(self, record: logging.LogRecord | Event) -> None:
        if isinstance(record, Event):  # from `LineQueueHandler.wait_until_written`
            self.is_urgent.clear()
            self.writer.write_gathered()
            record.set()
        else:
            super().handle(record)


class LineWriter(logging.StreamHandler[TextIO]):
    """Writes lines to a stream without a lock: only one thread writes, and `logging.shutdown` must not wait for it."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def handle(self, record: logging.LogRecord) -> bool:
        self._lines.append(self.format(record) + self.terminator)
        if len(self._lines) >= MAX_GATHERED_LINES:
            self.write_gathered()
        return True

    def write_gathered(self) -> None:
        text = "".join(self._lines)
        self._lines.clear()
        if text:
            with suppress(OSError, ValueError):  # the log reader has gone
                self.stream.write(text)


def start_queue(stream: TextIO) -> LineQueueHandler:
    """Return a handler whose lines a daemon thread writes to `stream`."""
    lines: SimpleQueue[Any] = SimpleQueue()
    is_urgent = Event()
    LineQueueListener(lines, LineWriter(stream), is_urgent).start()
    return LineQueueHandler(lines, is_urgent)


def flush_log() -> None:
    """Write the lines that are queued. Call it before `os._exit` and `os.exec…`, which skip exit handlers."""
    for handler in logging.getLogger(LOGGER_NAME).handlers:
        handler.flush()


def configure_logging(*, quiet: bool = False) -> None:
    """Set up logging for this process. With `quiet`, only warnings and errors are logged."""
    logger = logging.getLogger(LOGGER_NAME)
    if not logger.handlers:
        # Unbuffered, as with `python -u`: a buffer has a lock that the interpreter waits for at exit.
        stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
        logger.addHandler(start_queue(stderr))
        logger.propagate = False
        logger.setLevel(logging.DEBUG)  # structlog filters
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer(serialize_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=True,
    )


def serialize_json(line: Any, **options: Any) -> str:
    return orjson.dumps(line, **options).decode()


def add_request_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the id of the request that is being handled, if there is one."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        line["request_id"] = request_id
    return line
