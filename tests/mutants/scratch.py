"""A copy of the working tree for mutated code and its tests. The tree itself is never changed."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.mutants.mutant import Mutant
from tests.mutants.source import ROOT, NotFoundOnceError, locate, replace_code

#: For one run of pytest. A test that hangs is ended by pytest-timeout.
TIMEOUT_S = 600
#: https://docs.pytest.org/en/stable/reference/exit-codes.html, read 2026-11-21.
PASSED, FAILED = 0, 1

Verdict = Literal["caught", "survived", "no longer applies", "broken otherwise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The result of one mutant."""

    verdict: Verdict
    by: str  # the test that failed; else what went wrong
    duration_s: float


class Scratch:
    """One copy, for one run of pytest at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environ = {**os.environ, "PYTHONPATH": str(folder)}
        names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file():  # not one that is deleted and not committed yet
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        imported_from = self._run("-c", "import connector; print(connector.__file__)").stdout.strip()
        if not Path(imported_from).is_relative_to(folder):
            raise RuntimeError(f"the copy would run the code at {imported_from}")

    def run_tests(self, tests: Sequence[str], *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        engines = [] if any("[postgresql" in test for test in tests) else ["-k", "not [postgresql"]
        return self._run("-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *engines, *tests, **environ)

    def try_mutant(self, mutant: Mutant) -> Trial:
        """Apply the mutant to the copy, run its tests, and restore the copy."""
        began_at = time.monotonic()
        location = locate(mutant.at)
        path = self.folder / location.file
        whole = path.read_text("utf-8")
        try:
            mutated = replace_code(whole, location, mutant.old, mutant.new)
        except NotFoundOnceError as error:
            return Trial(verdict="no longer applies", by=str(error), duration_s=0)
        before = path.stat()
        verdict: Verdict
        path.write_text(mutated, "utf-8")
        try:
            # Bytecode is checked by modification second and size, which the next mutant of a file may share.
            result = self.run_tests(mutant.tests, "-x", PYTHONDONTWRITEBYTECODE="1")
        except subprocess.TimeoutExpired:
            verdict, by = "broken otherwise", f"no end within {TIMEOUT_S} s"
        else:
            verdict, by = classify_run(result)
        finally:
            path.write_text(whole, "utf-8")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return Trial(verdict=verdict, by=by, duration_s=time.monotonic() - began_at)

    def _run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self._environ, **environ},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


def classify_run(completed: subprocess.CompletedProcess[str]) -> tuple[Verdict, str]:
    """Distinguish a failed test from an import error and from a failed setup."""
    if completed.returncode == PASSED:
        return "survived", "no test"
    failed = re.search(r"^FAILED (.+?)(?: - |$)", completed.stdout, re.MULTILINE)
    if completed.returncode == FAILED and failed:
        return "caught", failed[1]
    output_lines = (completed.stdout + completed.stderr).strip().splitlines()
    return (
        "broken otherwise",
        f"exit status {completed.returncode}: {output_lines[-1] if output_lines else 'nothing said'}",
    )


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
