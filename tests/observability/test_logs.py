"""Log lines are written in order, none is lost at a warning or at exit, and a stuck reader blocks nothing."""

import io
import logging
import subprocess
import sys
from threading import Event, Thread
from time import monotonic, sleep
from typing import TextIO

import pytest

from connector.observability import logs
from connector.observability.logs import start_queue


class BrokenFile(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


class StuckFile(io.StringIO):
    """A pipe that is full until `is_read` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = Event()

    def write(self, text: str) -> int:
        assert self.is_read.wait(30)
        return super().write(text)


def open_log(stream: TextIO) -> logging.Logger:
    """A separate logger configured like the connector's."""
    logger = logging.Logger("test")
    logger.addHandler(start_queue(stream))
    return logger


def flush(logger: logging.Logger) -> None:
    for handler in logger.handlers:
        handler.flush()


def numbered_lines(count: int) -> str:
    return "".join(f"line {number}\n" for number in range(count))


def test_lines_are_written_promptly_and_in_order() -> None:
    file = io.StringIO()
    log = open_log(file)
    for number in range(500):
        log.info(f"line {number}")
    give_up_at = monotonic() + 5
    while file.getvalue() != numbered_lines(500):
        assert monotonic() < give_up_at, "they were never written"
        sleep(0.01)


def test_warning_is_written_synchronously_and_in_order() -> None:
    file = io.StringIO()
    log = open_log(file)
    log.info("before")
    log.warning("now")
    assert file.getvalue() == "before\nnow\n"


def test_concurrent_lines_are_neither_lost_nor_interleaved() -> None:
    file = io.StringIO()
    log = open_log(file)

    def write_lines(thread: int) -> None:
        for number in range(300):
            (log.warning if number % 50 == 0 else log.info)(f"{thread}:{number}")

    threads = [Thread(target=write_lines, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush(log)
    expected = sorted(f"{thread}:{number}" for thread in range(8) for number in range(300))
    assert sorted(file.getvalue().splitlines()) == expected


def test_full_queue_blocks_instead_of_losing_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_QUEUED_LINES", 10)
    file = io.StringIO()
    log = open_log(file)
    for number in range(500):
        log.info(f"line {number}")
    flush(log)
    assert file.getvalue() == numbered_lines(500)


def test_unwritable_log_does_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", BrokenFile())
    log = open_log(BrokenFile())
    log.info("one")
    log.error("two")
    flush(log)


def test_unread_log_does_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FLUSH_TIMEOUT_S", 0.05)
    monkeypatch.setattr(logs, "MAX_QUEUED_LINES", 100)
    file = StuckFile()
    log = open_log(file)
    started_at = monotonic()
    log.warning("first")
    log.warning("second")
    for number in range(200):  # more than are kept
        log.info(f"line {number}")
    assert monotonic() - started_at < 5
    file.is_read.set()
    flush(log)
    log.info("last")
    flush(log)
    lines = file.getvalue().splitlines()
    assert lines[:3] == ["first", "second", "line 0"]
    assert (len(lines) <= 103, lines[-1]) == (True, "last")


LOG_ONE_LINE = "from connector.observability.logs import *; configure_logging(); get_logger().info('last'); "


@pytest.mark.parametrize("end", ["", "import os; flush_log(); os._exit(0)"])
def test_queued_lines_are_written_at_exit(end: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOG_ONE_LINE + end], capture_output=True, text=True, check=True)
    assert '"event":"last"' in done.stderr


def test_process_with_an_unread_log_can_exit() -> None:
    program = "[get_logger().info('x' * 10_000) for _ in range(100)]"
    command = [sys.executable, "-c", LOG_ONE_LINE + program]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:  # a pipe holds less than that
        assert process.wait(30) == 0
