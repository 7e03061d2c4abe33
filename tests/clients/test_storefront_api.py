"""Details that Shopify's and WooCommerce's webhooks lack are fetched and reach the destination."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from connector.database.circuits import CircuitReport, next_probe_time, record_outcome
from connector.sandbox.server import SandboxServer
from mappings.destination import Outcome
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service

CONFIGURATION = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]
since = "2026-01-01T00:00:00Z"
api_url = "SANDBOX/shopify"
api_token = "ficha-mx"

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-01-01T00:00:00Z"
api_url = "SANDBOX/woocommerce"
api_token = "ck_clave:cs_secreto"

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"
identifier = "barcode"

[accounts.deposito]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"

[accounts.erp]
destination = "lapyme"
api_key = "lapyme-key"
base_url = "{lapyme}"
customer_id = "{uuid}"
assigned_warehouse_id = "{uuid}"

[accounts.hub]
destination = "centelar"
base_url = "SANDBOX/centelar"
connection_id = 123
currency = "MXN"
payment_types = {{ gift_card = "promissory", mercado_pago = "mercadopago" }}

[[routes]]
from = "tienda-mx"
to = ["MX_GOES_TO"]

[[routes]]
from = "tienda-ar"
to = ["AR_GOES_TO"]
"""

SEVERAL_GATEWAYS: dict[str, Any] = {"payment_gateway_names": ["mercado_pago", "gift_card"]}
TRANSACTIONS = [
    {"id": 1, "kind": "authorization", "status": "success", "gateway": "mercado_pago", "amount": "499.00"},
    {
        "id": 2,
        "parent_id": 1,
        "kind": "capture",
        "status": "success",
        "gateway": "mercado_pago",
        "amount": "499.00",
        "authorization": "8812003344",
        "payment_details": {"credit_card_number": "•••• •••• •••• 1881"},
    },
    {"id": 3, "kind": "sale", "status": "failure", "gateway": "gift_card", "amount": "100.00"},
    {"id": 4, "kind": "sale", "status": "success", "gateway": "gift_card", "amount": "100.00"},
]
#: A refund of one of the three yerbas of `woo_order`, with its tax.
REFUND = {
    "id": 900,
    "amount": "121.00",
    "reason": "",
    "line_items": [
        {
            "id": 5,
            "quantity": -1,
            "total": "-100.00",
            "total_tax": "-21.00",
            "meta_data": [{"id": 9, "key": "_refunded_item_id", "value": "1"}],
        }
    ],
}

OpenShops = Callable[..., Service]


@pytest.fixture
def open_shops(open_service: Callable[..., Service], sandbox: SandboxServer) -> OpenShops:
    """Open a service whose stores are routed to these accounts."""

    def open_with(*, mx: str = "bodega", ar: str = "erp") -> Service:
        text = CONFIGURATION.replace("SANDBOX/", sandbox.url())
        return open_service(text=text.replace("MX_GOES_TO", mx).replace("AR_GOES_TO", ar))

    return open_with


def with_variant(order: dict[str, Any], variant: int = 41, **more: Any) -> dict[str, Any]:
    [line] = order["line_items"]
    return order | {"line_items": [line | {"variant_id": variant, **more}]}


def post_refunded(service: Service, number: int = 727, **changes: Any) -> dict[str, Any]:
    """Post a WooCommerce order with a refund, which its webhook reports only as a total."""
    order = woo_order(number, refunds=[{"id": 900, "reason": "", "total": "-121.00"}], **changes)
    assert service.post_woo(order).json["status"] == "accepted"
    return order


def api_calls(service: Service, storefront: str) -> list[str]:
    return [f"{request.path} {request.outcome}" for request in service.sandbox.requests(storefront)]


# --- fetched details are delivered ---


def test_rayo_receives_fetched_barcodes(open_shops: OpenShops) -> None:
    service = open_shops()
    service.sandbox.put_order("shopify", "tienda", with_variant(shopify_order(), barcode="7501234567893"))
    service.post_shopify(with_variant(shopify_order()))
    service.drain()

    [order] = service.sandbox.orders("rayo")
    assert order.body["productos"] == [{"cantidad": 2, "identificador": "7501234567893"}]
    assert api_calls(service, "shopify") == ["/shopify/admin/api/2026-10/graphql.json served"]


