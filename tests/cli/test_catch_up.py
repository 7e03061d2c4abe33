"""`connector catch-up` and `connector reconcile --storefront`, with shops of all three platforms in the sandbox."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.catch_up import listing
from connector.cli import catch_up
from connector.database.coordination import acquire_lock
from connector.runtime import utc_now
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from tests.support.commands import Command
from tests.support.listing import minutes_ago
from tests.support.sandbox_shops import STORES, put_order, shops_configuration
from tests.support.service import Service
from tests.support.thin_webhooks import post_thin_webhook


@pytest.fixture
def service(open_service: Callable[..., Service], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(listing, "FIRST_PAUSE_S", 0.01)
    for storefront in STOREFRONTS.values():
        monkeypatch.setattr(type(storefront.order_listing), "requests_per_s", 100.0)
    return open_service(text=shops_configuration(utc_now, sandbox.url()))


@pytest.fixture
def run(service: Service, tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def run_json(run: Command, *arguments: str) -> tuple[int, list[Any]]:
    status, printed = run(*arguments, "--json")
    return status, [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def missing_by_store(results: list[Any]) -> dict[str, list[str]]:
    return {result["store"]: [order["order_id"] for order in result["missing"]] for result in results}


def test_orders_without_webhooks_are_delivered_once(service: Service, run: Command) -> None:
    orders = {store: [put_order(service, store, number) for number in (1, 2)] for store in STORES}
    service.post_shopify(orders["tienda-mx"][0])
    service.post_woo(orders["tienda-ar"][0])
    post_thin_webhook(service, order_id=1)
    missing = {store: [str(orders[store][1]["id"])] for store in STORES}
    status, results = run_json(run, "catch-up", "--dry-run")
    assert (status, missing_by_store(results)) == (1, missing)
    assert run("reconcile", "--storefront")[0] == 1
    status, results = run_json(run, "catch-up")
    assert (status, missing_by_store(results)) == (0, missing)
    assert [result["orders"] for result in results] == [2, 2, 2]
    service.drain()
    assert [len(service.sandbox.orders(name)) for name in ("rayo", "lapyme")] == [4, 2]
    status, results = run_json(run, "catch-up", "--dry-run")
    assert (status, missing_by_store(results)) == (0, {store: [] for store in STORES})
    status, printed = run("reconcile", "--storefront")
    assert (status, printed.splitlines()[-1]) == (0, "Every paid order is accounted for.")
    assert run("reconcile")[0] == 0
    assert {event["source"] for event in service.api("/events").json["items"]} == {"webhook", "catch-up"}


def test_missing_orders_are_listed_without_personal_data(service: Service, run: Command) -> None:
    order = put_order(service, "tienda-ar", 727)
    status, printed = run("catch-up", "--store", "tienda-ar", "--dry-run")
    assert status == 1
    assert [line.split() for line in printed.splitlines()] == [
        ["tienda-ar:", "1", "orders", "read,", "1", "are", "missing."],
        ["store", "order_id", "number", "updated_at"],
        ["tienda-ar", "727", "727", f"{order['date_modified_gmt']}Z"],
    ]
    status, printed = run("catch-up", "--store", "tienda-ar")
    assert (status, printed.splitlines()[0]) == (0, "tienda-ar: 1 orders read, 1 were missing, and are taken in.")


def test_since_reads_from_there(service: Service, run: Command) -> None:
    put_order(service, "tienda-mx", 1, minutes=180)
    assert run("catch-up")[0] == 0
    put_order(service, "tienda-mx", 2, minutes=170)
    assert missing_by_store(run_json(run, "catch-up", "--store", "tienda-mx")[1]) == {"tienda-mx": []}
    since = f"{minutes_ago(service, 175)}+0000"
    status, results = run_json(run, "catch-up", "--store", "tienda-mx", "--since", since)
    assert (status, missing_by_store(results)) == (0, {"tienda-mx": ["5500000000002"]})


@pytest.mark.parametrize(("storefront", "store"), [("shopify", "tienda-mx"), ("tiendanube", "nube")])
def test_store_that_cannot_be_read_is_named_and_the_others_are_read(
    service: Service, run: Command, storefront: str, store: str
) -> None:
    for name in STORES:
        put_order(service, name, 1)
    service.sandbox.inject_fault(storefront, "status", status=401, times=None)
    status, results = run_json(run, "catch-up")
    assert status == 1
    by_store = {result["store"]: result for result in results}
    assert (by_store[store]["error"], by_store[store]["complete"]) == ("credentials rejected", False)
    assert [name for name in STORES if by_store[name]["complete"]] == [name for name in STORES if name != store]
    service.sandbox.clear_faults()
    status, results = run_json(run, "catch-up")
    assert (status, sum(len(result["missing"]) for result in results)) == (0, 1)


def test_store_that_answers_429_is_asked_again(service: Service, run: Command) -> None:
    put_order(service, "tienda-ar", 1)
    service.sandbox.inject_fault("woocommerce", "status", status=429, retry_after_s=1)
    status, results = run_json(run, "catch-up", "--store", "tienda-ar")
    assert (status, missing_by_store(results)) == (0, {"tienda-ar": ["1"]})


def test_empty_shops_are_read(service: Service, run: Command) -> None:
    status, results = run_json(run, "catch-up")
    assert (status, [result["orders"] for result in results]) == (0, [0, 0, 0])


def test_store_that_another_process_reads_is_waited_for(
    service: Service, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "WAIT_S", 0.3)
    acquire_lock(service.database, "catch-up:tienda-ar", "other-machine:1:2:3", lease_s=300)
    status, printed = run("catch-up", "--store", "tienda-ar")
    assert status == 1
    assert "tienda-ar: another process is reading it; waiting" in printed
    assert "not read completely: another process is reading the store's orders" in printed
    assert run("catch-up", "--store", "tienda-ar", "--dry-run")[0] == 0


@pytest.mark.sqlite
def test_store_without_access_to_its_api_is_skipped(
    open_service: Callable[..., Service], tmp_path: Path, environ: dict[str, str], engine: str
) -> None:
    open_service()
    run = Command(configuration=tmp_path / "connector.toml", environ=environ)
    status, printed = run("catch-up")
    assert status == 1
    assert printed.splitlines()[-1] == "No orders can be read: set `api_url` and the credentials of a store."
    status, printed = run("reconcile", "--storefront", "--store", "tienda-mx")
    assert (status, "tienda-mx: skipped" in printed) == (1, True)
    assert run("catch-up", "--store", "nobody")[0] == 2


# connector reconcile --storefront


def test_each_outcome_of_a_paid_order_accounts_for_it(service: Service, run: Command) -> None:
    delivered, parked, waiting, old, lost = (put_order(service, "tienda-ar", number) for number in (1, 2, 3, 4, 5))
    service.post_woo(delivered)
    service.post_woo(parked | {"line_items": "nothing"})
    service.drain()
    service.post_woo(old | {"date_paid_gmt": "2026-10-01T00:00:00"})
    service.drain()
    service.post_woo(waiting)
    put_order(service, "tienda-ar", 6, status="pending")
    put_order(service, "tienda-ar", 7, status="cancelled")
    status, [data] = run_json(run, "reconcile", "--storefront", "--store", "tienda-ar")
    assert status == 1
    assert data == {
        "stores": [
            {
                "store": "tienda-ar",
                "paid_orders": 5,
                "waiting": 1,
                "sending": 0,
                "delivered": 1,
                "parked": 1,
                "discarded": 1,
                "cancelled": 0,
                "missing": 1,
            }
        ],
        "differences": [
            {
                "store": "tienda-ar",
                "order_id": str(lost["id"]),
                "number": "5",
                "updated_at": f"{lost['date_modified_gmt']}Z",
                "account": "erp",
                "what": "paid at the store, and not on record",
            }
        ],
        "errors": [],
    }
    assert run("catch-up", "--store", "tienda-ar")[0] == 0
    assert run("reconcile", "--storefront", "--store", "tienda-ar")[0] == 0


def test_comparison_is_of_the_orders_that_were_paid_in_the_period(service: Service, run: Command) -> None:
    put_order(service, "tienda-ar", 1, date_paid_gmt="2026-11-10T12:00:00")
    put_order(service, "tienda-ar", 2, date_paid_gmt="2026-11-11T12:00:00")
    put_order(service, "tienda-ar", 3, date_paid_gmt="2026-11-12T12:00:00")
    period = ("--since", "2026-11-11", "--until", "2026-11-12")
    _, [data] = run_json(run, "reconcile", "--storefront", "--store", "tienda-ar", *period)
    assert [difference["order_id"] for difference in data["differences"]] == ["2"]


def test_order_that_the_store_cancelled_is_accounted_for(service: Service, run: Command) -> None:
    put_order(service, "tienda-mx", 1, cancelled_at=f"{minutes_ago(service, 10)}Z")
    status, [data] = run_json(run, "reconcile", "--storefront", "--store", "tienda-mx")
    assert (status, data["stores"][0]["cancelled"], data["differences"]) == (0, 1, [])


def test_order_that_came_before_its_route_is_a_difference(service: Service, run: Command, tmp_path: Path) -> None:
    service.post_woo(put_order(service, "tienda-ar", 1))
    path = tmp_path / "connector.toml"
    account = '\n[accounts.hub]\ndestination = "rayo"\napi_key = "k"\nbase_url = "https://rayo.example"\n'
    route = '\n[[routes]]\nfrom = "tienda-ar"\nto = ["hub"]\n'
    path.write_text(path.read_text("utf-8") + account + route, "utf-8")
    status, [data] = run_json(run, "reconcile", "--storefront", "--store", "tienda-ar")
    assert status == 1
    assert [(difference["account"], difference["what"]) for difference in data["differences"]] == [
        ("hub", "paid at the store and on record, but the account has no delivery of it")
    ]


def test_store_that_cannot_be_compared_is_an_error(service: Service, run: Command) -> None:
    service.sandbox.inject_fault("woocommerce", "status", status=403, times=None)
    status, printed = run("reconcile", "--storefront", "--store", "tienda-ar")
    assert status == 1
    assert printed.splitlines()[-1] == "tienda-ar: its orders could not be read: credentials rejected"
