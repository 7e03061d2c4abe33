"""Per-program clocks that can be changed at run time. Building the library needs a C compiler."""

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """The clock of all processes started with `variables`."""

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        file.write_bytes(bytes(8))
        self.variables: Mapping[str, str] = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(file)}

    def set_ahead(self, seconds: float) -> None:
        """Set how many seconds the clock is ahead of the machine's."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("@q", round(seconds * 1e9)))


def build_library(folder: Path) -> Path:
    """Build the preloaded library. Raises `OSError` if it cannot be built."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise OSError("there is no C compiler")
    library = folder / "clock.so"
    command = [compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip())
    return library
