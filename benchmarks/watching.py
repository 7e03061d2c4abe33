"""What `/metrics` and a look for alerts cost in a database with a million deliveries, on SQLite.

The rows are made by SQL from three orders: one that was delivered and pruned, one that could not be mapped, and one
that waits.
"""

import base64
import hmac
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks import orders
from benchmarks.filling import Filler
from benchmarks.report import Target, describe_machine, median, print_table, show, write_result
from benchmarks.stores import environment_of, write_configuration
from connector.alerts.monitor import AlertMonitor
from connector.database.coordination import get_checkpoint, set_checkpoint
from connector.database.engine import Database
from connector.database.stats.counters import roll_up_counters
from connector.ingestion.receive import receive_webhook
from connector.runtime import Runtime, open_runtime, utc_now
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings
from connector.web.prometheus import render_metrics
from connector.worker.worker import Worker

#: A scrape every 15 s, a look every 5 s: either is to take less than a hundredth of the time.
SCRAPE, LOOK = Target(value=150, at_most=True, unit=" ms"), Target(value=50, at_most=True, unit=" ms")
DELIVERED, PARKED, WAITING = 1, 2, 3


def take(runtime: Runtime, number: int, *, lacks: str | None = None) -> None:
    """Have the connector take order `number`, without what it `lacks`."""
    [request] = orders.requests(number, 1)
    if lacks is not None:
        [body] = orders.bodies("shopify", number, 1, orders.BODY_BYTES)
        request = request.replace(body, body.replace(lacks.encode(), b""))
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, value in lines}
    [store] = runtime.settings.stores.values()
    headers["x-shopify-hmac-sha256"] = base64.b64encode(hmac.digest(orders.SECRET.encode(), body, "sha256")).decode()
    receive_webhook(runtime, store, headers, body)


def carry_due(runtime: Runtime) -> None:
    forwarder = Worker(runtime)
    forwarder.ensure_circuits()
    for claimed in forwarder.claim_due():
        forwarder.process(claimed)


def time_ms(do: Callable[[], object], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def catch_up(database: Database) -> int:
    """Count all rows that were never counted. Returns how many calls that took."""
    calls, before = 0, -1
    while (now := get_checkpoint(database, "tally:attempts")) != before:
        before, calls = now, calls + 1
        roll_up_counters(database)
    return calls


@click.command()
@click.option("--orders", "many", default=1_000_000, show_default=True)
@click.option("--parked", default=10_000, show_default=True)
@click.option("--waiting", default=10_000, show_default=True)
@click.option("--times", default=20, show_default=True)
def main(many: int, parked: int, waiting: int, times: int) -> None:
    machine = describe_machine()
    with TemporaryDirectory() as folder, SandboxServer() as sandbox:
        directory = Path(folder)
        configuration = write_configuration(directory, destination="rayo", base_url=sandbox.url("rayo"))
        url = f"sqlite:///{directory / 'connector.db'}"
        database = Database(url)
        database.migrate()
        database.close()
        filler = Filler(url=url)
        with open_runtime(load_settings(environ=environment_of(configuration, url)), with_clients=True) as runtime:
            take(runtime, DELIVERED)
            take(runtime, PARKED, lacks="Roma Norte")
            carry_due(runtime)
            take(runtime, WAITING)
        for name, number in (("delivered", DELIVERED), ("parked", PARKED), ("waiting", WAITING)):
            filler.keep_seed(name, orders.order_id(number))
        filler.fill("delivered", many - parked - waiting, pruned=True)
        filler.fill("parked", parked)
        filler.fill("waiting", waiting)
        filler.settle()
        settings = load_settings(environ=environment_of(configuration, url))
        later = lambda: utc_now() + timedelta(hours=1)  # noqa: E731  # what came at one moment is not news for ever
        with open_runtime(settings, with_clients=True, clock=later) as runtime:
            now = int(runtime.clock().timestamp())  # all rows are new here: reconciling them is another benchmark
            runtime.database.transact(lambda transaction: set_checkpoint(transaction, "alerts:reconciled", now))
            watcher = AlertMonitor(runtime)
            figures = {
                "first count of all rows": time_ms(lambda: catch_up(runtime.database), 1),
                "first look, all parked new": time_ms(watcher.check, 1),
                "scrape of /metrics": time_ms(lambda: render_metrics(runtime, ""), times),
                "look, nothing new": time_ms(watcher.check, times),
            }
        size_mb = filler.size_mb()
    targets = {"scrape of /metrics": SCRAPE, "look, nothing new": LOOK}
    rows = [(name, show(median(taken), targets.get(name)), show(max(taken), None)) for name, taken in figures.items()]
    table = print_table("Watching a large database, in milliseconds", ["", "median", "most"], rows)
    chosen = {"orders": many, "parked": parked, "waiting": waiting, "times": times, "size_mb": round(size_mb)}
    write_result("watching", figures, machine, tables=[table], **chosen)


if __name__ == "__main__":
    main()
