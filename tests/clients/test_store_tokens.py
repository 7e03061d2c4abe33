"""The access tokens of stores' APIs are obtained, renewed and shared, and never stored unencrypted."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from connector.core.http_result import HttpResult
from connector.core.messages import render_stored
from connector.database.models import StoreToken
from connector.runtime import Runtime, open_runtime, open_store_api
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings
from tests.support.orders import SHOPIFY_SECRET, shopify_order
from tests.support.service import Clock, Service

KEY, OTHER_KEY = "a2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg5YWJjZGU=", "b3RoZXIta2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg="
CLIENT_SECRET = "secreto-de-la-app"
COUNT = "/admin/api/2026-10/orders/count.json"
EXCHANGE = "/shopify/admin/oauth/access_token"

CONFIGURATION = f"""
[stores.tienda]
storefront = "shopify"
client_id = "app-de-la-tienda"
client_secret = "{CLIENT_SECRET}"
api_url = "SANDBOX/shopify"

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "SANDBOX/rayo"

[[routes]]
from = "tienda"
to = ["bodega"]
"""

OpenProcess = Callable[..., Runtime]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(sandbox: SandboxServer, clock: Clock) -> Iterator[SandboxServer]:
    """The sandbox, at the time of the test's clock."""
    real_clock, sandbox.store_tokens.clock = sandbox.store_tokens.clock, clock
    yield sandbox
    sandbox.store_tokens.clock = real_clock


@pytest.fixture
def open_process(
    shop: SandboxServer, clock: Clock, tmp_path: Path, environ: dict[str, str], migrated_sqlite: Path
) -> Iterator[OpenProcess]:
    """Open a runtime, as each of several processes with one database does."""
    if environ["DATABASE_URL"].startswith("sqlite"):
        shutil.copyfile(migrated_sqlite, tmp_path / "connector.db")
    with ExitStack() as stack:

        def open_with(keys: str = KEY, text: str = CONFIGURATION) -> Runtime:
            path = tmp_path / "connector.toml"
            path.write_text(text.replace("SANDBOX/", shop.url()), "utf-8")
            settings = load_settings(path, {**environ, "TOKEN_KEYS": keys})
            return stack.enter_context(open_runtime(settings, with_clients=True, clock=clock))

        yield open_with


def call(runtime: Runtime, path: str = COUNT) -> HttpResult:
    return runtime.store_apis["tienda"].request("GET", path, timeout_s=5)


def exchanges(shop: SandboxServer) -> int:
    return sum(request.path == EXCHANGE for request in shop.requests("shopify"))


def stored_token(runtime: Runtime) -> str:
    with runtime.database.read() as session:
        return session.exec(select(StoreToken.token)).one()


def test_two_processes_read_for_25_hours_with_two_exchanges(
    open_process: OpenProcess, shop: SandboxServer, clock: Clock
) -> None:
    processes = open_process(), open_process()
    for _ in range(4 * 25):
        assert [call(process).status for process in processes] == [200, 200]
        clock.forward(15 * 60)
    assert exchanges(shop) == 2


def test_processes_and_threads_that_start_at_once_make_one_exchange(
    open_process: OpenProcess, shop: SandboxServer
) -> None:
    processes = open_process(), open_process()
    shop.inject_fault("shopify", "latency", latency_s=0.5)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(call, processes * 4))
    assert {result.status for result in results} == {200}
    assert exchanges(shop) == 1


def test_token_is_renewed_before_it_expires(open_process: OpenProcess, shop: SandboxServer, clock: Clock) -> None:
    process = open_process()
    call(process)
    clock.forward(86_399 - 301)
    call(process)
    assert exchanges(shop) == 1
    clock.forward(2)
    call(process)
    assert exchanges(shop) == 2
    assert all(request.outcome == "served" for request in shop.requests("shopify"))


def test_revoked_token_is_replaced_after_one_rejection(open_process: OpenProcess, shop: SandboxServer) -> None:
    processes = open_process(), open_process()
    for process in processes:
        call(process)
    shop.inject_fault("shopify", "expire_tokens")
    assert [call(process).status for process in processes] == [200, 200]
    assert exchanges(shop) == 2
    outcomes = [request.outcome for request in shop.requests("shopify") if request.path != EXCHANGE]
    assert outcomes == ["served", "served", "refused", "served", "refused", "served"]


def test_request_that_is_rejected_again_is_not_repeated_further(open_process: OpenProcess, shop: SandboxServer) -> None:
    shop.inject_fault("shopify", "status", status=401, match=COUNT, times=None)
    assert call(open_process()).status == 401
    assert len(shop.requests("shopify")) == 4


def test_valid_token_is_used_while_it_cannot_be_renewed(
    open_process: OpenProcess, shop: SandboxServer, clock: Clock
) -> None:
    process = open_process()
    call(process)
    shop.inject_fault("shopify", "status", status=503, match=EXCHANGE, times=None)
    clock.forward(86_399 - 200)
    assert [call(process).status for _ in range(3)] == [200] * 3
    assert exchanges(shop) == 2
    clock.forward(300)
    assert call(process).status == 503


