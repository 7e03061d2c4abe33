"""Runs the service as real processes, breaks it and what it speaks with, and judges what became of every order.

`python -m tests.chaos --seed 1 --minutes 1`; the exit status is 0 only if nothing was lost, doubled or wrongly told.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.peers.registry import PEERS
from connector.sandbox.server import SandboxServer
from tests.chaos.acts import Chaos
from tests.chaos.clocks import Clock, build_library
from tests.chaos.databases import Postgresql, Sqlite, open_server
from tests.chaos.peer import Peer
from tests.chaos.plan import Act, plan_acts, plan_faults
from tests.chaos.shops import plan_orders
from tests.chaos.storefront import Storefront
from tests.chaos.subject import Connector
from tests.chaos.verdict import KINDS, Verdict

READY_WITHIN_S = 60.0
ORDERS_PER_S = 6.0
#: Tokens that end within a run.
TOKEN_LIFE_S = 20.0
MOST_TOLD = 10  # of each kind of fault


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long things go wrong")
    parser.add_argument("--orders", type=int, help=f"how many; default {ORDERS_PER_S:g} a second")
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite", help="of the connector")
    parser.add_argument("--subject", choices=["connector", *PEERS], default="connector", help="default: the connector")
    parser.add_argument("--verbose", action="store_true", help="tell what is done, as it is done")
    return parser.parse_args()


def main() -> int:
    asked = read_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, as Ctrl-C does
    seconds = asked.minutes * 60
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    began_at = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began_at:7.1f}  {text}", flush=True)

    def tell(text: str) -> None:
        if asked.verbose:
            say(text)

    with ExitStack() as stack:
        sandbox = stack.enter_context(SandboxServer(token_life_s=TOKEN_LIFE_S))
        acts: Mapping[Act, Callable[[float], None]] = {}
        subject: Connector | Peer
        if asked.subject == "connector":
            database = Sqlite(folder, say) if asked.engine == "sqlite" else Postgresql(folder, say)
            stack.callback(database.close)
            clocks = open_clocks(folder, say) if asked.engine == "postgresql" else {}
            acts = {**database.acts, **({Act.JUMP_CLOCK: partial(jump, list(clocks.values()))} if clocks else {})}
            subject = Connector(folder, sandbox, database.url, clocks)
        else:
            server = open_server(PEERS[asked.subject].server, folder, say)
            stack.callback(server.close)
            subject = Peer(asked.subject, folder, sandbox, server.url)
        orders = plan_orders(asked.seed, subject.shops, asked.orders or round(seconds * ORDERS_PER_S), seconds)
        storefront = Storefront(subject.url, orders, sandbox)
        destinations = sorted({name for shop in subject.shops for name in shop.destinations.values()})
        chaos = Chaos(
            subject,
            sandbox,
            plan_acts(asked.seed, [*subject.acts, *acts], seconds, lease_s=subject.lease_s),
            plan_faults(asked.seed, destinations, subject.apis, seconds),
            others=acts,
            tell=tell,
        )
        say(f"seed {asked.seed}, {asked.subject}, {len(orders)} orders in {seconds:g} s; logs in {folder}")
        subject.programs.start()
        stack.callback(subject.programs.stop)
        if not wait_until(subject.is_ready, READY_WITHIN_S):
            say("The service did not come up.")
            return 1
        storefront.start()
        stack.callback(storefront.stop)
        chaos.start()
        time.sleep(seconds)
        chaos.stop()
        say("Nothing goes wrong any more.")
        within_s = subject.settled_within_s
        is_settled = wait_until(lambda: not storefront.open_posts() and subject.is_settled(), within_s)
        say("Everything is settled." if is_settled else f"Not everything is settled within {within_s:g} s.")
        verdict = subject.judge(storefront.events, chaos.incidents)
        show(verdict, chaos, subject.programs.restarts)
    if any(verdict.faults.values()):
        print(f"\nFAULTS. The logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def open_clocks(folder: Path, say: Callable[[str], None]) -> dict[str, Clock]:
    """Give each program a clock of its own, as if it ran on another machine."""
    try:
        library = build_library(folder)
    except OSError as error:
        say(f"No clock is set in this run: {error}")
        return {}
    return {name: Clock(folder / f"{name}.clock", library) for name in ("serve", "worker")}


def jump(clocks: Sequence[Clock], ahead_s: float) -> None:
    """Set one of the clocks: which, hangs on the seconds."""
    clocks[int(abs(ahead_s) * 1_000) % len(clocks)].set_ahead(ahead_s)


def wait_until(is_so: Callable[[], bool], within_s: float) -> bool:
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        if is_so():
            return True
        time.sleep(0.3)
    return False


def show(verdict: Verdict, chaos: Chaos, restarts: int) -> None:
    acts = Counter(str(incident.act) for incident in chaos.incidents)
    print("\ndone to it")
    for act, count in sorted(acts.items()):
        print(f"  {count:6}  {act}")
    print(f"  {chaos.played_faults:6}  misbehaviours of services\n  {restarts:6}  restarts")
    print("\ncounted")
    for name, count in verdict.counts.items():
        print(f"  {count:6}  {name}")
    print("\ndeliveries")
    for (destination, state, reason), count in sorted(verdict.states.items()):
        print(f"  {count:6}  {destination:9} {state} {reason}")
    print("\nambiguous attempts of what is uncertain, by cause")
    for cause, count in verdict.causes.most_common():
        print(f"  {count:6}  {cause}")
    print("\nfaults")
    for kind in KINDS:
        found = verdict.faults.get(kind, [])
        print(f"  {len(found):6}  {kind}")
        for sentence in found[:MOST_TOLD]:
            print(f"            {sentence}")


if __name__ == "__main__":
    sys.exit(main())
