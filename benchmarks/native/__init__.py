"""Compiles the small C programs that post, respond and delay. C takes little processor time from what is measured."""

import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent


def build(name: str) -> Path:
    """Return the program (for `slow_fsync`, the library) compiled from `<name>.c`.

    Raises `SystemExit` without a C compiler.
    """
    source = FOLDER / f"{name}.c"
    is_library = name == "slow_fsync"
    digest = sha256(source.read_bytes()).hexdigest()[:12]
    program = Path(tempfile.gettempdir()) / f"connector-benchmarks-{digest}-{name}{'.so' if is_library else ''}"
    if program.exists():
        return program
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("The benchmarks need a C compiler: on Debian, apt-get install gcc libc6-dev.")
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / name
        options = ["-shared", "-fPIC"] if is_library else []
        subprocess.run([compiler, "-O2", "-Wall", *options, "-o", output, source, "-ldl"], check=True)  # noqa: S603
        program.unlink(missing_ok=True)
        shutil.move(output, program)
    return program
