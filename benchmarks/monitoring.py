"""Measures `/metrics` and a check for alerts in an SQLite database with a million deliveries.

The rows are copied by SQL from three orders: one delivered and pruned, one parked as unmappable, and one waiting.
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
from benchmarks.report import Target, describe_machine, format_figure, median, print_table, write_result
from benchmarks.stores import build_environment, write_configuration
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

#: Each should take at most a hundredth of the time: a scrape comes every 15 s, a check every 5 s.
MAX_SCRAPE, MAX_CHECK = Target(value=150, at_most=True, unit=" ms"), Target(value=50, at_most=True, unit=" ms")
DELIVERED, PARKED, WAITING = 1, 2, 3


def receive_order(runtime: Runtime, number: int, *, removed_text: str | None = None) -> None:
    """Have the connector receive order `number`."""
    [request] = orders.build_requests(number, 1)
    if removed_text is not None:
        [body] = orders.build_bodies("shopify", number, 1, orders.BODY_BYTES)
        request = request.replace(body, body.replace(removed_text.encode(), b""))
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, value in lines}
    [store] = runtime.settings.stores.values()
    headers["x-shopify-hmac-sha256"] = base64.b64encode(hmac.digest(orders.SECRET.encode(), body, "sha256")).decode()
    receive_webhook(runtime, store, headers, body)


def process_due(runtime: Runtime) -> None:
    worker = Worker(runtime)
    worker.ensure_circuits()
    for claimed in worker.claim_due():
        worker.process(claimed)


def time_ms(call: Callable[[], object], repeat: int) -> list[float]:
    times_ms = []
    for _ in range(repeat):
        started_s = time.perf_counter()
        call()
        times_ms.append((time.perf_counter() - started_s) * 1000)
    return times_ms


def count_all_rows(database: Database) -> None:
    """Roll up the counters until all attempts are counted."""
    previous = -1
    while (checkpoint := get_checkpoint(database, "tally:attempts")) != previous:
        previous = checkpoint
        roll_up_counters(database)


@click.command()
@click.option("--orders", "count", default=1_000_000, show_default=True, help="Deliveries in the database.")
@click.option("--parked", default=10_000, show_default=True, help="Of these, parked.")
@click.option("--waiting", default=10_000, show_default=True, help="Of these, waiting.")
@click.option("--times", default=20, show_default=True, help="Measurements of each.")
@click.option("--quick", is_flag=True, help="Measure with few deliveries, and store nothing.")
def main(count: int, parked: int, waiting: int, times: int, *, quick: bool) -> None:
    """Measure `/metrics` and a check for alerts in a large database."""
    if quick:
        count, parked, waiting, times = 5_000, 500, 500, 5
    machine = describe_machine()
    with TemporaryDirectory() as folder, SandboxServer() as sandbox:
        directory = Path(folder)
        configuration = write_configuration(directory, destination="rayo", base_url=sandbox.url("rayo"))
        url = f"sqlite:///{directory / 'connector.db'}"
        database = Database(url)
        database.migrate()
        database.close()
        filler = Filler(url=url)
        with open_runtime(load_settings(environ=build_environment(configuration, url)), with_clients=True) as runtime:
            receive_order(runtime, DELIVERED)
            receive_order(runtime, PARKED, removed_text="Roma Norte")
            process_due(runtime)
            receive_order(runtime, WAITING)
        for name, number in (("delivered", DELIVERED), ("parked", PARKED), ("waiting", WAITING)):
            filler.save_seed(name, orders.order_id(number))
        filler.fill("delivered", count - parked - waiting, pruned=True)
        filler.fill("parked", parked)
        filler.fill("waiting", waiting)
        filler.settle()
        settings = load_settings(environ=build_environment(configuration, url))
        one_hour_later = lambda: utc_now() + timedelta(hours=1)  # noqa: E731  # after the overlap in which rows are read again
        with open_runtime(settings, with_clients=True, clock=one_hour_later) as runtime:
            now_s = int(runtime.clock().timestamp())
            # Reconciliation is not measured here.
            runtime.database.transact(lambda transaction: set_checkpoint(transaction, "alerts:reconciled", now_s))
            monitor = AlertMonitor(runtime)
            figures = {
                "first count of all rows": time_ms(lambda: count_all_rows(runtime.database), 1),
                "first alert check, all parked new": time_ms(monitor.check, 1),
                "scrape of /metrics": time_ms(lambda: render_metrics(runtime, ""), times),
                "alert check, nothing new": time_ms(monitor.check, times),
            }
        size_mb = filler.size_mb()
    targets = {"scrape of /metrics": MAX_SCRAPE, "alert check, nothing new": MAX_CHECK}
    rows = [
        (name, format_figure(median(times_ms), targets.get(name)), format_figure(max(times_ms), None))
        for name, times_ms in figures.items()
    ]
    table = print_table("Monitoring a large database, in milliseconds", ["", "median", "maximum"], rows)
    if quick:
        return
    options = {"orders": count, "parked": parked, "waiting": waiting, "times": times, "size_mb": round(size_mb)}
    write_result("monitoring", figures, machine, tables=[table], **options)


if __name__ == "__main__":
    main()
