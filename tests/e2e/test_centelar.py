"""Orders to Centelar, which has no idempotency keys and may refuse with status 200."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.sandbox.server import SandboxServer
from tests.support.orders import woo_order
from tests.support.service import Service

CONFIGURATION = """
[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-01-01T00:00:00Z"

[accounts.hub]
destination = "centelar"
base_url = "{centelar}"
connection_id = {connection}
{more}
timeout_s = {timeout_s}

[[routes]]
from = "tienda-ar"
to = ["hub"]
"""


def open_centelar_service(
    open_service: Callable[..., Service], sandbox: SandboxServer, more: str = "", connection: int = 4711
) -> Service:
    text = CONFIGURATION.replace("{centelar}", sandbox.url("centelar")).replace("{connection}", str(connection))
    return open_service(text=text, more=more)


def state_and_problems(service: Service) -> tuple[Any, ...]:
    delivery = service.only_delivery()
    return delivery["state"], delivery["reason"], delivery["attempts"], delivery["remote_id"]


def test_order_is_sent_to_the_account_connection_with_its_headers(
    open_service: Callable[..., Any], sandbox: SandboxServer
) -> None:
    service = open_centelar_service(open_service, sandbox, more='headers = { X-Tienda = "sur" }')
    service.post_woo(woo_order())
    service.drain()
    [order] = sandbox.orders("centelar")
    assert state_and_problems(service) == ("delivered", None, 1, str(order.remote_id))
    [request] = sandbox.requests("centelar")
    assert (request.path, request.query) == ("/centelar/api/v1.1/order", {"connection_id": "4711"})
    assert request.headers["x-tienda"] == "sur"
    assert "authorization" not in request.headers
    assert order.body["ext_code"] == "727"


def test_failure_in_a_2xx_response_is_refused(open_service: Callable[..., Any], sandbox: SandboxServer) -> None:
    service = open_centelar_service(open_service, sandbox, connection=-1)  # which the fake Centelar does not have
    service.post_woo(woo_order())
    service.drain()
    assert state_and_problems(service) == ("parked", "refused", 1, None)
    assert service.only_delivery()["attempt_log"][0]["status"] == 200


@pytest.mark.parametrize("fault", ["process_then_drop", "garbage_json", "cut_body"])
def test_order_with_a_lost_response_is_not_sent_again(
    open_service: Callable[..., Any], sandbox: SandboxServer, fault: str
) -> None:
    service = open_centelar_service(open_service, sandbox)
    service.post_woo(woo_order())
    sandbox.inject_fault("centelar", fault)
    service.drain()
    service.clock.forward(3600)
    service.drain()
    assert state_and_problems(service) == ("parked", "uncertain", 1, None)
    assert len(sandbox.orders("centelar")) == 1


def test_retrigger_after_adding_the_gateway_row_sends_the_order(
    open_service: Callable[..., Any], sandbox: SandboxServer
) -> None:
    service = open_centelar_service(open_service, sandbox)
    service.post_woo(woo_order(payment_method="bacs", payment_method_title="Transferencia bancaria"))
    service.drain()
    assert state_and_problems(service) == ("parked", "unmappable", 0, None)
    delivery = service.only_delivery()
    healed = open_centelar_service(open_service, sandbox, more='payment_types = { bacs = "promissory" }')
    assert healed.api(f"/deliveries/{delivery['id']}/retrigger", json={}).status_code == 202
    healed.drain()
    [order] = sandbox.orders("centelar")
    assert order.body["payments"] == [
        {"type": "promissory", "payment_system": "Transferencia bancaria", "amount": "423.50"}
    ]
