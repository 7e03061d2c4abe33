"""The webhooks of the fake storefronts: managed as strictly as the platforms do, and sent when an order changes."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connector.core.signatures import sign
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from mappings.storefronts.shopify.webhook_api import CREATE_WEBHOOK
from tests.support.orders import shopify_order, woo_order
from tests.support.receivers import Receiver, run_receiver
from tests.support.thin_webhooks import tiendanube_order

KEY = ("ck_clave", "cs_secreto")
DEAD_ADDRESS = "http://127.0.0.1:9/webhooks/tienda"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as receiver:
        yield receiver


@pytest.fixture
def woo(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    url = sandbox.url("woocommerce") + "/wp-json/wc/v3"
    with httpx.Client(base_url=url, auth=KEY, timeout=10, trust_env=False) as client:
        yield client


def create(woo: httpx.Client, url: str, topic: str = "order.updated", **values: Any) -> Any:
    response = woo.post("/webhooks", json={"topic": topic, "delivery_url": url, **values})
    assert response.status_code == 201
    return response.json()


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def fail(sandbox: SandboxServer, times: int) -> None:
    """Change an order so often while nothing answers."""
    for number in range(times):
        sandbox.put_order("woocommerce", "", woo_order(total=f"{number}.00"))
        assert sandbox.webhooks.wait_until_idle()


# WooCommerce


def test_woocommerce_creates_pings_and_hides_the_secret(woo: httpx.Client, receiver: Receiver) -> None:
    webhook = create(woo, receiver.url, name="pedidos", secret="un-secreto")
    assert (webhook["status"], webhook["topic"], webhook["name"]) == ("active", "order.updated", "pedidos")
    assert "un-secreto" not in json.dumps(webhook)
    assert "failure" not in json.dumps(webhook)
    [ping] = receiver.received
    assert ping.body == f"webhook_id={webhook['id']}".encode()
    assert ping.headers["content-type"] == "application/x-www-form-urlencoded"
    assert not any(name.startswith("x-wc-") for name in ping.headers)


def test_failed_ping_changes_nothing_in_the_answer(woo: httpx.Client, sandbox: SandboxServer) -> None:
    webhook = create(woo, DEAD_ADDRESS)
    assert webhook["status"] == "active"
    [stored] = sandbox.webhooks.find_all("woocommerce")
    assert stored.is_ping_pending


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (("POST", "/webhooks", {"topic": "order.updated"}), (400, "invalid_delivery_url")),
        (("POST", "/webhooks", {"topic": "order.updated", "delivery_url": "ftp://a"}), (400, "invalid_delivery_url")),
        (("POST", "/webhooks", {"topic": "order.paid", "delivery_url": "https://a.example"}), (400, "invalid_topic")),
        (("GET", "/webhooks?per_page=101", None), (400, "rest_invalid_param")),
        (("GET", "/webhooks?status=dead", None), (400, "rest_invalid_param")),
        (("GET", "/webhooks/999999", None), (404, "invalid_id")),
        (("DELETE", "/webhooks/ID", None), (501, "trash_not_supported")),
        (("PUT", "/webhooks/ID", {"status": "dead"}), (400, "rest_invalid_param")),
    ],
)
def test_woocommerce_refuses_what_is_wrong(woo: httpx.Client, request_: Any, expected: tuple[int, str]) -> None:
    method, path, data = request_
    id_ = create(woo, DEAD_ADDRESS)["id"]
    status, code = code_of(woo.request(method, path.replace("ID", str(id_)), json=data))
    assert status == expected[0]
    assert code.endswith(expected[1])


def test_woocommerce_lists_by_status_and_in_pages(woo: httpx.Client, sandbox: SandboxServer) -> None:
    for number in range(5):
        status = "active" if number else "disabled"
        sandbox.webhooks.add("woocommerce", "", topic="order.updated", url=DEAD_ADDRESS, status=status)
    page = woo.get("/webhooks?per_page=2&page=3")
    assert (len(page.json()), page.headers["X-WP-Total"], page.headers["X-WP-TotalPages"]) == (1, "5", "3")
    assert woo.get("/webhooks?page=9").json() == []
    assert [webhook["status"] for webhook in woo.get("/webhooks?status=disabled").json()] == ["disabled"]


def test_key_of_woocommerce_may_do_only_what_it_is_for(woo: httpx.Client, sandbox: SandboxServer) -> None:
    def results() -> list[tuple[int, str]]:
        requests = [("GET", None), ("POST", {"topic": "order.updated", "delivery_url": DEAD_ADDRESS})]
        responses = [woo.request(method, "/webhooks", json=data) for method, data in requests]
        return [code_of(response) if response.is_error else (response.status_code, "") for response in responses]

    error = (401, "woocommerce_rest_authentication_error")
    assert results() == [(200, ""), (201, "")]
    sandbox.key_permissions[":".join(KEY)] = "read"
    assert results() == [(200, ""), error]
    sandbox.key_permissions[":".join(KEY)] = "write"
    assert results() == [error, (201, "")]
    sandbox.key_permissions[":".join(KEY)] = "no_manager"
    assert results() == [(403, "woocommerce_rest_cannot_view"), (403, "woocommerce_rest_cannot_create")]


def test_seventh_failure_disables_and_activation_keeps_the_count(woo: httpx.Client, sandbox: SandboxServer) -> None:
    id_ = create(woo, DEAD_ADDRESS)["id"]
    [stored] = sandbox.webhooks.find_all("woocommerce")
    fail(sandbox, 6)
    assert (stored.status, stored.failures) == ("active", 6)
    fail(sandbox, 1)
    assert (stored.status, stored.failures) == ("disabled", 6)
    assert woo.put(f"/webhooks/{id_}", json={"status": "active"}).json()["status"] == "active"
    fail(sandbox, 1)
    assert (stored.status, stored.failures) == ("disabled", 6)


def test_success_resets_the_count_and_sends_a_pending_ping(
    woo: httpx.Client, sandbox: SandboxServer, receiver: Receiver
) -> None:
    id_ = create(woo, DEAD_ADDRESS)["id"]
    fail(sandbox, 6)
    [stored] = sandbox.webhooks.find_all("woocommerce")
    woo.put(f"/webhooks/{id_}", json={"delivery_url": receiver.url})
    assert (stored.failures, len(receiver.received), stored.is_ping_pending) == (6, 1, False)
    stored.is_ping_pending = True
    fail(sandbox, 1)
    assert (stored.failures, stored.is_ping_pending) == (0, False)
    assert [item.body.startswith(b"webhook_id=") for item in receiver.received] == [True, False, True]


@pytest.mark.parametrize(
    ("status", "failures"), [(201, 0), (204, 0), (302, 0), (303, 1), (307, 1), (401, 1), (410, 1), (429, 1), (500, 1)]
)
def test_what_counts_as_delivered_at_woocommerce(
    woo: httpx.Client, sandbox: SandboxServer, receiver: Receiver, status: int, failures: int
) -> None:
    create(woo, receiver.url)
    receiver.status = status
    fail(sandbox, 1)
    [stored] = sandbox.webhooks.find_all("woocommerce")
    assert stored.failures == failures


def test_woocommerce_signs_what_it_sends(woo: httpx.Client, sandbox: SandboxServer, receiver: Receiver) -> None:
    for topic in ("order.created", "order.updated", "order.deleted", "order.restored"):
        create(woo, receiver.url, topic, secret="un-secreto")
    receiver.received.clear()
    for status in ("processing", "completed", "trash", "processing"):
        sandbox.put_order("woocommerce", "", woo_order(status=status))
        assert sandbox.webhooks.wait_until_idle()
    assert [(item.headers["x-wc-webhook-topic"], item.json.get("status")) for item in receiver.received] == [
        ("order.created", "processing"),
        ("order.updated", "processing"),
        ("order.updated", "completed"),
        ("order.deleted", None),
        ("order.restored", "processing"),
    ]
    assert receiver.received[3].json == {"id": 727}
    for item in receiver.received:
        signature = sign(STOREFRONTS["woocommerce"].signature, "un-secreto", item.body)
        assert item.headers["x-wc-webhook-signature"] == signature


# All


def test_webhooks_are_lost_on_request(sandbox: SandboxServer, receiver: Receiver) -> None:
    sandbox.webhooks.add("shopify", "", topic="orders/paid", url=receiver.url)
    sandbox.webhooks.drop_share = 0.2
    for number in range(1, 101):
        sandbox.put_order("shopify", "", shopify_order(number))
    assert sandbox.webhooks.wait_until_idle()
    deliveries = sandbox.webhooks.deliveries()
    assert (len(deliveries), sum(not item.is_dropped for item in deliveries)) == (100, len(receiver.received))
    assert 5 < sum(item.is_dropped for item in deliveries) < 40


def test_the_page_shows_registered_webhooks(sandbox: SandboxServer) -> None:
    sandbox.webhooks.add("tiendanube", "4410733", topic="order/paid", url="https://connector.example/<b>nube")
    page = httpx.get(sandbox.url(), trust_env=False).text
    assert "https://connector.example/&lt;b&gt;nube" in page
    sandbox.reset()
    assert sandbox.webhooks.all() == []


def test_nothing_is_sent_without_a_registered_webhook(sandbox: SandboxServer, receiver: Receiver) -> None:
    sandbox.webhooks.add("shopify", "", topic="orders/cancelled", url=receiver.url)
    sandbox.webhooks.add("shopify", "", topic="orders/paid", url=receiver.url, status="disabled")
    sandbox.put_order("shopify", "", shopify_order())
    sandbox.put_order("woocommerce", "", woo_order())
    assert sandbox.webhooks.wait_until_idle()
    assert receiver.received == []


# Shopify


def graphql(sandbox: SandboxServer, query: str, **variables: Any) -> Any:
    url = sandbox.url("shopify") + "/admin/api/2026-10/graphql.json"
    headers = {"X-Shopify-Access-Token": "ficha"}
    response = httpx.post(url, json={"query": query, "variables": variables}, headers=headers, trust_env=False)
    assert response.status_code == 200
    return response.json()


def create_at_shopify(sandbox: SandboxServer, topic: str, uri: str) -> Any:
    return graphql(sandbox, CREATE_WEBHOOK, topic=topic, webhook={"uri": uri, "format": "JSON"})


def test_shopify_refuses_a_second_of_the_same_and_what_is_not_https(sandbox: SandboxServer) -> None:
    created = create_at_shopify(sandbox, "ORDERS_PAID", "https://connector.example/webhooks/tienda")
    assert created["data"]["webhookSubscriptionCreate"]["userErrors"] == []
    for uri in ("https://connector.example/webhooks/tienda", "http://connector.example/webhooks/tienda"):
        again = create_at_shopify(sandbox, "ORDERS_PAID", uri)
        assert len(again["data"]["webhookSubscriptionCreate"]["userErrors"]) == 1
    assert "errors" in create_at_shopify(sandbox, "ORDERS_BOUGHT", "https://connector.example/webhooks/tienda")
    assert len(sandbox.webhooks.find_all("shopify")) == 1


def test_shopify_removes_a_webhook_after_eight_failures(sandbox: SandboxServer) -> None:
    sandbox.webhooks.add("shopify", "", topic="orders/updated", url=DEAD_ADDRESS)
    for number in range(7):
        sandbox.put_order("shopify", "", shopify_order(number + 1))
    assert sandbox.webhooks.wait_until_idle()
    assert len(sandbox.webhooks.find_all("shopify")) == 1
    sandbox.put_order("shopify", "", shopify_order(9))
    assert sandbox.webhooks.wait_until_idle()
    assert sandbox.webhooks.find_all("shopify") == []


def test_shopify_sends_the_topics_of_a_change(sandbox: SandboxServer, receiver: Receiver) -> None:
    for topic in ("orders/create", "orders/paid", "orders/updated", "orders/cancelled"):
        sandbox.webhooks.add("shopify", "", topic=topic, url=receiver.url)
    changes: list[dict[str, Any]] = [
        {"financial_status": "pending"},
        {},
        {"cancelled_at": "2026-11-21T10:00:00-06:00"},
    ]
    for change in changes:
        sandbox.put_order("shopify", "", shopify_order(**change))
    assert sandbox.webhooks.wait_until_idle()
    assert [item.headers["x-shopify-topic"] for item in receiver.received] == [
        *("orders/create", "orders/updated"),
        *("orders/paid", "orders/updated"),
        *("orders/cancelled", "orders/updated"),
    ]


# Tiendanube


@pytest.fixture
def nube(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    headers = {"Authentication": "bearer ficha", "User-Agent": "Pedidos (ana@example.com)"}
    url = sandbox.url("tiendanube") + "/4410733"
    with httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False) as client:
        yield client


def test_tiendanube_answers_an_empty_list_with_404(nube: httpx.Client) -> None:
    response = nube.get("/webhooks")
    assert (response.status_code, response.json()["description"]) == (404, "Last page is 0")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"event": "order/bought", "url": "https://connector.example/a"}, "event"),
        ({"event": "order/paid", "url": "http://connector.example/a"}, "url"),
        ({"event": "order/paid", "url": "https://tienda.tiendanube.com/a"}, "url"),
        ({"event": "order/paid"}, "url"),
    ],
)
def test_tiendanube_names_what_is_wrong(nube: httpx.Client, data: dict[str, str], field: str) -> None:
    response = nube.post("/webhooks", json=data)
    assert response.status_code == 422
    assert field in response.json()


def test_tiendanube_keeps_the_webhooks_of_shops_apart(
    nube: httpx.Client, sandbox: SandboxServer, receiver: Receiver
) -> None:
    created = nube.post("/webhooks", json={"event": "order/paid", "url": receiver.url})
    assert created.status_code == 201
    sandbox.webhooks.add("tiendanube", "99", topic="order/paid", url=receiver.url)
    assert [webhook["id"] for webhook in nube.get("/webhooks").json()] == [created.json()["id"]]
    sandbox.put_order("tiendanube", 4410733, tiendanube_order())
    assert sandbox.webhooks.wait_until_idle()
    [item] = receiver.received
    assert item.json == {"store_id": 4410733, "event": "order/paid", "id": 9001}
    assert nube.delete(f"/webhooks/{created.json()['id']}").status_code == 200
    assert nube.put(f"/webhooks/{created.json()['id']}", json={"url": receiver.url}).status_code == 404
