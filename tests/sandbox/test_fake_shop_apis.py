"""The sandbox's fake APIs of Shopify and WooCommerce."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connector.sandbox.server import SandboxServer

TRANSACTION = {"id": 1, "kind": "sale", "status": "success", "gateway": "paypal", "amount": "599.00"}
SHOPIFY_ORDER = {
    "id": 77,
    "transactions": [TRANSACTION],
    "line_items": [{"variant_id": 41, "sku": "CAFE-500", "barcode": "7501234567893"}],
}
REFUND = {"id": 900, "amount": "121.00", "line_items": []}
WOO_ORDER = {"id": 727, "refunds": [REFUND, REFUND | {"id": 901}]}

TRANSACTIONS = "shopify/admin/api/2026-10/orders/77/transactions.json"
VARIANT = "shopify/admin/api/2026-10/variants/41.json?fields=id,barcode"
REFUNDS = "woocommerce/wp-json/wc/v3/orders/727/refunds"
SHOPIFY_401 = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
WOO_401 = {
    "code": "woocommerce_rest_cannot_view",
    "message": "Sorry, you cannot list resources.",
    "data": {"status": 401},
}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(server: SandboxServer) -> SandboxServer:
    server.reset()
    server.put_order("shopify", "tienda", SHOPIFY_ORDER)
    server.put_order("woocommerce", "tienda", WOO_ORDER)
    return server


def get(sandbox: SandboxServer, path: str, **options: Any) -> httpx.Response:
    credentials: dict[str, Any] = {
        "shopify": {"headers": {"X-Shopify-Access-Token": "ficha"}},
        "woocommerce": {"auth": ("ck_clave", "cs_secreto")},
    }
    return httpx.get(sandbox.url(path), trust_env=False, **(options or credentials[path.partition("/")[0]]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (TRANSACTIONS, {"transactions": [TRANSACTION]}),
        (VARIANT, {"variant": {"id": 41, "barcode": "7501234567893"}}),
        (
            "shopify/admin/api/2026-10/variants/41.json",
            {"variant": {"id": 41, "sku": "CAFE-500", "barcode": "7501234567893"}},
        ),
        (REFUNDS, [REFUND, REFUND | {"id": 901}]),
        (f"{REFUNDS}?per_page=1", [REFUND]),
        ("woocommerce/wp-json/wc/v3/orders/1/refunds", []),
    ],
)
def test_stored_resource_is_returned(sandbox: SandboxServer, path: str, expected: Any) -> None:
    response = get(sandbox, path)
    assert (response.status_code, response.json()) == (200, expected)
    [request] = sandbox.requests(path.partition("/")[0])
    assert (request.method, request.outcome) == ("GET", "served")


@pytest.mark.parametrize(
    ("path", "options", "error"),
    [
        (TRANSACTIONS, {"headers": {"X-Shopify-Access-Token": ""}}, SHOPIFY_401),
        (VARIANT, {"headers": {"Authorization": "Bearer ficha"}}, SHOPIFY_401),
        (REFUNDS, {"headers": {"Authorization": "Bearer ficha"}}, WOO_401),
        (REFUNDS, {"headers": {"Authorization": "Basic ???"}}, WOO_401),
        (REFUNDS, {"auth": ("ck_clave", "")}, WOO_401),
    ],
)
def test_unauthorized_request_is_refused_in_the_vendor_format(
    sandbox: SandboxServer, path: str, options: dict[str, Any], error: Any
) -> None:
    response = get(sandbox, path, **options)
    assert (response.status_code, response.json()) == (401, error)


@pytest.mark.parametrize("path", ["orders/78/transactions.json", "variants/42.json"])
def test_unknown_resource_is_404(sandbox: SandboxServer, path: str) -> None:
    response = get(sandbox, f"shopify/admin/api/2026-10/{path}")
    assert (response.status_code, response.json()) == (404, {"errors": "Not Found"})


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
def test_injected_failure_uses_the_vendor_format(sandbox: SandboxServer, path: str, status: int, error: Any) -> None:
    sandbox.inject_fault(path.partition("/")[0], "status", status=status)
    response = get(sandbox, path)
    assert (response.status_code, response.json()) == (status, error)
    assert get(sandbox, path).status_code == 200


def test_single_token_can_be_rejected(sandbox: SandboxServer) -> None:
    sandbox.inject_fault("woocommerce", "reject_key", match="ck_clave:cs_secreto", times=None)
    assert get(sandbox, REFUNDS).status_code == 401
    assert get(sandbox, REFUNDS, auth=("ck_otra", "cs_otro")).status_code == 200


def test_rate_limit_response_has_retry_after(sandbox: SandboxServer) -> None:
    sandbox.inject_fault("shopify", "status", status=429, retry_after_s=2)
    response = get(sandbox, VARIANT)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2.0")


def test_recorded_requests_contain_no_secrets(sandbox: SandboxServer) -> None:
    get(sandbox, TRANSACTIONS)
    get(sandbox, REFUNDS)
    assert "ficha" not in repr(sandbox.requests())
    assert all("authorization" not in request.headers for request in sandbox.requests())


def test_page_shows_requests(sandbox: SandboxServer) -> None:
    page = httpx.get(sandbox.url(), trust_env=False).text
    assert "GET /wp-json/wc/v3/orders/&lt;order_id&gt;/refunds" in page
