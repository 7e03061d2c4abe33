"""Measures how long each page of the dashboard takes with many deliveries, from the request to the last byte.

The rows are copied by SQL from those of two orders that the connector received, and spread over a month.
"""

# ruff: noqa: S608  # the parts of these statements are constants and numbers

import base64
import hmac
import html
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import httpx
from sqlalchemy import create_engine, text

from benchmarks import orders
from benchmarks.filling import Filler
from benchmarks.processes import connector_command, find_free_port, run_postgres, run_process, wait_until_ready
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from benchmarks.stores import build_environment, write_configuration
from connector.sandbox.server import SandboxServer

MAX_TIME = Target(value=300, at_most=True, unit=" ms")
TOKEN = 4 * "benchmark"  # of an invented shop
DAYS = 30
ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True, kw_only=True)
class PageTiming:
    engine: str
    page: str
    path: str
    median_ms: float
    p95_ms: float
    kb: float


@contextmanager
def run_service(directory: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """Run `connector serve`, with its worker. Yields a client that is signed in to the dashboard."""
    port = find_free_port()
    environment = {**environment, "PORT": str(port), "ADMIN_TOKEN": TOKEN}
    with run_process(connector_command("serve"), directory=directory, name="serve", environment=environment) as process:
        wait_until_ready(process, port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120) as client:
            client.post("/login", data={"csrf_token": read_csrf_token(client.get("/login")), "password": TOKEN})
            yield client


def read_csrf_token(response: httpx.Response) -> str:
    match = re.search(r'name="csrf_token" value="([^"]+)"', response.text)
    if match is None:
        raise RuntimeError("the page has no CSRF token")
    return match[1]


def post_order(client: httpx.Client, number: int, *, without_district: bool) -> None:
    [body] = orders.build_bodies("shopify", number, 1, orders.BODY_BYTES)
    if without_district:
        order = json.loads(body)
        order["shipping_address"] |= {"address2": "Depto 4 \u2060"}
        body = orders.encode(order)
    signature = base64.b64encode(hmac.digest(orders.SECRET.encode(), body, "sha256")).decode()
    headers = {"X-Shopify-Topic": "orders/paid", "X-Shopify-Event-Id": f"{number}", "X-Shopify-Hmac-Sha256": signature}
    client.post(f"/webhooks/{orders.STORE}", content=body, headers=headers).raise_for_status()


def fill(directory: Path, url: str, count: int, parked: int) -> dict[str, str]:
    """Fill a database with `count` deliveries, of which `parked` lack a neighbourhood.

    Returns the environment of the service.
    """
    with SandboxServer() as sandbox:
        configuration = write_configuration(directory, destination="rayo", base_url=sandbox.url("rayo"))
        environment = dict(build_environment(configuration, url))
        with run_service(directory, environment) as client:
            for number, is_parked in ((1, False), (2, True)):
                post_order(client, number, without_district=is_parked)
            authorization = {"Authorization": f"Bearer {TOKEN}"}
            give_up_at = time.monotonic() + 60
            while True:
                items = client.get("/api/deliveries", headers=authorization).json()["items"]
                if sorted(item["state"] for item in items) == ["delivered", "parked"]:
                    break
                if time.monotonic() > give_up_at:
                    raise RuntimeError("the first orders were not delivered and parked")
                time.sleep(0.1)
    filler = Filler(url=url)
    filler.save_seed("delivered", orders.order_id(1))
    filler.save_seed("parked", orders.order_id(2))
    filler.fill("delivered", count // 2)
    filler.fill("parked", parked)
    filler.fill("delivered", count - count // 2 - parked)
    spread(url)
    filler.settle()
    return environment


def spread(url: str) -> None:
    """Distribute the rows over the last month, and give each delivery a different id at the destination."""
    engine = create_engine(url)
    with engine.begin() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        last = connection.execute(text("SELECT max(id) FROM deliveries")).scalar_one()
        age_s = f"({last} - id) * {DAYS * 86_400}.0 / {last}"
        at = f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || ({age_s}) || ' seconds')"
        if not is_sqlite:
            at = f"now() - ({age_s}) * interval '1 second'"
        remote_id = "remote_id = CASE WHEN remote_id IS NULL THEN NULL ELSE 'R-' || CAST(id AS TEXT) END"
        for statement in (
            f"UPDATE events SET received_at = {at}, source_updated_at = {at}",
            f"UPDATE deliveries SET created_at = {at}, updated_at = {at}, {remote_id}",
            f"UPDATE attempts SET started_at = {at}",
        ):
            connection.execute(text(statement))
    engine.dispose()


def list_pages(count: int, problem_page: str) -> dict[str, str]:
    """Return the path of each page, by name."""
    middle = count // 2
    return {
        "Overview": "/",
        "Overview, a day two weeks ago": f"/?day={time.strftime('%Y-%m-%d', time.gmtime(time.time() - 14 * 86_400))}",
        "Deliveries": "/deliveries",
        "Deliveries, live": f"/deliveries?top={count}",
        "Deliveries, halfway back": f"/deliveries?before={middle}",
        "Parked": "/deliveries?state=parked&reason=unmappable",
        "Parked, one cause": problem_page,
        "Delivered, halfway back": f"/deliveries?state=delivered&before={middle}",
        "One account": "/deliveries?account=bodega",
        "An account without deliveries": "/deliveries?account=none",
        "One store since a date": f"/deliveries?store={orders.STORE}&since=2026-01-01",
        "By order number": f"/deliveries?q=%23{middle}",
        "By destination id": f"/deliveries?q=R-{middle}",
        "No match": "/deliveries?q=nothing",
        "One delivery": f"/deliveries/{middle}",
        "One delivery, parked": f"/deliveries/{middle + 1_100}",
        "Events": "/events",
        "Ignored events": "/events?status=ignored",
        "Events of an order": f"/events?order=%23{middle}",
        "One event": f"/events/{middle}",
        "Caught-up events": "/events?source=catch-up",
        "Accounts": "/accounts",
        "Stores": "/stores",
        "One store": f"/stores/{orders.STORE}",
        "Audit trail": "/audit",
        "Settings": "/settings",
    }


def find_problem_page(client: httpx.Client) -> str:
    """Return the overview's link to the deliveries that are parked with one problem."""
    match = re.search(r'href="(/deliveries\?[^"]*problem=[^"]*)"', client.get("/").text)
    if match is None:
        raise RuntimeError("the overview links to no problem")
    return html.unescape(match[1])


def measure(engine: str, directory: Path, environment: dict[str, str], count: int, times: int) -> list[PageTiming]:
    timings = []
    with run_service(directory, environment) as client:
        token = html.unescape(read_csrf_token(client.get("/deliveries")))
        pages = {**list_pages(count, find_problem_page(client)), "By e-mail": "/deliveries/search"}
        for name, path in pages.items():
            times_ms: list[float] = []
            size = 0
            for _ in range(times + 1):
                started_s = time.perf_counter()
                response = request_page(client, name, path, token)
                times_ms.append((time.perf_counter() - started_s) * 1000)
                size = len(response.content)
                if response.status_code != 200:
                    raise RuntimeError(f"{path}: status {response.status_code}")
            times_ms = sorted(times_ms[1:])  # the first one warms the caches
            p95 = times_ms[min(len(times_ms) - 1, round(0.95 * len(times_ms)))]
            timings.append(
                PageTiming(engine=engine, page=name, path=path, median_ms=median(times_ms), p95_ms=p95, kb=size / 1000)
            )
    return timings


def request_page(client: httpx.Client, name: str, path: str, token: str) -> httpx.Response:
    if name == "By e-mail":
        return client.post(path, data={"csrf_token": token, "q": "nobody@example.mx"})
    return client.get(path)


@click.command()
@click.option("--deliveries", default=1_000_000, show_default=True)
@click.option("--parked", default=5_000, show_default=True)
@click.option("--times", default=20, show_default=True, help="Requests per page.")
@click.option("--engine", "engines", type=click.Choice(ENGINES), multiple=True, default=ENGINES)
@click.option("--quick", is_flag=True, help="Measure with few deliveries, and store nothing.")
def main(deliveries: int, parked: int, times: int, engines: tuple[str, ...], quick: bool) -> None:
    """Measure how long each page of the dashboard takes."""
    if quick:
        deliveries, parked, times = 20_000, 500, 5
    figures: list[PageTiming] = []
    tables: list[dict[str, Any]] = []
    for engine in engines:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="connector-pages-")))
            url = f"sqlite:///{directory / 'connector.db'}"
            if engine == "postgresql":
                url = stack.enter_context(run_postgres(directory))
            environment = fill(directory, url, deliveries, parked)
            timings = measure(engine, directory, environment, deliveries, times)
        figures += timings
        rows = [
            (
                timing.page,
                format_figure(timing.median_ms, MAX_TIME, digits=0),
                format_figure(timing.p95_ms, None, digits=0),
                format_figure(timing.kb, None, digits=0),
            )
            for timing in timings
        ]
        title = f"Pages with {deliveries:,} deliveries, {engine}"
        tables.append(print_table(title, ["page", "median", "p95, ms", "kB"], rows))
    if not quick:
        write_result(
            "pages",
            [asdict(timing) for timing in figures],
            describe_machine(),
            tables=tables,
            deliveries=deliveries,
            parked=parked,
            times=times,
        )
    slow = [timing.page for timing in figures if not MAX_TIME.is_met_by(timing.median_ms)]
    console.print(
        f"[red]Slower than {MAX_TIME.value:g} ms: {', '.join(slow)}[/]"
        if slow
        else f"[green]No page is slower than {MAX_TIME.value:g} ms.[/]"
    )


if __name__ == "__main__":
    main()
