"""What is logged is gathered and written together, in its order; a warning, or an end, does not wait."""

import io
import subprocess
import sys
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from connector.observability.logs import MAX_BUFFERED_LINES, BufferedLogWriter


class File(io.BytesIO):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, data: object) -> int:
        self.writes += 1
        return super().write(data)  # type: ignore[arg-type]


class BrokenFile(io.BytesIO):
    def write(self, _data: object) -> int:
        raise BrokenPipeError


def wait_for(file: File, text: bytes) -> None:
    give_up_at = monotonic() + 5
    while not file.getvalue().endswith(text):
        assert monotonic() < give_up_at, "it was never written"
        sleep(0.01)


def test_lines_come_by_themselves_many_at_once_and_in_their_order() -> None:
    file = File()
    lines = BufferedLogWriter(file)
    for _ in range(3):  # after a rest too
        file.truncate(0), file.seek(0)
        file.writes = 0
        for number in range(500):
            lines.info(b"line %d" % number)
        wait_for(file, b"line 499\n")
        assert file.getvalue() == b"".join(b"line %d\n" % number for number in range(500))
        assert file.writes < 50


def test_a_warning_is_written_before_it_returns_after_what_came_before_it() -> None:
    file = File()
    lines = BufferedLogWriter(file)
    lines.info(b"before")
    lines.warning(b"now")
    assert file.getvalue() == b"before\nnow\n"


def test_no_line_of_many_threads_is_lost_or_torn() -> None:
    file = File()
    lines = BufferedLogWriter(file)

    def tell(thread: int) -> None:
        for number in range(300):
            (lines.warning if number % 50 == 0 else lines.info)(b"%d:%d" % (thread, number))

    threads = [Thread(target=tell, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.flush()
    expected = sorted(b"%d:%d" % (thread, number) for thread in range(8) for number in range(300))
    assert sorted(file.getvalue().splitlines()) == expected


def test_when_too_many_wait_they_are_written_by_who_tells() -> None:
    file = File()
    lines = BufferedLogWriter(file)
    lines._is_flush_requested = True  # its thread is stuck
    for _ in range(MAX_BUFFERED_LINES + 1):
        lines.info(b"line")
    assert file.getvalue().count(b"\n") == MAX_BUFFERED_LINES + 1


def test_a_log_that_nobody_reads_harms_nobody() -> None:
    lines = BufferedLogWriter(BrokenFile())
    lines.info(b"one")
    lines.error(b"two")
    lines.flush()


def test_a_log_that_is_not_read_on_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.observability.logs.WRITE_TIMEOUT_S", 0.05)
    goes_on = Event()

    class StuckFile(File):
        def write(self, data: object) -> int:
            goes_on.wait(10)
            return super().write(data)

    file = StuckFile()
    lines = BufferedLogWriter(file)
    stuck = Thread(target=lines.warning, args=(b"first",))
    stuck.start()
    while lines._lines:  # until it is being written
        sleep(0.001)
    begun_at = monotonic()
    lines.warning(b"second")
    assert monotonic() - begun_at < 5
    goes_on.set()
    stuck.join()
    lines.flush()
    assert file.getvalue() == b"first\nsecond\n"


def test_what_waits_is_written_when_the_process_ends() -> None:
    program = "from connector.observability.logs import *; configure_logging(); get_logger().info('last')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert '"event":"last"' in done.stderr


def test_what_waits_is_written_when_the_process_is_ended_at_once() -> None:
    program = (
        "import os; from connector.observability.logs import *; "
        "configure_logging(); get_logger().info('last'); flush_log(); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert '"event":"last"' in done.stderr
