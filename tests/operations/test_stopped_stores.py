"""A store whose app was uninstalled or suspended: its API is not called, nothing is lost, and it can be resumed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.catch_up.reading import read_changes
from connector.catch_up.schedule import CatchUp
from connector.core.messages import render_code
from connector.operations.doctor import check_stopped_stores
from connector.operations.webhooks import list_webhooks, sync_webhooks
from connector.runtime import open_store_api
from connector.sandbox.server import SandboxServer
from connector.worker.webhook_checks import WebhookChecks
from tests.support.commands import Command
from tests.support.notices import NOTICE_CONFIGURATION, post_notice
from tests.support.orders import shopify_order
from tests.support.service import Service
from tests.support.thin_webhooks import post_thin_webhook, store_order

UNINSTALLED = render_code("app_uninstalled")


@pytest.fixture
def shops(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    text = 'public_url = "https://connector.example"\n' + NOTICE_CONFIGURATION
    service = open_service(text=text.replace("NUBE", sandbox.url("tiendanube")))
    store_order(service)
    return service


def requests(service: Service) -> int:
    return len(service.sandbox.requests("tiendanube"))


@pytest.mark.parametrize("topic", ["app-uninstalled", "app-suspended", "store-redact"])
def test_order_that_must_be_fetched_is_held_and_sent_once_the_store_is_resumed(shops: Service, topic: str) -> None:
    post_thin_webhook(shops)
    post_notice(shops, "nube", topic)
    shops.drain()
    delivery = shops.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["attempts"]) == ("parked", "held", 0)
    code = "app_suspended" if topic == "app-suspended" else "app_uninstalled"
    assert delivery["problems"] == [render_code(code)]
    assert requests(shops) == 0
    assert shops.api("/stores/nube/resume", json={"note": "installed again"}).json["stopped"] is None
    shops.drain()
    assert shops.only_delivery()["state"] == "delivered"
    assert len(shops.sandbox.orders("rayo")) == 1


def test_order_is_sent_when_the_platform_ends_the_suspension(shops: Service) -> None:
    post_notice(shops, "nube", "app-suspended")
    post_thin_webhook(shops)
    shops.drain()
    post_notice(shops, "nube", "app-resumed")
    shops.drain()
    assert shops.only_delivery()["state"] == "delivered"


def test_order_that_is_held_for_another_reason_stays_held(shops: Service) -> None:
    post_thin_webhook(shops)
    post_thin_webhook(shops, "order/cancelled")
    post_notice(shops, "nube", "app-uninstalled")
    shops.drain()
    before = shops.only_delivery()
    shops.api("/stores/nube/resume", json={})
    assert shops.only_delivery() == before


def test_order_that_needs_no_fetch_is_sent(shops: Service) -> None:
    post_notice(shops, "tienda-mx", "app-uninstalled")
    shops.post_shopify(shopify_order(order_status_url=None), **{"X-Shopify-Shop-Domain": "vela-norte.myshopify.com"})
    shops.drain()
    assert shops.only_delivery()["state"] == "delivered"


def test_nothing_calls_the_api_of_a_stopped_store(shops: Service) -> None:
    runtime = shops.runtime
    store = runtime.settings.stores["nube"]
    post_notice(shops, "nube", "app-uninstalled")
    assert CatchUp(lambda: runtime, "test", lambda: False).due_stores() == []
    assert read_changes(runtime, store).error is not None
    assert list_webhooks(runtime, store).error is not None
    assert sync_webhooks(runtime, store, actor="ana").error is not None
    WebhookChecks(runtime).run()
    with open_store_api(runtime, store) as api:
        assert api is not None
        assert api.request("GET", "/4410733/orders/9001", timeout_s=2).was_sent is False
    for action in ("catch-up", "webhooks/sync"):
        response = shops.api(f"/stores/nube/{action}", json={})
        assert (response.status_code, response.json["detail"]) == (409, UNINSTALLED)
    assert requests(shops) == 0


def test_catch_up_reads_the_store_again_once_it_is_resumed(shops: Service) -> None:
    post_notice(shops, "nube", "app-suspended")
    post_notice(shops, "nube", "app-resumed")
    catch_up = CatchUp(lambda: shops.runtime, "test", lambda: False)
    assert [store.name for store, _ in catch_up.due_stores()] == ["nube"]


def test_store_says_that_it_is_stopped(shops: Service) -> None:
    assert shops.api("/stores/nube").json["stopped"] is None
    post_notice(shops, "nube", "app-uninstalled")
    assert shops.api("/stores/nube").json["stopped"]["reason"] == UNINSTALLED
    [result] = check_stopped_stores(shops.runtime.settings, shops.database, shops.runtime.clock())
    assert (result.subject, result.remedy) == ("store nube", "connector resume-store nube, when the app is back")


def test_store_is_resumed_on_the_command_line(shops: Service, tmp_path: Path, environ: dict[str, str]) -> None:
    run = Command(configuration=tmp_path / "connector.toml", environ=environ)
    post_notice(shops, "nube", "app-uninstalled")
    assert run("resume-store", "nube", "--note", "installed again") == (0, "Store nube is resumed.\n")
    assert run("resume-store", "nube") == (0, "Store nube was not stopped.\n")
    assert shops.api("/stores/nube").json["stopped"] is None
