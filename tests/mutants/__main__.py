"""Mutation tests: breaks each guarantee in a copy of the code, one change at a time, and expects a test to fail.

`python -m tests.mutants`; the exit status is 0 only if every mutant was caught by a test that passes without it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.mutant import Mutant
from tests.mutants.of_access import OF_ACCESS
from tests.mutants.of_attempts import OF_ATTEMPTS
from tests.mutants.of_catch_up import OF_CATCH_UP
from tests.mutants.of_credentials import OF_CREDENTIALS
from tests.mutants.of_events import OF_EVENTS
from tests.mutants.of_listings import OF_LISTINGS
from tests.mutants.of_operators import OF_OPERATORS
from tests.mutants.of_privacy import OF_PRIVACY
from tests.mutants.of_requests import OF_REQUESTS
from tests.mutants.of_restores import OF_RESTORES
from tests.mutants.of_shipping import OF_SHIPPING
from tests.mutants.of_strangers import OF_STRANGERS
from tests.mutants.of_tokens import OF_TOKENS
from tests.mutants.of_webhooks import OF_WEBHOOKS
from tests.mutants.of_words import OF_WORDS
from tests.mutants.scratch import PASSED, Scratch, Trial

CONCURRENCY = 2


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("invariant", type=int, nargs="*", help="by number; default: all")
    return parser.parse_args()


def check_unbroken(scratches: list[Scratch], tests: list[str]) -> str | None:
    """Run all tests that mutants name on the unchanged code. Returns pytest's output if any fails."""
    on_postgresql = [test for test in tests if "[postgresql" in test]
    parts = [part for part in (on_postgresql, [test for test in tests if test not in on_postgresql]) if part]
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        runs = list(pool.map(lambda scratch, part: scratch.run_tests(part), scratches, parts))
    return next((run.stdout + run.stderr for run in runs if run.returncode != PASSED), None)


def try_all(scratches: list[Scratch], mutants: list[Mutant]) -> Iterator[Trial]:
    """Yield the result of each mutant in order, as soon as it is known."""
    free: SimpleQueue[Scratch] = SimpleQueue()
    for scratch in scratches:
        free.put(scratch)

    def try_mutant(mutant: Mutant) -> Trial:
        scratch = free.get()
        try:
            return scratch.try_mutant(mutant)
        finally:
            free.put(scratch)

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        yield from pool.map(try_mutant, mutants)


def main() -> int:
    numbers = read_arguments().invariant
    invariants = [
        candidate
        for candidate in (
            *OF_EVENTS,
            *OF_ATTEMPTS,
            *OF_SHIPPING,
            *OF_WORDS,
            *OF_ACCESS,
            *OF_STRANGERS,
            *OF_RESTORES,
            *OF_TOKENS,
            *OF_CREDENTIALS,
            *OF_WEBHOOKS,
            *OF_LISTINGS,
            *OF_OPERATORS,
            *OF_PRIVACY,
            *OF_REQUESTS,
            *OF_CATCH_UP,
        )
        if not numbers or candidate.number in numbers
    ]
    mutants = [mutant for invariant in invariants for mutant in invariant.mutants]
    began_at = time.monotonic()
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")) for _ in range(CONCURRENCY)]
        scratches = [Scratch(Path(folder).resolve()) for folder in folders]
        if fault := check_unbroken(scratches, sorted({test for mutant in mutants for test in mutant.tests})):
            print(fault)
            print("These tests fail, or are not there, without any mutant: mend that first.")
            return 1
        trials = try_all(scratches, mutants)
        caught = 0
        for invariant in invariants:
            print(f"\n{invariant.number}. {invariant.promise}", flush=True)
            for mutant, trial in zip(invariant.mutants, trials, strict=False):
                print(f"   {trial.verdict:>8} {trial.duration_s:5.1f} s  {mutant.breaks}", flush=True)
                print(f"{'':21}{trial.by}", flush=True)
                caught += trial.verdict == "caught"
    print(f"\n{caught} of {len(mutants)} caught, in {time.monotonic() - began_at:.0f} s")
    return 0 if mutants and caught == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