def test_centelar_receives_the_amount_of_each_gateway(open_shops: OpenShops) -> None:
    service = open_shops(mx="hub")
    service.sandbox.put_order("shopify", "tienda", shopify_order(transactions=TRANSACTIONS))
    service.post_shopify(shopify_order(**SEVERAL_GATEWAYS))
    service.drain()

    [order] = service.sandbox.orders("centelar")
    assert order.body["payments"] == [
        {
            "type": "mercadopago",
            "payment_system": "mercado_pago",
            "amount": "499.00",
            "last_digits": "1881",
            "transaction_id": "8812003344",
        },
        {"type": "promissory", "payment_system": "gift_card", "amount": "100.00"},
    ]


def test_lapyme_receives_the_order_after_refunds(open_shops: OpenShops) -> None:
    service = open_shops()
    service.sandbox.put_order("woocommerce", "tienda", woo_order(refunds=[REFUND]))
    post_refunded(service)
    service.drain()

    [order] = service.sandbox.orders("lapyme")
    assert [(line["ordered_quantity"], line["unit_price"]) for line in order.body["lines"]] == [(2, 12100), (1, 6050)]
    assert order.body["totals"] == {"subtotal": 25000, "tax_amount": 5250, "total": 30250}


def test_rayo_receives_the_order_after_refunds(open_shops: OpenShops) -> None:
    service = open_shops(ar="deposito")
    address = woo_order()["shipping"] | {
        "address_1": "Calle 5 de Mayo #123",
        "address_2": "Col. Del Carmen",
        "city": "Coyoacán",
        "state": "DF",
        "postcode": "04100",
        "country": "MX",
        "phone": "55 1234 5678",
    }
    service.sandbox.put_order("woocommerce", "tienda", woo_order(refunds=[REFUND]))
    post_refunded(service, shipping=address)
    service.drain()

    [order] = service.sandbox.orders("rayo")
    assert order.body["productos"] == [{"cantidad": 2, "identificador": "YERBA-1"}]


def test_store_api_is_not_called_when_the_webhook_is_complete(open_shops: OpenShops) -> None:
    service = open_shops(mx="deposito")
    service.post_shopify(shopify_order(**SEVERAL_GATEWAYS))
    service.post_woo(woo_order())
    service.drain()

    assert [delivery["state"] for delivery in service.deliveries()] == ["delivered", "delivered"]
    assert api_calls(service, "shopify") == api_calls(service, "woocommerce") == []


# --- missing details ---


def test_missing_detail_is_a_problem(open_shops: OpenShops) -> None:
    service = open_shops()
    service.post_shopify(with_variant(shopify_order()))
    service.drain()

    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "unmappable")
    assert delivery["problems"] == ["Products > line 1 > barcode is missing."]
    assert service.sandbox.requests("rayo") == []


def test_missing_transactions_are_a_problem(open_shops: OpenShops) -> None:
    service = open_shops(mx="hub")
    service.post_shopify(shopify_order(**SEVERAL_GATEWAYS))
    service.drain()

    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "unmappable")
    assert delivery["problems"] == ["Payments are missing: the storefront does not say how much was paid in which way."]


def test_missing_refund_details_are_a_problem(open_shops: OpenShops) -> None:
    service = open_shops()
    post_refunded(service)
    service.drain()

    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "unmappable")
    assert delivery["problems"] == [
        "Refunds are not itemized by product: WooCommerce gives only their sum.",
        "Total: products 363.00 + shipping 60.50 = 423.50, but 302.50 was charged.",
    ]
    assert api_calls(service, "woocommerce") == ["/woocommerce/wp-json/wc/v3/orders/727/refunds served"]


# --- failures of the store's API ---


