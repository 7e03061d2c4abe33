"""How much faster deliveries are claimed and marked `sending` in batches than one by one. It sends nothing.

It calls the database's own functions, since no command shows these two steps alone.
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
from benchmarks.processes import postgres
from benchmarks.report import Target, console, describe_machine, median, print_table, show, write_result
from connector.database.attempts import SendStart, mark_all_sending, mark_sending
from connector.database.claims import ClaimedDelivery, Limit, claim_deliveries, ensure_circuits
from connector.database.engine import Database
from connector.database.models import Delivery, State

BATCH = 50
FASTER = Target(value=6, unit="x")
ACCOUNT, CLAIM, LEASE_S = "bodega", "benchmark:1:1:1", 60.0
BODY = b"x" * 600  # about what Rayo's has


def claim_and_mark_one_by_one(database: Database) -> list[ClaimedDelivery]:
    done: list[ClaimedDelivery] = []
    while len(done) < BATCH:
        limits = {ACCOUNT: Limit(len(done) + 1)}
        (claimed,) = claim_deliveries(database, worker_id=CLAIM, limits=limits, lease_s=LEASE_S)
        require(mark_sending(database, mark_of(claimed)))
        done.append(claimed)
    return done


def claim_and_mark_together(database: Database) -> list[ClaimedDelivery]:
    claimed = claim_deliveries(database, worker_id=CLAIM, limits={ACCOUNT: Limit(BATCH)}, lease_s=LEASE_S)
    marks = [mark_of(one) for one in claimed]
    for is_marked in database.transact(lambda transaction: mark_all_sending(transaction, marks)):
        require(is_marked)
    return claimed


def mark_of(claimed: ClaimedDelivery) -> SendStart:
    return SendStart(
        delivery=claimed.delivery, body=BODY, idempotency_key=None, warnings=[], circuits=(ACCOUNT,), lease_s=LEASE_S
    )


def require(is_marked: bool) -> None:
    if not is_marked:
        raise RuntimeError("a delivery was not marked")


def end_all(database: Database, done: list[ClaimedDelivery]) -> None:
    """Take them out of the way, so that the next ones find nothing in flight."""
    ids = [one.delivery.id for one in done]
    if len(ids) != BATCH:
        raise RuntimeError(f"{len(ids)} deliveries were claimed, not {BATCH}")
    values = {"state": State.DELIVERED, "claimed_by": None, "claim_expires_at": None}
    database.transact(
        lambda transaction: transaction.execute(update(Delivery).where(col(Delivery.id).in_(ids)).values(values))
    )


def measure(url: str, rounds: int) -> dict[str, list[float]]:
    """Deliveries a second, one by one and together, in turns."""
    database = Database(url)
    ways: dict[str, Callable[[Database], list[ClaimedDelivery]]] = {
        "one by one": claim_and_mark_one_by_one,
        "together": claim_and_mark_together,
    }
    per_s: dict[str, list[float]] = {way: [] for way in ways}
    ensure_circuits(database, [ACCOUNT])
    for _ in range(rounds + 1):
        for way, act in ways.items():
            began = time.perf_counter()
            done = act(database)
            per_s[way].append(BATCH / (time.perf_counter() - began))
            end_all(database, done)
    database.close()
    return {way: rates[1:] for way, rates in per_s.items()}  # the first round compiles the statements


@click.command()
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(1))
@click.option(
    "--engine", "engines", multiple=True, type=click.Choice(["sqlite", "postgresql"]), default=["sqlite", "postgresql"]
)
@click.option("--quick", is_flag=True, help="One round on SQLite: only to see that it runs.")
def main(rounds: int, engines: tuple[str, ...], quick: bool) -> None:
    """Measure claims in batches against claims one by one."""
    if quick:
        rounds, engines = 1, ("sqlite",)
    machine = describe_machine()
    figures = {}
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        for engine in engines:
            server = stack.enter_context(postgres(directory)) if engine == "postgresql" else None
            number = 2 * BATCH * (rounds + 1)
            waiting = Backlog(directory=directory, destination="rayo", engine=engine, server=server, orders=number)
            figures[engine] = measure(waiting.loaded, rounds)
    rows = [
        [
            engine,
            f"{median(per_s['one by one']):.0f}",
            f"{median(per_s['together']):.0f}",
            show(median(b / a for a, b in zip(per_s["one by one"], per_s["together"], strict=True)), FASTER, digits=1),
        ]
        for engine, per_s in figures.items()
    ]
    title = f"Deliveries claimed and marked `sending` a second, {BATCH} in a batch"
    table = print_table(title, ["", "one by one", "together", "together is"], rows)
    if quick:
        console.print("[dim]Nothing is kept.[/]")
        return
    write_result("claims", figures, machine, tables=[table], rounds=rounds, batch=BATCH)


if __name__ == "__main__":
    main()
