"""The sandbox over real sockets: it follows the destinations' contracts and injects the requested faults."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from marshmallow import ValidationError

from connector.sandbox.fault_injection import PROCESSED_FAULTS, FaultKind
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import AcceptedOrder, Sandbox
from mappings import DESTINATIONS
from mappings.contracts import Contract
from mappings.destination import Destination, Outcome
from mappings.schema import DestinationSchema
from mappings.settings import Account

RAYO_BODY = {
    "consumidor_destino": {
        "calle": "Avenida Coyoacán",
        "ciudad": "Benito Juárez",
        "codigo_postal": "03100",
        "colonia": "Del Valle",
        "estado": "Ciudad de México",
        "no_exterior": "1435",
        "no_interior": None,
        "nombre": "Ximena Ortega",
        "pais": "mexico",
        "telefono": "5512345678",
    },
    "productos": [{"cantidad": 2, "identificador": "TAZA-AZUL"}],
    "servicio_rayo": "NACIONAL",
}
LAPYME_BODY = {
    "customer_id": "5f1c7f0e-3f0b-4b0e-9d55-0d3b8a1f6a10",
    "assigned_warehouse_id": "0b2f4a86-61e0-4c6b-8f0e-7f7d5d0c9b21",
    "totals": {"subtotal": 20661, "tax_amount": 4339, "total": 25000},
    "lines": [
        {
            "product_name_snapshot": "Mate de calabaza",
            "sku_snapshot": "MATE-01",
            "ordered_quantity": 2,
            "unit_price": 12500,
            "tax_rate_id": 5,
        }
    ],
    "order_date": "2026-03-14T15:09:26Z",
    "currency": "PES",
}
CENTELAR_ADDRESS = {"disposition": "residential", "street": "Av. Belgrano", "number": "1520", "country": "AR"}
CENTELAR_BODY = {
    "creation_date": "2026-03-14T12:09:26",
    "ext_code": "7001",
    "price": 250.0,
    "customer": {"first_name": "Tobías", "last_name": "Ferreyra"},
    "items": [{"product_code": "MATE-01", "quantity": 2, "price": 125.0}],
    "payments": [{"type": "mercadopago", "amount": "250.00"}],
    "shipping_address": CENTELAR_ADDRESS,
    "billing_address": CENTELAR_ADDRESS,
}


@pytest.fixture(scope="module")  # creating a client takes longer than most tests
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5) as client:
        yield client


def get_token(sandbox: SandboxServer, client: httpx.Client, api_key: str = "clave-de-prueba") -> httpx.Response:
    return client.post(sandbox.url("rayo") + "/api/rest/auth", headers={"x-api-key": api_key})


def send_to_rayo(
    sandbox: SandboxServer, client: httpx.Client, body: Any = RAYO_BODY, token: str | None = None
) -> httpx.Response:
    token = token or get_token(sandbox, client).json()["AuthWithAPIkey"]["accessToken"]
    return client.post(
        sandbox.url("rayo") + "/api/rest/orders", json=body, headers={"Authorization": f"Bearer {token}"}
    )


def send_to_lapyme(
    sandbox: SandboxServer,
    client: httpx.Client,
    body: Any = LAPYME_BODY,
    key: str | None = "order:tienda-ar:7001:r1",
    api_key: str = "clave-de-prueba",
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {api_key}"} | ({"Idempotency-Key": key} if key is not None else {})
    return client.post(sandbox.url("lapyme") + "/api/v1/orders", json=body, headers=headers)


def send_to_centelar(
    sandbox: SandboxServer, client: httpx.Client, body: Any = CENTELAR_BODY, query: str = "?connection_id=123"
) -> httpx.Response:
    return client.post(sandbox.url("centelar") + "/api/v1.1/order" + query, json=body)


SEND: dict[str, Callable[[SandboxServer, httpx.Client], httpx.Response]] = {
    "rayo": send_to_rayo,
    "lapyme": send_to_lapyme,
    "centelar": send_to_centelar,
}


@pytest.mark.parametrize("name", SEND)
def test_valid_order_is_recorded_and_answered_per_contract(
    sandbox: SandboxServer, client: httpx.Client, name: str
) -> None:
    response = SEND[name](sandbox, client)

    assert response.status_code == 200
    assert DESTINATIONS[name].contract.validate_response(response.json()) == []
    (order,) = sandbox.orders(name)
    assert DESTINATIONS[name].parse_order_id(response.json()) == str(order.remote_id)
    assert order.body == {"rayo": RAYO_BODY, "lapyme": LAPYME_BODY, "centelar": CENTELAR_BODY}[name]


def test_lapyme_response_follows_its_example(sandbox: SandboxServer, client: httpx.Client) -> None:
    response = send_to_lapyme(sandbox, client).json()

    example = DESTINATIONS["lapyme"].contract.response_example
    ours = {"id": sandbox.orders()[0].remote_id, "customer_id": LAPYME_BODY["customer_id"]}
    totals = {"subtotal": 20661, "tax_amount": 4339, "total": 25000}
    assert response == {
        "request_id": response["request_id"],
        "data": {
            **example["data"],
            "order": {**example["data"]["order"], **ours, **totals},
            "idempotent_replay": False,
        },
        "warnings": [],
    }


def test_every_order_has_its_own_id(sandbox: SandboxServer, client: httpx.Client) -> None:
    first, second = send_to_rayo(sandbox, client), send_to_rayo(sandbox, client)

    assert first.json() != second.json()
    assert len(sandbox.orders("rayo")) == 2


def test_orders_are_listed_by_destination(sandbox: SandboxServer, client: httpx.Client) -> None:
    send_to_rayo(sandbox, client)
    send_to_lapyme(sandbox, client)

    listed = client.get(sandbox.url() + "sandbox/orders?destination=lapyme").json()["items"]
    (order,) = sandbox.orders("lapyme")
    assert listed == [
        {
            "destination": "lapyme",
            "remote_id": order.remote_id,
            "key": "order:tienda-ar:7001:r1",
            "body": LAPYME_BODY,
            "headers": order.headers,
            "received_at": order.received_at.isoformat().replace("+00:00", "Z"),
        }
    ]
    assert len(sandbox.orders()) == 2


def test_headers_are_recorded_without_secrets(sandbox: SandboxServer, client: httpx.Client) -> None:
    get_token(sandbox, client, api_key="muy-secreta")
    send_to_lapyme(sandbox, client, api_key="muy-secreta")

    assert "muy-secreta" not in repr(sandbox.requests()) + repr(sandbox.orders())
    assert sandbox.orders()[0].headers["idempotency-key"] == "order:tienda-ar:7001:r1"


def test_fake_destination_needs_only_its_class(client: httpx.Client) -> None:
    published = Contract(
        source="invented",
        request={"type": "object", "required": ["pedido"], "properties": {"pedido": {"type": "string"}}},
        response={"type": "object", "required": ["pedido"]},
        request_example={"pedido": "A-1"},
        response_example={"pedido": {"id": 123, "estado": "nuevo"}},
    )

    class Mensajeria(Destination[Account]):
        name = "mensajeria"
        order_schema = DestinationSchema
        contract = published
        path = "/v9/pedidos"
        order_id_path = "pedido.id"

    with SandboxServer(destinations={"mensajeria": Mensajeria()}) as sandbox:
        response = client.post(sandbox.url("mensajeria") + "/v9/pedidos?tienda=7", json={"pedido": "A-1"})
        refused = client.post(sandbox.url("mensajeria") + "/v9/pedidos", json={})

    assert (response.status_code, response.json()) == (200, {"pedido": {"id": 1, "estado": "nuevo"}})
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "the body breaks the contract", "code": "body", "details": published.validate_request({})},
    )
    assert [order.remote_id for order in sandbox.orders()] == [1]
    assert [request.query for request in sandbox.requests()] == [{"tienda": "7"}, {}]


# Tokens and keys


@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}])
def test_missing_api_key_gets_no_token(sandbox: SandboxServer, client: httpx.Client, headers: dict[str, str]) -> None:
    response = client.post(sandbox.url("rayo") + "/api/rest/auth", headers=headers)

    assert (response.status_code, response.json()) == (
        401,
        {"error": "unknown API key", "code": "access-denied", "path": "$"},
    )


def test_only_the_rejected_api_key_gets_no_token(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("rayo", "reject_key", match="revocada", times=None)

    assert get_token(sandbox, client, api_key="revocada").status_code == 401
    assert get_token(sandbox, client, api_key="revocada-no").status_code == 200


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}]
)
def test_rayo_rejects_a_missing_or_forged_token_like_hasura(
    sandbox: SandboxServer, client: httpx.Client, header: dict[str, str]
) -> None:
    response = client.post(sandbox.url("rayo") + "/api/rest/orders", json=RAYO_BODY, headers=header)

    assert (response.status_code, response.json()) == (
        400,
        {"error": "Could not verify JWT", "code": "invalid-jwt", "path": "$"},
    )
    assert sandbox.orders() == []


def test_token_of_another_sandbox_is_invalid(sandbox: SandboxServer, client: httpx.Client) -> None:
    with SandboxServer() as other:
        token = get_token(other, client).json()["AuthWithAPIkey"]["accessToken"]

    assert send_to_rayo(sandbox, client, token=token).json()["code"] == "invalid-jwt"


def test_token_expires(client: httpx.Client) -> None:
    with SandboxServer(token_life_s=0) as sandbox:
        assert send_to_rayo(sandbox, client).json()["code"] == "invalid-jwt"


def test_expire_tokens_affects_only_earlier_tokens(sandbox: SandboxServer, client: httpx.Client) -> None:
    token = get_token(sandbox, client).json()["AuthWithAPIkey"]["accessToken"]
    assert send_to_rayo(sandbox, client, token=token).status_code == 200

    sandbox.inject_fault("rayo", "expire_tokens")

    assert send_to_rayo(sandbox, client, token=token).json()["code"] == "invalid-jwt"
    assert send_to_rayo(sandbox, client).status_code == 200


def test_token_status_fault_affects_only_the_exchange(sandbox: SandboxServer, client: httpx.Client) -> None:
    token = get_token(sandbox, client).json()["AuthWithAPIkey"]["accessToken"]
    sandbox.inject_fault("rayo", "token_status", status=503)

    assert send_to_rayo(sandbox, client, token=token).status_code == 200
    assert get_token(sandbox, client).status_code == 503
    assert get_token(sandbox, client).status_code == 200


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer revocada"}])
def test_lapyme_refuses_a_missing_or_rejected_bearer(
    sandbox: SandboxServer, client: httpx.Client, header: dict[str, str]
) -> None:
    sandbox.inject_fault("lapyme", "reject_key", match="revocada")

    response = client.post(
        sandbox.url("lapyme") + "/api/v1/orders", json=LAPYME_BODY, headers=header | {"Idempotency-Key": "k"}
    )

    assert response.status_code == 401
    assert response.json() == {
        "request_id": response.json()["request_id"],
        "error": {
            "type": "authentication_error",
            "code": "AUTHENTICATION_REQUIRED",
            "message": "a Bearer with a known API key is needed",
            "retryable": False,
            "details": [],
        },
    }


# Bodies


def test_body_violating_the_rayo_contract_is_refused_and_recorded(sandbox: SandboxServer, client: httpx.Client) -> None:
    response = send_to_rayo(sandbox, client, RAYO_BODY | {"productos": []})

    assert (response.status_code, response.json()["code"]) == (400, "validation-failed")
    assert "productos" in response.json()["error"]
    assert DESTINATIONS["rayo"].contract.validate_error(response.json()) == []
    assert sandbox.orders() == []
    request = sandbox.requests("rayo")[-1]
    assert (request.outcome, json.loads(request.body or "")["productos"]) == ("refused", [])
    assert "productos" in (request.why or "")


@pytest.mark.parametrize(
    ("totals", "field"),
    [
        ({"subtotal": 20661, "tax_amount": 4338, "total": 25000}, "totals.tax_amount"),
        ({"subtotal": 20661, "tax_amount": 4340, "total": 25001}, "totals.total"),
    ],
)
def test_lapyme_refuses_inconsistent_totals(
    sandbox: SandboxServer, client: httpx.Client, totals: dict[str, int], field: str
) -> None:
    response = send_to_lapyme(sandbox, client, LAPYME_BODY | {"totals": totals})

    assert (response.status_code, response.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [field]
    assert DESTINATIONS["lapyme"].contract.validate_error(response.json()) == []
    assert sandbox.orders() == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_invalid_json_is_refused(sandbox: SandboxServer, client: httpx.Client, content: bytes) -> None:
    headers = {"Authorization": "Bearer k", "Idempotency-Key": "k", "Content-Type": "application/json"}

    response = client.post(sandbox.url("lapyme") + "/api/v1/orders", content=content, headers=headers)

    assert (response.status_code, response.json()["error"]["message"]) == (400, "the body is not JSON")


def test_body_without_a_json_content_type_is_refused(sandbox: SandboxServer, client: httpx.Client) -> None:
    headers = {"Authorization": "Bearer k", "Idempotency-Key": "k", "Content-Type": "text/plain"}

    response = client.post(sandbox.url("lapyme") + "/api/v1/orders", content=json.dumps(LAPYME_BODY), headers=headers)

    assert response.status_code == 400
    assert sandbox.orders() == []


def test_unknown_path_is_refused_and_recorded(sandbox: SandboxServer, client: httpx.Client) -> None:
    response = client.post(sandbox.url("rayo") + "/api/rest/order", json=RAYO_BODY)

    assert (response.status_code, response.json()) == (404, {"error": "no such call", "code": "not-found", "path": "$"})
    assert [request.path for request in sandbox.requests("rayo")] == ["/rayo/api/rest/order"]


# LaPyme's idempotency key


@pytest.mark.parametrize("key", [None, "", "k" * 256])
def test_lapyme_refuses_an_order_without_a_valid_idempotency_key(
    sandbox: SandboxServer, client: httpx.Client, key: str | None
) -> None:
    response = send_to_lapyme(sandbox, client, key=key)

    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert sandbox.orders() == []


def test_repeated_key_and_body_return_the_same_order(sandbox: SandboxServer, client: httpx.Client) -> None:
    first, second = send_to_lapyme(sandbox, client), send_to_lapyme(sandbox, client)

    assert first.json()["data"]["idempotent_replay"] is False
    assert second.json()["data"] == first.json()["data"] | {"idempotent_replay": True}
    assert [request.outcome for request in sandbox.requests()] == ["accepted", "replayed"]
    assert len(sandbox.orders()) == 1


def test_repeated_key_with_another_body_is_a_conflict(sandbox: SandboxServer, client: httpx.Client) -> None:
    send_to_lapyme(sandbox, client)

    response = send_to_lapyme(sandbox, client, LAPYME_BODY | {"notes": "otra"})

    assert (response.status_code, response.json()["error"]["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert [order.body for order in sandbox.orders()] == [LAPYME_BODY]


def test_refused_body_does_not_consume_its_key(sandbox: SandboxServer, client: httpx.Client) -> None:
    assert send_to_lapyme(sandbox, client, LAPYME_BODY | {"lines": []}).status_code == 400
    assert send_to_lapyme(sandbox, client).status_code == 200


def test_same_key_of_two_organisations_creates_two_orders(sandbox: SandboxServer, client: httpx.Client) -> None:
    send_to_lapyme(sandbox, client, api_key="una")
    send_to_lapyme(sandbox, client, api_key="otra")

    assert len(sandbox.orders()) == 2


def test_concurrent_threads_with_one_key_build_one_order() -> None:
    built: list[int] = []

    def build(number: int) -> AcceptedOrder:
        time.sleep(0.01)
        built.append(number)
        return AcceptedOrder(
            destination="lapyme", remote_id=number, key="k", body={}, headers={}, received_at=datetime.now(UTC)
        )

    sandbox = Sandbox()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(sandbox.accept_order, "lapyme", owner="", content=b"{}", key="k", build=build)

    assert built == [1]


def test_concurrent_requests_with_one_key_create_one_order(sandbox: SandboxServer, client: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: send_to_lapyme(sandbox, client), range(24)))

    (order,) = sandbox.orders()
    assert {response.json()["data"]["order"]["id"] for response in responses} == {order.remote_id}
    assert sorted(response.json()["data"]["idempotent_replay"] for response in responses) == [False] + [True] * 23


# Faults


@pytest.mark.parametrize("name", SEND)
def test_process_then_drop_records_the_order_without_a_response(
    sandbox: SandboxServer, client: httpx.Client, name: str
) -> None:
    sandbox.inject_fault(name, "process_then_drop")

    with pytest.raises(httpx.RemoteProtocolError):
        SEND[name](sandbox, client)
    assert len(sandbox.orders(name)) == 1


def test_key_recovers_the_order_of_a_dropped_response(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "process_then_drop")
    with pytest.raises(httpx.RemoteProtocolError):
        send_to_lapyme(sandbox, client)

    response = send_to_lapyme(sandbox, client)

    (order,) = sandbox.orders()
    assert (response.json()["data"]["order"]["id"], response.json()["data"]["idempotent_replay"]) == (
        order.remote_id,
        True,
    )


def test_drop_after_reading_records_no_order(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("rayo", "drop_after_reading")

    with pytest.raises(httpx.RemoteProtocolError):
        send_to_rayo(sandbox, client)
    request = sandbox.requests("rayo")[-1]
    assert (request.outcome, request.why, json.loads(request.body or "")) == (
        "dropped",
        "drop_after_reading",
        RAYO_BODY,
    )
    assert sandbox.orders() == []


def test_drop_unread_closes_without_waiting_for_the_body(sandbox: SandboxServer) -> None:
    sandbox.inject_fault("lapyme", "drop_unread")
    port = httpx.URL(sandbox.url()).port

    with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as connection:
        connection.sendall(b"POST /lapyme/api/v1/orders HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.recv(1) == b""

    (request,) = sandbox.requests()
    assert (request.outcome, request.body) == ("dropped", None)


def test_status_fault_refuses_in_the_vendor_format(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "status", status=429, retry_after_s=7)

    response = send_to_lapyme(sandbox, client)

    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert response.json() == {
        "request_id": response.json()["request_id"],
        "error": {
            "type": "rate_limit_error",
            "code": "RATE_LIMITED",
            "message": "Too Many Requests",
            "retryable": True,
            "details": [],
        },
    }
    assert sandbox.orders() == []


def test_status_fault_can_carry_a_vendor_code(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("rayo", "status", status=400, code="unexpected")

    response = send_to_rayo(sandbox, client)

    assert (response.status_code, response.json()) == (400, {"error": "Bad Request", "code": "unexpected", "path": "$"})


def test_process_then_status_records_the_order_and_returns_an_error(
    sandbox: SandboxServer, client: httpx.Client
) -> None:
    sandbox.inject_fault("rayo", "process_then_status", status=502)

    assert send_to_rayo(sandbox, client).status_code == 502
    assert len(sandbox.orders()) == 1


def test_garbage_fault_is_not_http(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("rayo", "garbage")

    with pytest.raises(httpx.RemoteProtocolError):
        send_to_rayo(sandbox, client)
    assert len(sandbox.orders()) == 1


@pytest.mark.parametrize("name", SEND)
def test_garbage_json_violates_the_contract(sandbox: SandboxServer, client: httpx.Client, name: str) -> None:
    sandbox.inject_fault(name, "garbage_json")

    response = SEND[name](sandbox, client)

    assert response.status_code == 200
    assert DESTINATIONS[name].contract.validate_response(response.json()) != []
    assert len(sandbox.orders()) == 1


def test_cut_body_fault_sends_the_status_and_ends_early(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "cut_body")

    with client.stream(
        "POST",
        sandbox.url("lapyme") + "/api/v1/orders",
        json=LAPYME_BODY,
        headers={"Authorization": "Bearer k", "Idempotency-Key": "k"},
    ) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            response.read()
    assert len(sandbox.orders()) == 1


def test_slow_drip_sends_single_bytes(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("rayo", "slow_drip", latency_s=0.002)
    started = time.monotonic()

    response = send_to_rayo(sandbox, client)

    assert response.json() == {"orden": {"ordenRef": sandbox.orders()[0].remote_id}}
    assert time.monotonic() - started >= 0.002 * len(response.content)


def test_latency_fault_responds_late_and_correctly(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "latency", latency_s=0.2)
    started = time.monotonic()

    assert send_to_lapyme(sandbox, client).status_code == 200
    assert time.monotonic() - started >= 0.2


def test_order_is_recorded_before_a_delayed_response(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "latency", latency_s=60)

    with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=0.3) as hasty:
        send_to_lapyme(sandbox, hasty)
    assert len(sandbox.orders()) == 1


def test_closing_the_sandbox_ends_delayed_responses(client: httpx.Client) -> None:
    with ThreadPoolExecutor(1) as pool:
        with SandboxServer() as sandbox:
            sandbox.inject_fault("lapyme", "latency", latency_s=60)
            late = pool.submit(send_to_lapyme, sandbox, client)
            while not sandbox.orders():
                time.sleep(0.01)
        assert late.result(timeout=5).status_code == 200


@pytest.mark.parametrize("fault", sorted(PROCESSED_FAULTS))
def test_refused_order_does_not_consume_the_fault(sandbox: SandboxServer, client: httpx.Client, fault: str) -> None:
    sandbox.inject_fault("lapyme", fault)

    assert send_to_lapyme(sandbox, client, LAPYME_BODY | {"lines": []}).status_code == 400
    assert [active_fault.times_left for active_fault in sandbox.faults()] == [1]


def test_fault_occurs_the_requested_number_of_times(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "status", status=503, times=2)

    assert [send_to_lapyme(sandbox, client).status_code for _ in range(3)] == [503, 503, 200]


def test_unlimited_fault_lasts_until_cleared(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "status", status=503, times=None)
    assert [send_to_lapyme(sandbox, client).status_code for _ in range(3)] == [503, 503, 503]

    assert client.delete(sandbox.url() + "sandbox/faults").status_code == 204

    assert send_to_lapyme(sandbox, client).status_code == 200


def test_faults_occur_in_the_order_injected(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "process_then_status", status=500)
    sandbox.inject_fault("lapyme", "status", status=429)

    assert [send_to_lapyme(sandbox, client).status_code for _ in range(3)] == [500, 429, 200]


def test_fault_can_target_an_order_by_text_or_key(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("lapyme", "status", status=500, match=":7002:", times=None)
    sandbox.inject_fault("lapyme", "status", status=502, match="Año Nuevo", times=None)

    statuses = [
        send_to_lapyme(sandbox, client, key="order:tienda-ar:7001:r1").status_code,
        send_to_lapyme(sandbox, client, key="order:tienda-ar:7002:r1").status_code,
        send_to_lapyme(
            sandbox, client, LAPYME_BODY | {"notes": "Año Nuevo"}, key="order:tienda-ar:7003:r1"
        ).status_code,
    ]

    assert statuses == [200, 500, 502]


def test_fault_affects_one_destination(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("rayo", "status", times=None)

    assert send_to_lapyme(sandbox, client).status_code == 200


# Centelar


@pytest.mark.parametrize(
    ("body", "query", "message"),
    [
        (CENTELAR_BODY, "", "connection_id must be an integer"),
        (CENTELAR_BODY, "?connection_id=uno", "connection_id must be an integer"),
        ({**CENTELAR_BODY, "price": "250"}, "?connection_id=1", '$.price breaks “type: "number"”'),
    ],
)
def test_centelar_refusal_has_status_200(
    sandbox: SandboxServer, client: httpx.Client, body: Any, query: str, message: str
) -> None:
    response = send_to_centelar(sandbox, client, body, query)

    assert (response.status_code, response.json()) == (200, {"success": False, "error": message})
    assert DESTINATIONS["centelar"].classify_response(200, response.json()) is Outcome.REFUSED
    assert sandbox.orders() == []


# Controls


def test_fault_is_injected_and_listed_over_http(sandbox: SandboxServer, client: httpx.Client) -> None:
    fault = {"destination": "lapyme", "fault": "status", "times": None, "status": 429, "retry_after_s": 3}

    added = client.post(sandbox.url() + "sandbox/faults", json=fault)

    expected = {
        "destination": "lapyme",
        "fault": "status",
        "times_left": None,
        "match": None,
        "status": 429,
        "code": None,
        "retry_after_s": 3,
        "latency_s": 0.0,
    }
    assert (added.status_code, added.json()) == (201, expected)
    assert client.get(sandbox.url() + "sandbox/faults").json() == {"items": [expected]}
    assert send_to_lapyme(sandbox, client).headers["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("fault", "errors"),
    [
        ({}, {"destination": ["Missing data for required field."], "fault": ["Missing data for required field."]}),
        ({"destination": "rayo", "fault": "status", "colour": 1}, {"colour": ["Unknown field."]}),
        (
            {"destination": "rayo", "fault": "drop_unread", "match": "x"},
            {"match": ["cannot look into a body that is not read."]},
        ),
        ({"destination": "rayo", "fault": "status", "status": 200}, {"status": ["must be a failure, 300 to 599."]}),
        ({"destination": "rayo", "fault": "latency", "status": 500}, {"status": ["means nothing to latency."]}),
        ([], {"_schema": ["Invalid input type."]}),
    ],
)
def test_invalid_fault_is_refused(
    sandbox: SandboxServer, client: httpx.Client, fault: Any, errors: dict[str, list[str]]
) -> None:
    response = client.post(sandbox.url() + "sandbox/faults", json=fault)

    assert (response.status_code, response.json()) == (400, {"errors": errors})
    assert sandbox.faults() == []


def test_fault_for_an_unknown_destination_or_kind_is_refused(sandbox: SandboxServer) -> None:
    with pytest.raises(ValidationError):
        sandbox.inject_fault("rajo", "status")
    with pytest.raises(ValidationError):
        sandbox.inject_fault("rayo", "explode")


def test_a_rejected_key_is_not_shown(sandbox: SandboxServer, client: httpx.Client) -> None:
    sandbox.inject_fault("rayo", "reject_key", match="muy-secreta")

    assert "muy-secreta" not in client.get(sandbox.url() + "sandbox/faults").text + client.get(sandbox.url()).text


def test_clearing_orders_clears_their_keys(sandbox: SandboxServer, client: httpx.Client) -> None:
    send_to_lapyme(sandbox, client)

    assert client.delete(sandbox.url() + "sandbox/orders").status_code == 204

    assert (sandbox.orders(), sandbox.requests()) == ([], [])
    assert send_to_lapyme(sandbox, client, LAPYME_BODY | {"notes": "otra"}).status_code == 200


def test_requests_are_listed_with_their_outcomes(sandbox: SandboxServer, client: httpx.Client) -> None:
    send_to_rayo(sandbox, client)
    sandbox.inject_fault("rayo", "process_then_status")
    send_to_rayo(sandbox, client)

    listed = client.get(sandbox.url() + "sandbox/requests?destination=rayo").json()["items"]

    assert [(request["path"], request["outcome"], request["why"]) for request in listed] == [
        ("/rayo/api/rest/auth", "token", None),
        ("/rayo/api/rest/orders", "accepted", None),
        ("/rayo/api/rest/auth", "token", None),
        ("/rayo/api/rest/orders", "accepted", "process_then_status"),
    ]


def test_reset_clears_orders_requests_and_faults(sandbox: SandboxServer, client: httpx.Client) -> None:
    send_to_rayo(sandbox, client)
    sandbox.inject_fault("rayo", "status")

    sandbox.reset()

    assert (sandbox.orders(), sandbox.requests(), sandbox.faults()) == ([], [], [])


def test_the_page_shows_orders_refusals_and_faults_escaped(sandbox: SandboxServer, client: httpx.Client) -> None:
    send_to_lapyme(sandbox, client, LAPYME_BODY | {"notes": "<script>alert(1)</script>"})
    send_to_lapyme(sandbox, client, {"<b>": 1}, key="otra")
    sandbox.inject_fault("lapyme", "slow_drip", match="<i>")

    response = client.get(sandbox.url())

    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert all(raw not in response.text for raw in ("<script", "<b>", "<i>"))
    assert str(sandbox.orders()[0].remote_id) in response.text
    assert "the body breaks the contract" in response.text
    assert all(kind.value in response.text for kind in FaultKind)


def test_port_in_use_raises_an_error(sandbox: SandboxServer) -> None:
    port = httpx.URL(sandbox.url()).port

    with pytest.raises(OSError, match="in use"):
        SandboxServer(port=port or 0)


def test_serve_is_silent_and_stops_on_sigterm() -> None:
    code = (
        "import httpx\n"
        "from connector.sandbox.server import serve\n"
        "def call(sandbox):\n"
        "    sandbox.inject_fault('lapyme', 'process_then_drop')\n"
        "    httpx.get(sandbox.url())\n"
        "    httpx.get(sandbox.url('lapyme') + '/nothing')\n"
        "    print('ready', flush=True)\n"
        "serve('127.0.0.1', 0, on_start=call)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (0, "", "")
