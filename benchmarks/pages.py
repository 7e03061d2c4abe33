"""How long each page of the dashboard takes with so many deliveries in the table, from request to last byte.

The rows are made by SQL from a few that the connector made, and spread over a month.
"""

# ruff: noqa: S608  # what these statements are made of is our own

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
from benchmarks.processes import connector, free_port, postgres, running, wait_until_ready
from benchmarks.report import Target, console, describe_machine, median, print_table, show, write_result
from benchmarks.stores import environment_of, write_configuration
from connector.sandbox.server import SandboxServer

FAST = Target(value=300, at_most=True, unit=" ms")
TOKEN = "benchmark"  # noqa: S105  # of an invented shop
DAYS = 30
ENGINES = ("sqlite", "postgresql")
PARKED = "/deliveries?state=parked&reason=unmappable"


@dataclass(frozen=True, kw_only=True)
class Measured:
    engine: str
    page: str
    path: str
    median_ms: float
    p95_ms: float
    kb: float


@contextmanager
def service(directory: Path, variables: dict[str, str]) -> Iterator[httpx.Client]:
    """`connector serve` with its forwarder, and who is signed in to its dashboard."""
    port = free_port()
    variables = {**variables, "PORT": str(port), "ADMIN_TOKEN": TOKEN}
    with running(connector("serve"), directory=directory, name="serve", variables=variables) as process:
        wait_until_ready(process, port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120) as client:
            client.post("/login", data={"csrf_token": token_of(client.get("/login")), "password": TOKEN})
            yield client


