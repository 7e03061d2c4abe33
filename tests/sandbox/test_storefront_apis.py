"""The sandbox's fake APIs of storefronts over real sockets: authentication and injected faults."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from marshmallow import ValidationError

from connector.sandbox.server import SandboxServer
from mappings.storefronts.shopify.graphql import BARCODES_QUERY

ORDER = {"id": 77, "number": 128, "contact_name": "Nayeli Cordero Ruiz", "total": "899.00"}
HEADERS = {"Authentication": "bearer ficha", "User-Agent": "Pedidos (ana@example.com)"}


@pytest.fixture
def sandbox(sandbox: SandboxServer) -> SandboxServer:
    """A sandbox with an order of a Tiendanube shop."""
    sandbox.put_order("tiendanube", 4410733, ORDER)
    return sandbox


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield client


def get(
    sandbox: SandboxServer, client: httpx.Client, path: str = "/4410733/orders/77", headers: dict[str, str] = HEADERS
) -> httpx.Response:
    return client.get(sandbox.url("tiendanube") + path, headers=headers)


def error(status: int, message: str, description: str | None) -> dict[str, Any]:
    return {"code": status, "message": message, "description": description}


def test_stored_order_is_returned(sandbox: SandboxServer, client: httpx.Client) -> None:
    response = get(sandbox, client)
    assert (response.status_code, response.json()) == (200, ORDER)


def test_newer_order_replaces_the_older(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.put_order("tiendanube", "4410733", ORDER | {"total": "900.00"})
    assert get(sandbox, client).json() == ORDER | {"total": "900.00"}
    assert len(sandbox.store_orders()) == 1


@pytest.mark.parametrize("path", ["/4410733/orders/78", "/4410734/orders/77"])
def test_unknown_order_or_shop_is_404(sandbox: SandboxServer, client: httpx.Client, path: str) -> None:
    response = get(sandbox, client, path)
    assert (response.status_code, response.json()) == (404, error(404, "Not Found", None))


@pytest.mark.parametrize("authentication", [None, "", "bearer", "ficha", "basic ficha"])
def test_request_without_a_token_is_refused(
    sandbox: SandboxServer, client: httpx.Client, authentication: str | None
) -> None:
    headers = {"User-Agent": "Pedidos (ana@example.com)", "Authorization": "Bearer ficha"}
    if authentication is not None:
        headers["Authentication"] = authentication
    response = get(sandbox, client, headers=headers)
    assert (response.status_code, response.json()) == (401, error(401, "Unauthorized", "Invalid access token"))


def test_request_without_a_user_agent_is_refused(sandbox: SandboxServer, client: httpx.Client) -> None:
    response = get(sandbox, client, headers=HEADERS | {"User-Agent": ""})
    assert (response.status_code, response.json()) == (400, error(400, "Bad Request", "Missing User-Agent header"))


def test_token_can_be_rejected(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("tiendanube", "reject_key", match="ficha", times=None)
    assert get(sandbox, client).status_code == 401
    assert get(sandbox, client, headers=HEADERS | {"Authentication": "bearer otra"}).status_code == 200


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Unauthorized"),
        (402, "Payment Required"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
    ],
)
def test_failure_can_be_injected_once(sandbox: SandboxServer, client: httpx.Client, status: int, message: str) -> None:
    sandbox.inject_fault("tiendanube", "status", status=status, retry_after_s=7)
    response = get(sandbox, client)
    assert (response.status_code, response.json()) == (status, error(status, message, None))
    assert response.headers["Retry-After"] == "7"
    assert get(sandbox, client).status_code == 200


@pytest.mark.parametrize("fault", ["drop_unread", "drop_after_reading", "garbage", "cut_body"])
def test_response_can_be_cut(sandbox: SandboxServer, client: httpx.Client, fault: str) -> None:
    sandbox.inject_fault("tiendanube", fault)
    with pytest.raises(httpx.TransportError):
        get(sandbox, client)


def test_response_can_be_delayed(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("tiendanube", "latency", latency_s=0.3)
    response = get(sandbox, client)
    assert response.json() == ORDER
    assert response.elapsed.total_seconds() >= 0.3


def test_fault_can_target_one_order(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.put_order("tiendanube", 4410733, ORDER | {"id": 78})
    sandbox.inject_fault("tiendanube", "status", status=500, match="/orders/78")
    assert get(sandbox, client).status_code == 200
    assert get(sandbox, client, "/4410733/orders/78").status_code == 500


def test_storefront_fault_does_not_affect_destinations(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("tiendanube", "status", status=500)
    assert client.post(sandbox.url("rayo") + "/api/rest/auth", headers={"x-api-key": "clave"}).status_code == 200


def test_fault_for_an_unsupported_storefront_is_refused(sandbox: SandboxServer) -> None:
    with pytest.raises(ValidationError):
        sandbox.inject_fault("jumpseller", "status", status=500)


def test_requests_are_recorded_with_outcomes_and_without_tokens(sandbox: SandboxServer, client: httpx.Client) -> None:
    get(sandbox, client)
    get(sandbox, client, "/4410733/orders/78")
    get(sandbox, client, headers={"User-Agent": "x"})
    for fault in ("status", "drop_unread", "latency"):
        sandbox.inject_fault("tiendanube", fault, latency_s=0)
        try:
            get(sandbox, client)
        except httpx.TransportError:
            assert fault == "drop_unread"
    recorded = sandbox.requests("tiendanube")
    assert [(request.outcome, request.why) for request in recorded] == [
        ("served", None),
        ("refused", "no such order was put here"),
        ("refused", "Invalid access token"),
        ("refused", "status"),
        ("dropped", "drop_unread"),
        ("served", "latency"),
    ]
    assert (recorded[0].method, recorded[0].path) == ("GET", "/tiendanube/4410733/orders/77")
    assert "ficha" not in str(recorded)


def test_order_can_be_stored_over_http(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.clear_orders()
    store_order = {"storefront": "tiendanube", "store_id": 4410733, "order": ORDER}
    response = client.post(sandbox.url("sandbox/storefront-orders"), json=store_order)
    stored = {
        "storefront": "tiendanube",
        "store_id": "4410733",
        "order_id": "77",
        "order": ORDER,
        "is_webhook_lost": False,
    }
    assert (response.status_code, response.json()) == (201, stored)
    assert client.get(sandbox.url("sandbox/storefront-orders")).json() == {"items": [stored]}
    assert get(sandbox, client).json() == ORDER


def test_removed_order_is_not_served(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.remove_order("tiendanube", 4410733, "77")
    sandbox.remove_order("tiendanube", 4410733, "77")  # a second time changes nothing
    assert get(sandbox, client).status_code == 404
    assert sandbox.store_orders() == []


@pytest.mark.parametrize("is_lost", [False, True])
def test_webhook_of_an_order_can_be_lost(sandbox: SandboxServer, client: httpx.Client, is_lost: bool) -> None:
    sandbox.webhooks.add(
        "woocommerce", "", topic="order.created", url=sandbox.url("nowhere"), secret="secreto", name="Pedidos"
    )
    store_order = {"storefront": "woocommerce", "store_id": "", "order": WOO_ORDER, "is_webhook_lost": is_lost}
    client.post(sandbox.url("sandbox/storefront-orders"), json=store_order)
    assert sandbox.webhooks.wait_until_idle()
    assert len(sandbox.webhooks.deliveries()) == (0 if is_lost else 1)
    assert ("lost: only this API has the order" in client.get(sandbox.url()).text) is is_lost


@pytest.mark.parametrize(
    "body",
    [
        {"storefront": "tiendanube", "store_id": 4410733, "order": {}},
        {"storefront": "jumpseller", "store_id": 4410733, "order": ORDER},
        {"storefront": "tiendanube", "order": ORDER},
        {"storefront": "tiendanube", "store_id": 4410733, "order": 5},
        [],
    ],
)
def test_invalid_order_is_refused(sandbox: SandboxServer, client: httpx.Client, body: Any) -> None:
    response = client.post(sandbox.url("sandbox/storefront-orders"), json=body)
    assert response.status_code == 400
    assert response.json()["error"].startswith("This takes a storefront, a store_id and an order with its id")


def test_page_shows_api_urls_and_stored_orders(sandbox: SandboxServer, client: httpx.Client) -> None:
    page = client.get(sandbox.url()).text
    assert f"<code>{sandbox.url('tiendanube')}</code>" in page
    assert "Nayeli Cordero Ruiz" in page
    sandbox.clear_orders()
    assert "No order was put there yet" in client.get(sandbox.url()).text


# Shopify and WooCommerce

TRANSACTION = {"id": 1, "kind": "sale", "status": "success", "gateway": "paypal", "amount": "599.00"}
SHOPIFY_ORDER = {
    "id": 77,
    "transactions": [TRANSACTION],
    "line_items": [{"variant_id": 41, "sku": "CAFE-500", "barcode": "7501234567893"}],
}
REFUND = {"id": 900, "amount": "121.00", "line_items": []}
WOO_ORDER = {"id": 727, "refunds": [REFUND, REFUND | {"id": 901}]}

TRANSACTIONS = "shopify/admin/api/2026-10/orders/77/transactions.json"
COUNT = "shopify/admin/api/2026-10/orders/count.json"
GRAPHQL = "shopify/admin/api/2026-10/graphql.json"
REFUNDS = "woocommerce/wp-json/wc/v3/orders/727/refunds"
SHOPIFY_401 = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
WOO_401 = {
    "code": "woocommerce_rest_cannot_view",
    "message": "Sorry, you cannot list resources.",
    "data": {"status": 401},
}


@pytest.fixture
def shops(sandbox: SandboxServer) -> SandboxServer:
    """A sandbox with an order of a Shopify shop and one of a WooCommerce shop."""
    sandbox.put_order("shopify", "tienda", SHOPIFY_ORDER)
    sandbox.put_order("woocommerce", "tienda", WOO_ORDER)
    return sandbox


def get_from_shop(shops: SandboxServer, client: httpx.Client, path: str, **options: Any) -> httpx.Response:
    credentials: dict[str, Any] = {
        "shopify": {"headers": {"X-Shopify-Access-Token": "ficha"}},
        "woocommerce": {"auth": ("ck_clave", "cs_secreto")},
    }
    return client.get(shops.url(path), **(options or credentials[path.partition("/")[0]]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (TRANSACTIONS, {"transactions": [TRANSACTION]}),
        (COUNT, {"count": 1}),
        (REFUNDS, [REFUND, REFUND | {"id": 901}]),
        (f"{REFUNDS}?per_page=1", [REFUND]),
        ("woocommerce/wp-json/wc/v3/orders/1/refunds", []),
    ],
)
def test_stored_resource_is_returned(shops: SandboxServer, client: httpx.Client, path: str, expected: Any) -> None:
    response = get_from_shop(shops, client, path)
    assert (response.status_code, response.json()) == (200, expected)
    [request] = shops.requests(path.partition("/")[0])
    assert (request.method, request.outcome) == ("GET", "served")


@pytest.mark.parametrize(
    ("path", "options", "error"),
    [
        (TRANSACTIONS, {"headers": {"X-Shopify-Access-Token": ""}}, SHOPIFY_401),
        (COUNT, {"headers": {"Authorization": "Bearer ficha"}}, SHOPIFY_401),
        (REFUNDS, {"headers": {"Authorization": "Bearer ficha"}}, WOO_401),
        (REFUNDS, {"headers": {"Authorization": "Basic ???"}}, WOO_401),
        (REFUNDS, {"auth": ("ck_clave", "")}, WOO_401),
    ],
)
def test_unauthorized_request_is_refused_in_the_vendor_format(
    shops: SandboxServer, client: httpx.Client, path: str, options: dict[str, Any], error: Any
) -> None:
    response = get_from_shop(shops, client, path, **options)
    assert (response.status_code, response.json()) == (401, error)


def test_unknown_resource_is_404(shops: SandboxServer, client: httpx.Client) -> None:
    response = get_from_shop(shops, client, "shopify/admin/api/2026-10/orders/78/transactions.json")
    assert (response.status_code, response.json()) == (404, {"errors": "Not Found"})


def post_graphql(shops: SandboxServer, client: httpx.Client, body: Any) -> httpx.Response:
    return client.post(shops.url(GRAPHQL), json=body, headers={"X-Shopify-Access-Token": "ficha"})


def test_barcodes_are_returned_in_the_order_of_the_ids(shops: SandboxServer, client: httpx.Client) -> None:
    ids = [f"gid://shopify/ProductVariant/{number}" for number in (42, 41)]
    response = post_graphql(shops, client, {"query": BARCODES_QUERY, "variables": {"ids": ids}})
    assert response.json() == {"data": {"nodes": [None, {"id": ids[1], "barcode": "7501234567893"}]}}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (BARCODES_QUERY, {}),
        (BARCODES_QUERY, {"ids": ["41"]}),
        (BARCODES_QUERY, {"ids": ["gid://shopify/ProductVariant/1"] * 251}),
        (BARCODES_QUERY, {"ids": [], "more": 1}),
        ("query { shop { name } }", {}),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": []}),
        ("{", {}),
    ],
)
def test_graphql_request_that_shopify_refuses_is_an_error(
    shops: SandboxServer, client: httpx.Client, query: str, variables: Any
) -> None:
    response = post_graphql(shops, client, {"query": query, "variables": variables})
    assert response.status_code == 200
    assert response.json().keys() == {"errors"}


@pytest.mark.parametrize("body", [{}, [], {"query": BARCODES_QUERY, "variables": []}])
def test_graphql_request_without_a_query_is_refused(shops: SandboxServer, client: httpx.Client, body: Any) -> None:
    assert post_graphql(shops, client, body).status_code == 400


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "client_credentials", "client_id": "app", "client_secret": "s"}, 200),
        ({"grant_type": "authorization_code", "client_id": "app", "client_secret": "s"}, 400),
        ({"grant_type": "client_credentials", "client_id": "app"}, 400),
    ],
)
def test_token_is_granted_for_an_apps_credentials(
    shops: SandboxServer, client: httpx.Client, form: dict[str, str], status: int
) -> None:
    url = shops.url("shopify/admin/oauth/access_token")
    assert client.post(url, data=form).status_code == status
    assert client.post(url, json=form).status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        (TRANSACTIONS, 500, {"errors": "An unexpected error occurred"}),
        (
            REFUNDS,
            500,
            {
                "code": "internal_server_error",
                "message": "There has been a critical error on this website.",
                "data": {"status": 500},
            },
        ),
    ],
)
def test_injected_failure_uses_the_vendor_format(
    shops: SandboxServer, client: httpx.Client, path: str, status: int, error: Any
) -> None:
    shops.inject_fault(path.partition("/")[0], "status", status=status)
    response = get_from_shop(shops, client, path)
    assert (response.status_code, response.json()) == (status, error)
    assert get_from_shop(shops, client, path).status_code == 200


def test_single_token_can_be_rejected(shops: SandboxServer, client: httpx.Client) -> None:
    shops.inject_fault("woocommerce", "reject_key", match="ck_clave:cs_secreto", times=None)
    assert get_from_shop(shops, client, REFUNDS).status_code == 401
    assert get_from_shop(shops, client, REFUNDS, auth=("ck_otra", "cs_otro")).status_code == 200


def test_rate_limit_response_has_retry_after(shops: SandboxServer, client: httpx.Client) -> None:
    shops.inject_fault("shopify", "status", status=429, retry_after_s=2)
    response = get_from_shop(shops, client, COUNT)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2.0")


def test_recorded_requests_contain_no_secrets(shops: SandboxServer, client: httpx.Client) -> None:
    get_from_shop(shops, client, TRANSACTIONS)
    get_from_shop(shops, client, REFUNDS)
    assert "ficha" not in repr(shops.requests())
    assert all("authorization" not in request.headers for request in shops.requests())


def test_page_shows_requests(shops: SandboxServer, client: httpx.Client) -> None:
    page = client.get(shops.url()).text
    assert "GET /wp-json/wc/v3/orders/&lt;order_id&gt;/refunds" in page
