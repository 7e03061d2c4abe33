"""PostgreSQL only: many machines, the server's clock, lost connections."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from connector.core.exceptions import DatabaseUnavailableError
from connector.database import postgresql
from connector.database.circuits import lock_free_circuits
from connector.database.claims import Limit, claim_deliveries, ensure_circuits
from connector.database.deliveries import lock_deliveries
from connector.database.engine import Database, Transaction
from connector.database.events import IncomingWebhook, record_events
from connector.database.postgresql import Postgresql, ServerClock, driver_url, libpq_url
from connector.web.app import create_app
from mappings import STOREFRONTS
from tests.support.orders import encode, woo_order
from tests.support.service import Service

pytestmark = pytest.mark.postgresql


@pytest.fixture
def databases(service: Service) -> Iterator[list[Database]]:
    """Four connections to the database, as four machines open them."""
    url = service.runtime.settings.environment.database_url
    opened = [Database(url, connections=2) for _ in range(4)]
    yield opened
    for database in opened:
        database.close()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_heroku_url_scheme_is_accepted(scheme: str) -> None:
    url = driver_url(f"{scheme}://ana:secreto@db.example:5432/pedidos?sslmode=require")
    expected = "postgresql+psycopg://ana:secreto@db.example:5432/pedidos?sslmode=require"
    assert url.render_as_string(hide_password=False) == expected


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgres://u:p@db.example/pedidos", "require"),
        ("postgres://u:p@10.0.0.5:5432/pedidos", "require"),
        ("postgres:///pedidos?host=db.example", "require"),
        ("postgres://u:p@db.example/pedidos?sslmode=verify-full", "verify-full"),
        ("postgres://u:p@db.example/pedidos?sslmode=disable", "disable"),
        ("postgres://u:p@localhost/pedidos", None),
        ("postgres://u:p@127.0.0.1/pedidos", None),
        ("postgres://u:p@[::1]/pedidos", None),
        ("postgresql:///pedidos?host=/run/postgresql", None),
    ],
)
def test_tls_is_required_of_a_server_elsewhere(url: str, sslmode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert driver_url(url).query.get("sslmode") == sslmode
    if sslmode:
        assert f"sslmode={sslmode}" in libpq_url(driver_url(url))
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert driver_url(url).query.get("sslmode") in {sslmode, None}


def test_many_machines_claim_each_delivery_once(service: Service, databases: list[Database]) -> None:
    for number in range(40):
        service.post_woo(woo_order(number))
    ensure_circuits(service.database, ["erp"])
    claimed: list[int] = []

    def claim_all(number: int) -> None:
        for _ in range(30):
            batch = claim_deliveries(databases[number], worker_id=f"m{number}", limits={"erp": Limit(40)}, lease_s=60)
            claimed.extend(claim.delivery.id for claim in batch)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(claim_all, range(4)))
    assert sorted(claimed) == list(range(1, 41))


def test_many_machines_record_an_event_once_and_honour_cancellation(
    service: Service, databases: list[Database]
) -> None:
    clients = [
        replace(service, client=create_app(replace(service.runtime, database=database)).test_client())
        for database in databases
    ]
    for number in range(10):
        paid = woo_order(number)
        cancelled = woo_order(number, status="cancelled", date_modified_gmt="2026-11-20T15:09:00")
        payloads = [paid, cancelled, paid, cancelled]
        with ThreadPoolExecutor(4) as pool:
            responses = list(pool.map(lambda pair: pair[0].post_woo(pair[1]).json, zip(clients, payloads, strict=True)))
        assert sorted(response["status"] == "duplicate" for response in responses) == [False, False, True, True]
    service.drain()
    assert service.sandbox.orders("lapyme") == []
    assert {delivery["state"] for delivery in service.deliveries()} <= {"discarded"}


def record_webhook(transaction: Transaction, payload: dict[str, Any], topic: str) -> None:
    """Record a WooCommerce webhook in the open transaction of another machine."""
    body = encode(payload)
    identity = STOREFRONTS["woocommerce"].identify({"x-wc-webhook-topic": topic}, payload, body)
    arrival = IncomingWebhook(store="tienda-ar", identity=identity, body=body, accounts={"erp": "lapyme"})
    record_events(transaction, [arrival])


def wait_until_blocked(service: Service, posting: Future[Any]) -> None:
    """Wait until the post is blocked by the server or has been answered."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'connector' AND wait_event_type = 'Lock'"
    while not posting.done():
        with service.database.read() as session:
            if session.connection().exec_driver_sql(waiting).scalar_one():
                return
        time.sleep(0.01)


def test_event_being_recorded_elsewhere_is_a_duplicate(service: Service, databases: list[Database]) -> None:
    draft = woo_order(status="checkout-draft")  # it has no order to lock
    with ThreadPoolExecutor(1) as pool:
        with databases[0].write() as transaction:
            record_webhook(transaction, draft, "order.created")
            posting = pool.submit(service.post_woo, draft, "order.created")
            wait_until_blocked(service, posting)
        assert (posting.result().status_code, posting.result().json) == (200, {"status": "duplicate", "event": "1"})


def test_events_of_an_order_are_recorded_serially(service: Service, databases: list[Database]) -> None:
    cancelled = woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00")
    with ThreadPoolExecutor(1) as pool:
        with databases[0].write() as transaction:
            record_webhook(transaction, woo_order(), "order.updated")
            posting = pool.submit(service.post_woo, cancelled)
            wait_until_blocked(service, posting)
        assert posting.result().json["status"] == "accepted"
    assert [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()] == [
        ("discarded", "cancelled")
    ]


