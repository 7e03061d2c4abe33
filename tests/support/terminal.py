"""Runs a command on a pseudo-terminal and answers what it asks, as a person would."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 40.0
CTRL_C = b"\x03"


@dataclass
class Terminal:
    """A running command. `printed` is what the terminal shows, with the echo of what was typed."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    printed: str = ""
    _seen: int = 0  # how much of it was waited for

    def wait_for(self, text: str) -> None:
        """Read until the terminal shows `text`, after what was waited for before."""
        give_up_at = time.monotonic() + TIMEOUT_S
        while (found_at := self.printed.find(text, self._seen)) < 0:
            assert self._read(give_up_at - time.monotonic()), f"“{text}” was not printed:\n{self.printed}"
        self._seen = found_at + len(text)

    def answer(self, prompt: str, answer: str) -> None:
        """Wait for a question, and type an answer."""
        self._wait_for_question(prompt)
        os.write(self.descriptor, f"{answer}\n".encode())

    def interrupt(self, prompt: str) -> None:
        """Wait for a question, and press Ctrl-C."""
        self._wait_for_question(prompt)
        os.write(self.descriptor, CTRL_C)

    def _wait_for_question(self, prompt: str) -> None:
        """Wait until nothing follows the question: what is typed before the echo is switched off would be lost."""
        self.wait_for(prompt)
        give_up_at = time.monotonic() + TIMEOUT_S
        while not self.printed.endswith(": "):
            assert self._read(give_up_at - time.monotonic()), f"no question was asked:\n{self.printed}"

    def finish(self) -> int:
        """Read to the end. Returns the exit status."""
        while self._read(TIMEOUT_S):
            pass
        return self.process.wait(timeout=TIMEOUT_S)

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], max(0.0, timeout_s))
        try:
            chunk = os.read(self.descriptor, 65_536) if ready else b""
        except OSError:  # Linux's way to say that the other end is closed
            chunk = b""
        self.printed += chunk.decode()
        return bool(chunk)


@contextmanager
def run_on_terminal(arguments: Sequence[str], environ: Mapping[str, str], directory: Path) -> Iterator[Terminal]:
    """Run `connector` in a session of its own, whose terminal the test has."""
    descriptor, child_end = pty.openpty()
    # The command is the leader of a session that has the terminal, so that Ctrl-C reaches it.
    program = "import fcntl, termios, runpy; fcntl.ioctl(0, termios.TIOCSCTTY, 0); runpy.run_module('connector')"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
        env=dict(environ),
        cwd=directory,
        start_new_session=True,
    )
    os.close(child_end)
    try:
        yield Terminal(process=process, descriptor=descriptor)
    finally:
        process.kill()
        process.wait()
        os.close(descriptor)
