"""The database of a run, on a small disk of its own that can be filled, where one may be mounted."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chaos.plan import Act

DISK_MB = 512


class SmallDisk:
    """A file system in memory. Raises `OSError` where mounting is not permitted."""

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


class Sqlite:
    """A file on a small disk if there may be one, else in `folder`."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self.acts: Mapping[Act, Callable[[float], None]] = {}
        self._disk: SmallDisk | None = None
        place = folder / "disk"
        try:
            self._disk = SmallDisk(place)
            self.acts = {Act.FILL_DISK: self._disk.fill, Act.FREE_DISK: self._disk.free}
        except OSError as error:
            tell(f"No small disk may be mounted ({error}): the disk is not filled in this run.")
        self.variables = {"DATABASE_URL": f"sqlite:///{place / 'connector.db'}"}

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()
