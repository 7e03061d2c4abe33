"""Starts processes, finds them, and restarts them when they end."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Marks every process of a run in its environment, whoever its parent has become.
RUN_VARIABLE = "CHAOS_RUN"
KEEP_UP_EVERY_S = 0.2
STOP_TIMEOUT_S = 35.0


@dataclass(slots=True, kw_only=True)
class Program:
    name: str
    command: Sequence[str]
    variables: Mapping[str, str]  # of its own, beside those of all
    process: subprocess.Popen[bytes] | None = None


class Programs:
    """Programs that are kept running from `start` to `stop`, each in its own session and with a log."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        variables: Mapping[str, str],
        folder: Path,
        *,
        own: Mapping[str, Mapping[str, str]] | None = None,  # variables of a program, by its name
    ) -> None:
        self.folder = folder
        self.restarts = 0
        self._programs = [
            Program(name=name, command=command, variables=(own or {}).get(name, {}))
            for name, command in commands.items()
        ]
        self._variables = {**os.environ, **variables, RUN_VARIABLE: str(folder)}
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep_up, name="keeper", daemon=True)

    def start(self) -> None:
        for program in self._programs:
            self._start(program)
        self._keeper.start()

    def _start(self, program: Program) -> None:
        with (self.folder / f"{program.name}.log").open("ab") as log:
            program.process = subprocess.Popen(
                program.command,
                env={**self._variables, **program.variables},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep_up(self) -> None:
        while not self._is_stopping.wait(KEEP_UP_EVERY_S):
            with self._lock:
                for program in self._programs:
                    if program.process is not None and program.process.poll() is not None:
                        self.restarts += 1
                        self._start(program)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Kill every process, and start them again at the end."""
        with self._lock:
            doomed = self.everything()
            send_signal(doomed, signal.SIGKILL)
            psutil.wait_procs(doomed, timeout=10)
            yield

    def tree(self, name: str) -> list[psutil.Process]:
        """Return the program's process and its descendants, parents first; empty when it has ended."""
        with self._lock:
            [process] = [program.process for program in self._programs if program.name == name]
        with suppress(psutil.NoSuchProcess):
            if process is not None and process.poll() is None:
                first = psutil.Process(process.pid)
                return [first, *first.children(recursive=True)]
        return []

    def everything(self) -> list[psutil.Process]:
        """Return every live process of the run, including orphans."""
        processes = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(RUN_VARIABLE) == str(self.folder):
                    processes.append(process)
        return processes

    def stop(self) -> None:
        """Send SIGTERM to all, then SIGKILL to those that remain after the timeout."""
        self._is_stopping.set()
        self._keeper.join()
        send_signal(self.everything(), signal.SIGCONT)
        send_signal([process for program in self._programs for process in self.tree(program.name)[:1]], signal.SIGTERM)
        for program in self._programs:
            with suppress(subprocess.TimeoutExpired):
                if program.process is not None:
                    program.process.wait(STOP_TIMEOUT_S)
        send_signal(self.everything(), signal.SIGKILL)
        for program in self._programs:
            if program.process is not None:
                program.process.wait()


def send_signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def command_line(process: psutil.Process) -> str:
    """Return its command line; "" when it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
