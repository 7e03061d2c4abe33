"""Compiles the small C programs that load, answer and delay, so that they take next to nothing of the two cores."""

import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent


def build(name: str) -> Path:
    """The compiled program (or library, for `slow_fsync`) of `<name>.c`. Raises `SystemExit` without a C compiler."""
    source = HERE / f"{name}.c"
    is_library = name == "slow_fsync"
    digest = sha256(source.read_bytes()).hexdigest()[:12]
    built = Path(tempfile.gettempdir()) / f"connector-benchmarks-{digest}-{name}{'.so' if is_library else ''}"
    if built.exists():
        return built
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("The benchmarks need a C compiler: on Debian, apt-get install gcc libc6-dev.")
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / name
        kind = ["-shared", "-fPIC"] if is_library else []
        subprocess.run([compiler, "-O2", "-Wall", *kind, "-o", made, source, "-ldl"], check=True)  # noqa: S603
        built.unlink(missing_ok=True)
        shutil.move(made, built)
    return built
