"""One run: starts the system under test, posts orders and injects failures, waits, and evaluates the result."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.peers.registry import PEERS
from connector.sandbox.server import SandboxServer
from tests.chaos.acts import Chaos
from tests.chaos.backups import Backups
from tests.chaos.clocks import Clock, build_library
from tests.chaos.databases import Postgresql, Sqlite, open_server
from tests.chaos.peer import Peer
from tests.chaos.plan import Act, plan_acts, plan_faults, plan_restore
from tests.chaos.shop_apis import ShopApis
from tests.chaos.shops import LOST_SHARE, plan_deaths, plan_orders
from tests.chaos.storefront import Storefront
from tests.chaos.subject import Connector
from tests.chaos.verdict import Verdict

READY_WITHIN_S = 120.0
#: Tokens that end within a run.
TOKEN_LIFE_S = 20.0


class NotReadyError(Exception):
    """The service did not become ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    seed: int
    seconds: float  # how long things go wrong
    orders: int
    subject: str  # "connector", or a peer's name
    engine: Literal["sqlite", "postgresql"]  # of the connector
    stores: Sequence[str]  # none: all
    repeats: bool  # platforms repeat their webhooks until they are answered 200, and lose none
    catches_up: bool  # False: to see that the verdict finds what is missing
    restores: bool = False  # put a backup back in the middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    verdict: Verdict
    chaos: Chaos
    restarts: int


def run(options: RunOptions, folder: Path, *, say: Callable[[str], None], tell: Callable[[str], None]) -> Outcome:
    """Run once. Raises `NotUpError`, and `httpx.HTTPError` when what is tried does not answer in the end.

    Args:
        say: for what is always told; `tell` is for what is told on request.
    """
    with ExitStack() as stack:
        sandbox = stack.enter_context(SandboxServer(token_life_s=TOKEN_LIFE_S))
        subject: Connector | Peer
        other_acts: Mapping[Act, Callable[[float], None]]
        if options.subject == "connector":
            apis = ShopApis(Connector.shops, stack)
            subject, other_acts = open_connector(options, folder, sandbox, apis, stack, say)
        else:
            apis = ShopApis([], stack)
            subject, other_acts = open_peer(options, folder, sandbox, stack, say), {}
        shops = [shop for shop in subject.shops if not options.stores or shop.store in options.stores]
        repeats = options.repeats or subject.needs_repeats
        orders = plan_orders(
            options.seed, shops, options.orders, options.seconds, lost_share=0.0 if repeats else LOST_SHARE
        )
        deaths = {} if repeats else plan_deaths(options.seed, shops, options.seconds)
        storefront = Storefront(subject.url, orders, apis, repeats=repeats, deaths=deaths)
        destinations = sorted({name for shop in shops for name in shop.destinations.values()})
        planned_kinds = [act for act in other_acts if act not in (Act.BACK_UP, Act.RESTORE)]
        acts = plan_acts(options.seed, [*subject.acts, *planned_kinds], options.seconds, lease_s=subject.lease_s)
        if Act.RESTORE in other_acts:
            acts = sorted([*acts, *plan_restore(options.seconds)], key=lambda planned: planned.at_s)
        for planned in acts:
            tell(f"planned for second {planned.at_s:.1f}: {planned.act}")
        for store, at_s in deaths.items():
            tell(f"planned for second {at_s:.1f}: the webhooks of {store} die")
        stores = [shop.store for shop in shops if shop.store in apis.servers]
        faults = plan_faults(options.seed, destinations, stores, options.seconds)
        chaos = Chaos(subject, sandbox, acts, faults, apis=apis, other_acts=other_acts, tell=tell)

        subject.programs.start()
        stack.callback(subject.programs.stop)
        if not wait_until(subject.is_ready, READY_WITHIN_S):
            raise NotReadyError
        plan = f"{options.orders} orders in {options.seconds:g} s"
        say(f"seed {options.seed}, {options.subject}: {plan}; logs in {folder}")
        storefront.start()
        stack.callback(storefront.stop)
        chaos.start()
        time.sleep(options.seconds)
        chaos.stop()
        say("Nothing goes wrong any more.")
        within_s = subject.settled_within_s
        is_done = wait_until(lambda: storefront.is_done() and subject.is_ready(), within_s)
        if dead := storefront.dead_stores():
            say(f"The webhooks of {', '.join(dead)} are dead.")
        time.sleep(subject.catch_up_within_s)
        is_settled = is_done and wait_until(subject.note_known, within_s) and wait_until(subject.is_settled, within_s)
        say("Everything is settled." if is_settled else f"Not everything is settled within {within_s:g} s.")
        verdict = subject.judge(storefront.events, chaos.incidents)
        return Outcome(verdict=verdict, chaos=chaos, restarts=subject.programs.restarts)


def open_connector(
    options: RunOptions,
    folder: Path,
    sandbox: SandboxServer,
    apis: ShopApis,
    stack: ExitStack,
    say: Callable[[str], None],
) -> tuple[Connector, Mapping[Act, Callable[[float], None]]]:
    """Return the connector, and the acts for its database, its clocks and the shops' APIs."""
    database: Sqlite | Postgresql
    clocks: dict[str, Clock] = {}
    acts: dict[Act, Callable[[float], None]] = {Act.STOP_API: apis.stop, Act.START_API: apis.start}
    if options.engine == "sqlite":  # all on one machine, which has one clock
        database = Sqlite(folder, say)
    else:
        database = Postgresql(folder, say)
        clocks = open_clocks(folder, say)
        if clocks:
            acts[Act.JUMP_CLOCK] = partial(set_clock, list(clocks.values()))
    stack.callback(database.close)
    connector = Connector(folder, sandbox, apis, database.url, clocks, catches_up=options.catches_up)
    if options.restores:
        backups = Backups(database, folder, connector.programs)
        acts |= {Act.BACK_UP: backups.back_up, Act.RESTORE: backups.restore}
    return connector, {**database.acts, **acts}


def open_clocks(folder: Path, say: Callable[[str], None]) -> dict[str, Clock]:
    """Give each program its own clock, as if it ran on another machine."""
    try:
        library = build_library(folder)
    except OSError as error:
        say(f"No clock is set in this run: {error}")
        return {}
    return {name: Clock(folder / f"{name}.clock", library) for name in ("serve", "worker")}


def set_clock(clocks: Sequence[Clock], ahead_s: float) -> None:
    """Set one of the clocks: which, hangs on the seconds."""
    clocks[int(abs(ahead_s) * 1_000) % len(clocks)].set_ahead(ahead_s)


def open_peer(
    options: RunOptions, folder: Path, sandbox: SandboxServer, stack: ExitStack, say: Callable[[str], None]
) -> Peer:
    server = open_server(PEERS[options.subject].server, folder, say)
    stack.callback(server.close)
    return Peer(options.subject, folder, sandbox, server.url)


def wait_until(is_so: Callable[[], bool], within_s: float) -> bool:
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        if is_so():
            return True
        time.sleep(0.3)
    return False
