"""Measures how much faster deliveries are claimed and marked `sending` in batches than one by one.

It calls the functions of `connector.database`, because no command runs only these two steps.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from sqlalchemy import update
from sqlmodel import col

from benchmarks.backlog import Backlog
from benchmarks.processes import run_postgres
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from connector.database.attempts import SendStart, mark_all_sending, mark_sending
from connector.database.claims import ClaimedDelivery, Limit, claim_deliveries, ensure_circuits
from connector.database.engine import Database
from connector.database.models import Delivery, State
from connector.database.restores import check_generation

BATCH = 50
SPEEDUP = Target(value=6, unit="x")
ACCOUNT, WORKER_ID, LEASE_S = "bodega", "benchmark:1:1:1", 60.0
BODY = b"x" * 600  # about the size of Rayo's


def claim_and_mark_one_by_one(database: Database) -> list[ClaimedDelivery]:
    deliveries: list[ClaimedDelivery] = []
    while len(deliveries) < BATCH:
        limits = {ACCOUNT: Limit(len(deliveries) + 1)}
        (claimed,) = claim_deliveries(database, worker_id=WORKER_ID, limits=limits, lease_s=LEASE_S)
        require_marked(mark_sending(database, build_send_start(database, claimed)))
        deliveries.append(claimed)
    return deliveries


def claim_and_mark_in_batch(database: Database) -> list[ClaimedDelivery]:
    deliveries = claim_deliveries(database, worker_id=WORKER_ID, limits={ACCOUNT: Limit(BATCH)}, lease_s=LEASE_S)
    starts = [build_send_start(database, claimed) for claimed in deliveries]
    for number in database.transact(lambda transaction: mark_all_sending(transaction, starts)):
        require_marked(number is not None)
    return deliveries


def build_send_start(database: Database, claimed: ClaimedDelivery) -> SendStart:
    return SendStart(
        delivery=claimed.delivery,
        body=BODY,
        idempotency_key=None,
        warnings=[],
        circuits=(ACCOUNT,),
        lease_s=LEASE_S,
        generation=database.generation,
    )


def require_marked(is_marked: bool) -> None:
    if not is_marked:
        raise RuntimeError("a delivery was not marked")


def set_delivered(database: Database, deliveries: list[ClaimedDelivery]) -> None:
    """End the deliveries, so that none is in flight in the next round."""
    ids = [claimed.delivery.id for claimed in deliveries]
    if len(ids) != BATCH:
        raise RuntimeError(f"{len(ids)} deliveries were claimed, not {BATCH}")
    values = {"state": State.DELIVERED, "claimed_by": None, "claim_expires_at": None}
    database.transact(
        lambda transaction: transaction.execute(update(Delivery).where(col(Delivery.id).in_(ids)).values(values))
    )


def measure(url: str, rounds: int) -> dict[str, list[float]]:
    """Return deliveries per second of each round, one by one and in batches, measured in turns."""
    database = Database(url)
    methods: dict[str, Callable[[Database], list[ClaimedDelivery]]] = {
        "one by one": claim_and_mark_one_by_one,
        "batched": claim_and_mark_in_batch,
    }
    per_s: dict[str, list[float]] = {name: [] for name in methods}
    ensure_circuits(database, [ACCOUNT])
    check_generation(database, key_windows_s={})
    for _ in range(rounds + 1):
        for name, claim_and_mark in methods.items():
            started_s = time.perf_counter()
            deliveries = claim_and_mark(database)
            per_s[name].append(BATCH / (time.perf_counter() - started_s))
            set_delivered(database, deliveries)
    database.close()
    return {name: rates[1:] for name, rates in per_s.items()}  # the first round compiles the statements


@click.command()
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(1))
@click.option(
    "--engine", "engines", multiple=True, type=click.Choice(["sqlite", "postgresql"]), default=["sqlite", "postgresql"]
)
@click.option("--quick", is_flag=True, help="Run one round on SQLite and store nothing.")
def main(rounds: int, engines: tuple[str, ...], quick: bool) -> None:
    """Measure claiming deliveries in batches against one by one."""
    if quick:
        rounds, engines = 1, ("sqlite",)
    machine = describe_machine()
    figures = {}
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        for engine in engines:
            server_url = stack.enter_context(run_postgres(directory)) if engine == "postgresql" else None
            count = 2 * BATCH * (rounds + 1)
            backlog = Backlog(
                directory=directory, destination="rayo", engine=engine, server_url=server_url, orders=count
            )
            figures[engine] = measure(backlog.loaded_url, rounds)
    rows = [
        [
            engine,
            f"{median(per_s['one by one']):.0f}",
            f"{median(per_s['batched']):.0f}",
            format_figure(
                median(b / a for a, b in zip(per_s["one by one"], per_s["batched"], strict=True)), SPEEDUP, digits=1
            ),
        ]
        for engine, per_s in figures.items()
    ]
    title = f"Deliveries claimed and marked `sending` per second, {BATCH} in a batch"
    table = print_table(title, ["", "one by one", "batched", "speedup"], rows)
    if quick:
        console.print("[dim]Nothing is stored.[/]")
        return
    write_result("claims", figures, machine, tables=[table], rounds=rounds, batch=BATCH)


if __name__ == "__main__":
    main()
