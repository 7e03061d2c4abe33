"""The running worker: shutdown and leases."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from connector.clients.http import Client
from connector.sandbox.server import SandboxServer
from connector.worker.worker import READY_PER_SLOT
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post_thin_webhook, tiendanube_order


def is_claimed(service: Service) -> bool:
    with service.database.read() as session:
        return session.connection().exec_driver_sql("SELECT claimed_by FROM deliveries").scalar_one() is not None


def test_fetch_interrupted_by_shutdown_releases_the_claim(
    open_service: Callable[..., Service], sandbox: SandboxServer
) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    service.sandbox.put_order("tiendanube", 4410733, tiendanube_order())
    service.sandbox.inject_fault("tiendanube", "latency", latency_s=0.5, match="/orders/9001")
    post_thin_webhook(service)
    worker = service.worker()
    running = threading.Thread(target=worker.run)
    running.start()
    while not is_claimed(service):
        time.sleep(0.01)
    worker.stop()
    running.join()
    assert service.sandbox.orders("rayo") == []
    assert service.deliver_due() == 1
    assert len(service.sandbox.orders("rayo")) == 1


def test_expired_lease_of_a_running_thread_is_not_claimed_again(service: Service) -> None:
    service.post_shopify(shopify_order())
    worker = service.worker()
    [claimed] = worker.claim_due()
    worker.in_flight.add(claimed, Future())  # as `start` does
    service.clock.forward(61)
    assert worker.claim_due() == []
    worker.recover()
    worker.process(claimed)  # the thread continues under the renewed lease
    assert len(service.sandbox.orders("rayo")) == 1


@pytest.mark.parametrize(("processes", "share"), [("1", 4), ("2", 2), ("3", 2), ("8", 1)])
def test_workers_of_a_service_divide_the_limit_of_an_account(
    open_service: Callable[..., Service], environ: dict[str, str], processes: str, share: int
) -> None:
    environ["WORKER_PROCESSES"] = processes
    service = open_service()
    for number in range(5):
        service.post_shopify(shopify_order(number))
    assert len(service.worker().claim_due()) == share
    assert len([claim for _ in range(4) for claim in service.worker().claim_due()]) == 4 - share


RETIRED = """
retired = ["erp"]

[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]
since = "2026-01-01T00:00:00Z"

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-01-01T00:00:00Z"

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"

[[routes]]
from = "tienda-mx"
to = ["bodega"]
"""


def test_open_deliveries_of_a_retired_account_are_parked(
    open_service: Callable[..., Service],
) -> None:
    before = open_service()
    before.sandbox.inject_fault("lapyme", "process_then_drop")
    before.post_woo(woo_order(1))
    before.deliver_due()
    before.post_woo(woo_order(2))
    after = open_service(text=RETIRED)
    after.clock.forward(60)
    after.drain()
    outcomes = [(delivery["state"], delivery["reason"], delivery["problems"]) for delivery in after.deliveries()]
    problems = ["Its account is no longer configured."]
    assert outcomes == [("parked", "uncertain", problems), ("parked", "unmappable", problems)]


def test_connections_are_opened_for_what_is_claimed_and_what_follows(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    monkeypatch.setattr(Client, "open_ahead", lambda _, count: opened.append(count))
    for number in range(6):
        service.post_shopify(shopify_order(number))
    worker = service.worker()
    concurrency = service.runtime.settings.accounts[worker.claim_due()[0].delivery.account].concurrency
    assert concurrency < 6
    assert opened == [concurrency + READY_PER_SLOT * concurrency]
