"""When the worker looks at the stores' webhooks, and what it does with what it sees."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import update

from connector.database.models import StoreReading
from connector.database.store_requests import request_catch_up, request_webhook_sync
from connector.database.store_status import load_webhook_checks
from connector.sandbox.server import SandboxServer
from connector.worker import webhook_checks
from connector.worker.webhook_checks import WebhookChecks
from tests.support.service import Service
from tests.support.webhook_shops import configuration, free_url, serve

pytestmark = pytest.mark.sqlite
STORE = "tienda-ar"


class Time:
    """`monotonic` of the checks."""

    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(webhook_checks, "monotonic", time)
    return time


@pytest.fixture
def service(open_service: Callable[..., Service], sandbox: SandboxServer) -> Iterator[Service]:
    """A service that listens at its `public_url`, whose WooCommerce store has one webhook, which is disabled."""
    service = open_service(text=configuration(sandbox.url(), free_url()))
    url = f"{service.runtime.settings.public_url}/webhooks/{STORE}"
    sandbox.webhooks.add("woocommerce", "", topic="order.updated", url=url, status="disabled", failures=6)
    with serve(service.runtime):
        yield service


def advance(service: Service, time: Time, seconds: float) -> None:
    time.seconds += seconds
    service.clock.forward(seconds)


def topics(service: Service) -> list[str]:
    return sorted(item.topic for item in service.sandbox.webhooks.find_all("woocommerce") if item.status == "active")


def requests(service: Service) -> int:
    return sum("/webhooks" in request.path for request in service.sandbox.requests("woocommerce"))


def test_disabled_webhook_is_repaired_soon_after_a_start(service: Service, time: Time) -> None:
    checks = WebhookChecks(service.runtime)
    checks.run()
    assert requests(service) == 0
    advance(service, time, 10)
    checks.run()
    assert topics(service) == ["order.updated"]


def test_checks_are_repeated_sooner_after_a_problem(service: Service, time: Time) -> None:
    checks = WebhookChecks(service.runtime)
    advance(service, time, 10)
    checks.run()  # three are missing
    counts = []
    for seconds in (19, 1, 39, 1):
        before = requests(service)
        advance(service, time, seconds)
        checks.run()
        counts.append(requests(service) - before)
    assert [count > 0 for count in counts] == [False, True, False, True]


def test_checks_are_rare_while_all_is_well(service: Service, time: Time) -> None:
    request_webhook_sync(service.database, STORE, actor="ana", note=None)
    checks = WebhookChecks(service.runtime)
    checks.run()
    before = requests(service)
    for seconds in (11, 1_000, 2_500):
        advance(service, time, seconds)
        checks.run()
    assert requests(service) == before
    advance(service, time, 100)
    checks.run()
    assert requests(service) > before


def test_request_of_a_person_is_carried_out_at_once_and_once(service: Service, time: Time) -> None:
    request_webhook_sync(service.database, STORE, actor="ana", note=None)
    checks = WebhookChecks(service.runtime)
    checks.run()
    assert topics(service) == ["order.created", "order.deleted", "order.restored", "order.updated"]
    row = load_webhook_checks(service.database)[STORE]
    assert (row.requested_at, row.problems) == (None, [])
    before = requests(service)
    checks.run()
    assert requests(service) == before


def test_second_worker_skips_what_the_first_has_just_checked(service: Service, time: Time) -> None:
    first, second = WebhookChecks(service.runtime), WebhookChecks(service.runtime)
    advance(service, time, 10)
    first.run()
    before = requests(service)
    second.run()
    assert requests(service) == before


def test_store_without_an_api_or_public_url_is_not_checked(open_service: Callable[..., Service]) -> None:
    assert WebhookChecks(open_service().runtime).stores == []


def test_order_that_no_webhook_brought_is_a_reason_to_check(service: Service, time: Time) -> None:
    request_webhook_sync(service.database, STORE, actor="ana", note=None)
    request_catch_up(service.database, STORE, read_from=service.clock(), actor="ana", note=None)
    checks = WebhookChecks(service.runtime)
    checks.run()
    [webhook] = [item for item in service.sandbox.webhooks.find_all("woocommerce") if item.topic == "order.updated"]
    webhook.status = "disabled"
    advance(service, time, 600)
    checks.run()
    assert "order.updated" not in topics(service)
    count_missing_order(service)
    checks.run()
    assert "order.updated" in topics(service)
    before = requests(service)
    checks.run()
    assert requests(service) == before


def count_missing_order(service: Service) -> None:
    """Do what catch-up does when it has taken in an order that no webhook had brought."""
    statement = update(StoreReading).values(orders_missing=StoreReading.orders_missing + 1)
    service.database.transact(lambda transaction: transaction.execute(statement))


def test_shopifys_webhooks_come_back_after_it_removed_them(service: Service, time: Time) -> None:
    """After eight failures in a row it removes a webhook, and nothing is left to be repaired."""
    request_webhook_sync(service.database, "tienda-mx", actor="ana", note=None)
    checks = WebhookChecks(service.runtime)
    checks.run()
    for webhook in service.sandbox.webhooks.find_all("shopify"):
        service.sandbox.webhooks.remove(webhook)
    restarted = WebhookChecks(service.runtime)
    advance(service, time, 60)
    restarted.run()
    assert len(service.sandbox.webhooks.find_all("shopify")) == 4