def test_failing_store_api_is_retried(open_shops: OpenShops) -> None:
    service = open_shops()
    service.sandbox.put_order("woocommerce", "tienda", woo_order(refunds=[REFUND]))
    service.sandbox.inject_fault("woocommerce", "status", status=500)
    post_refunded(service)
    service.deliver_due()

    waiting = service.only_delivery()
    assert (waiting["state"], waiting["attempts"]) == ("waiting", 1)
    assert service.sandbox.requests("lapyme") == []

    service.clock.forward(2)
    service.drain()
    assert (service.only_delivery()["state"], service.only_delivery()["attempts"]) == ("delivered", 2)
    assert len(service.sandbox.orders("lapyme")) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_rejected_token_pauses_fetches_from_the_store(open_shops: OpenShops, status: int) -> None:
    service = open_shops()
    for number in (727, 728):
        service.sandbox.put_order("woocommerce", "tienda", woo_order(number, refunds=[REFUND]))
    service.sandbox.inject_fault("woocommerce", "status", status=status)
    post_refunded(service, 727)
    service.deliver_due()
    post_refunded(service, 728)
    service.post_woo(woo_order(729))
    service.deliver_due()

    assert len(service.sandbox.requests("woocommerce")) == 1
    states = {delivery["order_number"] or "?": delivery["state"] for delivery in service.deliveries()}
    assert states == {"727": "waiting", "728": "waiting", "729": "delivered"}

    service.clock.forward(120)
    service.drain()
    service.clock.forward(120)
    service.drain()
    assert [delivery["state"] for delivery in service.deliveries()] == ["delivered"] * 3
    assert len(service.sandbox.orders("lapyme")) == 3


@pytest.mark.parametrize("code", ["THROTTLED", "INTERNAL_SERVER_ERROR", "MAX_COST_EXCEEDED", "ACCESS_DENIED"])
def test_error_of_graphql_is_retried(open_shops: OpenShops, code: str) -> None:
    service = open_shops()
    service.sandbox.inject_fault("shopify", "status", status=500, code=code)
    service.sandbox.put_order("shopify", "tienda", with_variant(shopify_order(), barcode="7501234567893"))
    service.post_shopify(with_variant(shopify_order()))
    service.deliver_due()
    waiting = service.only_delivery()
    assert waiting["state"] == "waiting"
    assert waiting["attempt_log"][-1]["error"] == f"not fetched: status 200, {code}"

    service.clock.forward(120)
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


def test_rejected_shopify_token_leaves_the_order_waiting(open_shops: OpenShops) -> None:
    service = open_shops()
    service.sandbox.inject_fault("shopify", "reject_key", match="ficha-mx")
    service.sandbox.put_order("shopify", "tienda", with_variant(shopify_order(), barcode="7501234567893"))
    service.post_shopify(with_variant(shopify_order()))
    service.deliver_due()
    assert service.only_delivery()["state"] == "waiting"

    service.clock.forward(120)
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert "ficha-mx" not in repr(service.only_delivery())


def test_orders_are_rescheduled_soon_while_the_store_is_probed(open_shops: OpenShops) -> None:
    database = open_shops().database
    record_outcome(
        database, CircuitReport(circuit="store:x", outcome=Outcome.UNAUTHORIZED, failure_threshold=5, probe_after_s=0)
    )
    ask = partial(next_probe_time, database, "store:x", lease_s=60, probe_after_s=30)
    assert ask() is None
    until = ask()
    assert until is not None
    assert 29 < (until - database.clock()).total_seconds() <= 30


def test_unavailable_store_blocks_only_orders_that_need_a_fetch(open_shops: OpenShops) -> None:
    service = open_shops()
    service.sandbox.inject_fault("woocommerce", "status", status=500, times=None)
    for number in range(701, 711):
        post_refunded(service, number)
        service.deliver_due()
    service.post_woo(woo_order(727))
    service.deliver_due()

    assert len(service.sandbox.requests("woocommerce")) == 5
    assert [order.body["notes"] for order in service.sandbox.orders("lapyme")] == ["woocommerce 727"]


# --- nothing is fetched ---


def test_deleted_order_is_not_shipped(open_shops: OpenShops) -> None:
    service = open_shops(mx="deposito")
    order = shopify_order()
    service.post_shopify(order)
    service.post_shopify({"id": order["id"]}, "orders/delete")
    service.drain()

    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("discarded", "cancelled")
    assert service.sandbox.requests("rayo") == []