def test_claims_for_an_account_are_serialized(service: Service, databases: list[Database]) -> None:
    service.post_woo(woo_order())
    ensure_circuits(service.database, ["erp"])
    limits = {"erp": Limit(1)}
    with databases[0].write() as transaction:
        assert [circuit.account for circuit in lock_free_circuits(transaction, limits)] == ["erp"]
        assert claim_deliveries(databases[1], worker_id="another", limits=limits, lease_s=60) == []
    assert len(claim_deliveries(databases[1], worker_id="another", limits=limits, lease_s=60)) == 1


def test_claim_skips_locked_rows(service: Service, databases: list[Database]) -> None:
    for number in (1, 2):
        service.post_woo(woo_order(number))
    ensure_circuits(service.database, ["erp"])
    with databases[0].write() as transaction:
        assert list(lock_deliveries(transaction, [1])) == [1]
        databases[1].timeout_s = 2
        [claimed] = claim_deliveries(databases[1], worker_id="another", limits={"erp": Limit(4)}, lease_s=60)
    assert claimed.delivery.id == 2


def test_leases_use_the_server_clock(service: Service) -> None:
    database = Database(service.runtime.settings.environment.database_url)
    with database.read() as session:
        server = session.connection().exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    assert abs(database.clock() - server) < timedelta(seconds=0.5)
    database.close()


def test_local_clock_change_does_not_affect_server_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Wrong":
            return cls(2031, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(postgresql, "datetime", Wrong)
    clock = ServerClock()
    with service.database.read() as session:
        clock.sync(session.connection())
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_new_delivery_notifies_a_listening_worker(service: Service) -> None:
    woken = threading.Event()
    with service.database.listen(woken.set):
        assert woken.wait(10)  # it listens
        woken.clear()
        service.post_woo(woo_order())
        assert woken.wait(10)


def test_listener_reconnects(service: Service) -> None:
    woken = threading.Event()
    url = service.runtime.settings.environment.database_url
    with service.database.listen(woken.set):
        assert woken.wait(10)
        woken.clear()
        terminate_connections(url, "LISTEN%")
        assert woken.wait(10)  # it reconnects and wakes up in case something arrived meanwhile
        woken.clear()
        service.post_woo(woo_order())
        assert woken.wait(10)


def terminate_connections(url: str, query: str = "%") -> None:
    """Terminate the connections whose last statement matches `query`, as a server restart does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'connector' AND query LIKE %s",
            [query],
        )


def test_pool_reopens_dropped_connections(service: Service) -> None:
    service.post_woo(woo_order(1))
    terminate_connections(service.runtime.settings.environment.database_url)
    assert service.post_woo(woo_order(2)).json["status"] == "accepted"
    service.drain()
    assert [delivery["state"] for delivery in service.deliveries()] == ["delivered", "delivered"]


def test_unavailable_server_is_503_until_it_returns(service: Service) -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/none", timeout_s=1)
    lost = replace(service, client=create_app(replace(service.runtime, database=away)).test_client())
    response = lost.post_woo(woo_order())
    assert (response.status_code, int(response.headers["Retry-After"]) > 0) == (503, True)
    assert response.json["detail"] == "the database is unavailable"  # not where it is
    away.close()
    assert service.post_woo(woo_order()).json["status"] == "accepted"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://nobody:secreto@127.0.0.1:9/none",
            "“none” at 127.0.0.1, port 9, is unavailable: Connection refused",
        ),
        (
            "postgresql://nobody:secreto@localhost:9/none",
            "“none” at localhost, port 9, is unavailable: Connection refused",
        ),
        (
            "postgresql:///none?host=/nowhere",
            "“none” at /nowhere, port 5432, is unavailable: No such file or directory",
        ),
    ],
)
def test_unreachable_server_is_named_with_the_reason(url: str, message: str) -> None:
    away = Database(url, timeout_s=1)
    with pytest.raises(DatabaseUnavailableError) as caught, away.read():
        pass
    away.close()
    assert str(caught.value) == f"the database {message}"


def test_database_that_does_not_exist_is_named(service: Service) -> None:
    url = driver_url(service.runtime.settings.environment.database_url).set(database="sin_base")
    away = Database(libpq_url(url))
    with (
        pytest.raises(DatabaseUnavailableError, match=r'“sin_base” at .*: database "sin_base" does not exist'),
        away.read(),
    ):
        pass
    away.close()


def test_missing_privilege_is_a_reason_without_a_traceback(service: Service) -> None:
    def read_as_another_role(transaction: Transaction) -> None:
        for statement in ("CREATE ROLE sin_permiso", "SET LOCAL ROLE sin_permiso", "SELECT * FROM events"):
            transaction.connection.exec_driver_sql(statement)

    with pytest.raises(DatabaseUnavailableError, match="is unavailable: permission denied for table events"):
        service.database.transact(read_as_another_role)


def test_message_of_an_unavailable_database_has_no_password() -> None:
    backend = Postgresql("postgresql://nobody:secreto@127.0.0.1:9/none", connections=1, timeout_s=1)
    error = psycopg.OperationalError('connection failed: FATAL:  bad option "secreto"\nLINE 2')
    assert backend.describe_error(error) == 'bad option "***"'
    assert "secreto" not in backend.location
    backend.close()


def test_process_respects_its_connection_limit(service: Service) -> None:
    database = Database(service.runtime.settings.environment.database_url, connections=2)

    def read(_: int) -> int:
        with database.read() as session:
            session.connection().exec_driver_sql("SELECT pg_sleep(0.02)")
            server_pid: int = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            return server_pid

    with ThreadPoolExecutor(8) as pool:
        server_pids = set(pool.map(read, range(16)))
    assert len(server_pids) <= 2  # not those in pg_stat_activity, where connections of earlier tests may linger
    database.close()


def test_commits_are_durable_regardless_of_the_server_default(service: Service) -> None:
    with service.database.write() as transaction:
        assert transaction.connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