def token_of(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
    assert found is not None  # noqa: S101
    return found[1]


def post_order(client: httpx.Client, number: int, *, without_district: bool) -> None:
    [body] = orders.bodies("shopify", number, 1, orders.BODY_BYTES)
    if without_district:
        order = json.loads(body)
        order["shipping_address"] |= {"address2": "Depto 4 \u2060"}
        body = orders.encode(order)
    signature = base64.b64encode(hmac.digest(orders.SECRET.encode(), body, "sha256")).decode()
    headers = {"X-Shopify-Topic": "orders/paid", "X-Shopify-Event-Id": f"{number}", "X-Shopify-Hmac-Sha256": signature}
    client.post(f"/webhooks/{orders.STORE}", content=body, headers=headers).raise_for_status()


def fill(directory: Path, url: str, count: int, parked: int) -> dict[str, str]:
    """A database of `count` deliveries, `parked` of them for want of a neighbourhood; the service's environment."""
    with SandboxServer() as sandbox:
        configuration = write_configuration(directory, destination="rayo", base_url=sandbox.url("rayo"))
        variables = dict(environment_of(configuration, url))
        with service(directory, variables) as client:
            for number, is_parked in ((1, False), (2, True)):
                post_order(client, number, without_district=is_parked)
            authorization = {"Authorization": f"Bearer {TOKEN}"}
            give_up_at = time.monotonic() + 60
            while True:
                items = client.get("/api/deliveries", headers=authorization).json()["items"]
                if sorted(item["state"] for item in items) == ["delivered", "parked"]:
                    break
                if time.monotonic() > give_up_at:
                    raise RuntimeError("the first orders did not settle")
                time.sleep(0.1)
    filler = Filler(url=url)
    filler.keep_seed("delivered", orders.order_id(1))
    filler.keep_seed("parked", orders.order_id(2))
    filler.fill("delivered", count // 2)
    filler.fill("parked", parked)
    filler.fill("delivered", count - count // 2 - parked)
    spread(url)
    filler.settle()
    return variables


def spread(url: str) -> None:
    """Let the rows have come one after the other over the last month, and lead each to an id of its own."""
    engine = create_engine(url)
    with engine.begin() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        last = connection.execute(text("SELECT max(id) FROM deliveries")).scalar_one()
        ago = f"({last} - id) * {DAYS * 86_400}.0 / {last}"
        at = f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || ({ago}) || ' seconds')"
        if not is_sqlite:
            at = f"now() - ({ago}) * interval '1 second'"
        own = "remote_id = CASE WHEN remote_id IS NULL THEN NULL ELSE 'R-' || CAST(id AS TEXT) END"
        for statement in (
            f"UPDATE events SET received_at = {at}, version = {at}",
            f"UPDATE deliveries SET created_at = {at}, updated_at = {at}, {own}",
            f"UPDATE attempts SET started_at = {at}",
        ):
            connection.execute(text(statement))
    engine.dispose()


def pages_of(count: int) -> dict[str, str]:
    middle = count // 2
    return {
        "Overview": "/",
        "Overview, a day two weeks ago": f"/?day={time.strftime('%Y-%m-%d', time.gmtime(time.time() - 14 * 86_400))}",
        "Deliveries": "/deliveries",
        "Deliveries, live": f"/deliveries?top={count}",
        "Deliveries, half way back": f"/deliveries?before={middle}",
        "Parked": PARKED,
        "Parked, one cause": f"{PARKED}&problem=Shipping+address+>+neighbourhood+is+missing.",
        "Delivered, half way back": f"/deliveries?state=delivered&before={middle}",
        "One account": "/deliveries?account=bodega",
        "An account that has none": "/deliveries?account=none",
        "Three days of a store": f"/deliveries?store={orders.STORE}&since=2026-01-01",
        "By order number": f"/deliveries?q=%23{middle}",
        "By id there": f"/deliveries?q=R-{middle}",
        "By nothing there is": "/deliveries?q=nothing",
        "One delivery": f"/deliveries/{middle}",
        "One delivery, parked": f"/deliveries/{middle + 1_100}",
        "Events": "/events",
        "Ignored events": "/events?status=ignored",
        "Events of an order": f"/events?order=%23{middle}",
        "One event": f"/events/{middle}",
        "Accounts": "/accounts",
        "Audit trail": "/audit",
        "Settings": "/settings",
    }


def measure(engine: str, directory: Path, variables: dict[str, str], count: int, times: int) -> list[Measured]:
    measured = []
    with service(directory, variables) as client:
        token = html.unescape(token_of(client.get("/deliveries")))
        for name, path in {**pages_of(count), "By e-mail": "/deliveries/search"}.items():
            taken_ms: list[float] = []
            size = 0
            for _ in range(times + 1):
                begun = time.perf_counter()
                answer = ask(client, name, path, token)
                taken_ms.append((time.perf_counter() - begun) * 1000)
                size = len(answer.content)
                if answer.status_code != 200:
                    raise RuntimeError(f"{path} answered {answer.status_code}")
            taken_ms = sorted(taken_ms[1:])  # the first finds no page in memory
            p95 = taken_ms[min(len(taken_ms) - 1, round(0.95 * len(taken_ms)))]
            measured.append(
                Measured(engine=engine, page=name, path=path, median_ms=median(taken_ms), p95_ms=p95, kb=size / 1000)
            )
    return measured


def ask(client: httpx.Client, name: str, path: str, token: str) -> httpx.Response:
    if name == "By e-mail":
        return client.post(path, data={"csrf_token": token, "q": "nobody@example.mx"})
    return client.get(path)


@click.command()
@click.option("--deliveries", default=1_000_000, show_default=True)
@click.option("--parked", default=5_000, show_default=True)
@click.option("--times", default=20, show_default=True, help="How often each page is asked for.")
@click.option("--engine", "engines", type=click.Choice(ENGINES), multiple=True, default=ENGINES)
@click.option("--quick", is_flag=True, help="Few of everything: to see that it runs.")
def main(deliveries: int, parked: int, times: int, engines: tuple[str, ...], quick: bool) -> None:
    if quick:
        deliveries, parked, times = 20_000, 500, 5
    figures: list[Measured] = []
    tables: list[dict[str, Any]] = []
    for engine in engines:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="connector-pages-")))
            url = f"sqlite:///{directory / 'connector.db'}"
            if engine == "postgresql":
                url = stack.enter_context(postgres(directory))
            variables = fill(directory, url, deliveries, parked)
            measured = measure(engine, directory, variables, deliveries, times)
        figures += measured
        rows = [
            (
                one.page,
                show(one.median_ms, FAST, digits=0),
                show(one.p95_ms, None, digits=0),
                show(one.kb, None, digits=0),
            )
            for one in measured
        ]
        title = f"Pages with {deliveries:,} deliveries, {engine}"
        tables.append(print_table(title, ["page", "median", "p95, ms", "kB"], rows))
    if not quick:
        write_result(
            "pages",
            [asdict(one) for one in figures],
            describe_machine(),
            tables=tables,
            deliveries=deliveries,
            parked=parked,
            times=times,
        )
    slow = [one.page for one in figures if not FAST.is_met_by(one.median_ms)]
    console.print(f"[red]Slower than {FAST.value:g} ms: {', '.join(slow)}[/]" if slow else "[green]All are fast.[/]")


if __name__ == "__main__":
    main()
