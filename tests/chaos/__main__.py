"""Runs the service as real processes, injects failures, and checks the result of every order.

`python -m tests.chaos --seed 1 --minutes 1`; the exit status is 0 only if no paid order of the shops was lost,
duplicated or misreported. Platforms never repeat a webhook, a fifth of their webhooks is lost on the way, and some die.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.peers.registry import PEERS
from tests.chaos.report import print_report
from tests.chaos.run import NotReadyError, RunOptions, run

ORDERS_PER_S = 6.0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of what is sold and what goes wrong; default 1")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long things go wrong; default 1")
    parser.add_argument("--orders", type=int, help=f"how many; default {ORDERS_PER_S:g} a second")
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite", help="of the connector")
    parser.add_argument("--subject", choices=["connector", *PEERS], default="connector", help="default: the connector")
    parser.add_argument("--store", action="append", default=[], help="sell in this one alone, or these; default: all")
    parser.add_argument(
        "--repeats", action="store_true", help="platforms repeat their webhooks, as they always do for a peer"
    )
    parser.add_argument(
        "--no-catch-up", dest="catch_up", action="store_false", help="to see that the verdict finds what is missing"
    )
    parser.add_argument(
        "--restore", dest="restores", action="store_true", help="put a backup back in the middle of the run"
    )
    parser.add_argument("--verbose", action="store_true", help="tell what is planned, and what is done as it is done")
    return parser.parse_args()


def main() -> int:
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops its processes, as Ctrl-C does
    seconds = arguments.minutes * 60
    options = RunOptions(
        seed=arguments.seed,
        seconds=seconds,
        orders=arguments.orders or round(seconds * ORDERS_PER_S),
        subject=arguments.subject,
        engine=arguments.engine,
        stores=arguments.store,
        repeats=arguments.repeats,
        catches_up=arguments.catch_up,
        restores=arguments.restores,
    )
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    began_at = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began_at:7.1f}  {text}", flush=True)

    try:
        outcome = run(options, folder, say=say, tell=say if arguments.verbose else lambda text: None)
    except (NotReadyError, httpx.HTTPError) as error:
        print(f"\nIt is not up ({type(error).__name__}). The logs are in {folder}")
        return 1
    print_report(outcome.verdict, outcome.chaos, outcome.restarts)
    if any(outcome.verdict.faults.values()):
        print(f"\nFAULTS. The logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