def test_valid_token_is_used_while_its_renewal_hangs(
    open_process: OpenProcess, shop: SandboxServer, clock: Clock
) -> None:
    process = open_process()
    call(process)
    shop.inject_fault("shopify", "latency", latency_s=30, match=EXCHANGE)
    clock.forward(86_399 - 200)
    result = process.store_apis["tienda"].request("GET", COUNT, timeout_s=2)
    assert result.status == 200


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (
            {"fault": "reject_key", "match": CLIENT_SECRET},
            401,
            "the store's app is rejected (status 400, invalid_client)",
        ),
        ({"fault": "status", "status": 503}, 503, "no access token: status 503"),
        ({"fault": "status", "status": 404}, None, "no access token: status 404"),
        ({"fault": "drop_after_reading"}, None, "no access token: the connection"),
        ({"fault": "garbage_json"}, None, "no access token: status 200"),
    ],
)
def test_request_without_a_token_says_why(
    open_process: OpenProcess, shop: SandboxServer, fault: dict[str, Any], status: int | None, message: str
) -> None:
    shop.add_fault({"destination": "shopify", **fault})
    result = call(open_process())
    assert (result.status, result.was_sent, result.body) == (status, False, None)
    assert message in render_stored(result.error)
    assert [request.path for request in shop.requests("shopify")] == [EXCHANGE]


# --- storage ---


def test_token_is_stored_encrypted(open_process: OpenProcess) -> None:
    process = open_process()
    call(process)
    token = process.store_apis["tienda"].tokens.get(timeout_s=1)
    assert token.startswith("shpat_")
    assert token not in stored_token(process)
    assert token not in repr(process.store_apis["tienda"].tokens._token)


def test_token_is_encrypted_again_with_the_newest_key(open_process: OpenProcess, shop: SandboxServer) -> None:
    first = open_process(KEY)
    call(first)
    encrypted = stored_token(first)
    call(open_process(f"{OTHER_KEY},{KEY}"))
    assert stored_token(first) != encrypted
    call(open_process(OTHER_KEY))
    assert exchanges(shop) == 1


def test_token_that_no_key_decrypts_is_replaced(open_process: OpenProcess, shop: SandboxServer) -> None:
    call(open_process(KEY))
    assert call(open_process(OTHER_KEY)).status == 200
    assert exchanges(shop) == 2


def test_token_of_another_app_is_not_used(open_process: OpenProcess, shop: SandboxServer) -> None:
    call(open_process())
    call(open_process(text=CONFIGURATION.replace("app-de-la-tienda", "otra-app")))
    assert exchanges(shop) == 2


def test_without_a_key_nothing_is_stored(open_process: OpenProcess, shop: SandboxServer) -> None:
    process = open_process(keys="")
    assert [call(process).status, call(process).status] == [200, 200]
    with open_store_api(process, process.settings.stores["tienda"]) as api:
        assert api is not None
        assert api.request("GET", COUNT, timeout_s=5).status == 200
    with process.database.read() as session:
        assert session.exec(select(StoreToken)).all() == []
    assert exchanges(shop) == 1


# --- orders ---

SHOP = """
[stores.tienda-mx]
storefront = "shopify"
client_id = "app-de-la-tienda"
client_secret = "{shopify}"
since = "2026-01-01T00:00:00Z"
api_url = "SANDBOX/shopify"

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"
identifier = "barcode"

[[routes]]
from = "tienda-mx"
to = ["bodega"]
"""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            {"fault": "reject_key", "match": SHOPIFY_SECRET},
            "not fetched: no access token, because the store's app is rejected (status 400, invalid_client): check its "
            "client_id and client_secret, and that it is installed in the shop",
        ),
        ({"fault": "token_status", "status": 503}, "not fetched: no access token: status 503, server_error"),
    ],
)
def test_order_waits_while_there_is_no_token(
    open_service: Callable[..., Service], sandbox: SandboxServer, fault: dict[str, Any], message: str
) -> None:
    service = open_service(text=SHOP.replace("SANDBOX/", sandbox.url()))
    [line] = shopify_order()["line_items"]
    order = shopify_order(line_items=[{**line, "variant_id": 41, "barcode": "7501234567893"}])
    sandbox.put_order("shopify", "tienda", order)
    service.post_shopify({**order, "line_items": [{**line, "variant_id": 41}]})
    sandbox.add_fault({"destination": "shopify", "times": None, **fault})
    for _ in range(3):
        service.deliver_due()
        service.clock.forward(120)
    waiting = service.only_delivery()
    assert (waiting["state"], waiting["attempt_log"][-1]["error"]) == ("waiting", message)
    assert SHOPIFY_SECRET not in repr(waiting)
    assert {request.path for request in sandbox.requests("shopify")} == {EXCHANGE}

    sandbox.clear_faults()
    service.clock.forward(120)
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
