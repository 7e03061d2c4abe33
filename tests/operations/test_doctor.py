"""`connector doctor`: it reports problems with remedies, and nothing on a healthy service."""

import os
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connector.core.check_result import CheckResult, Severity
from connector.core.http_result import HttpResult
from connector.database.health import check_pages, file_system_type
from connector.database.stats.gauges import Gauges
from connector.operations.doctor import check_catch_up, check_clock, check_lost_webhooks, check_worker, run_checks
from tests.support.listing import catch_up, changed_order, open_shop
from tests.support.orders import shopify_order, woo_order
from tests.support.service import CONFIGURATION, Service

#: The PostgreSQL server of the tests runs without fsync.
HOST_REMEDY = "set fsync and synchronous_commit to on"

Examine = Callable[..., list[CheckResult]]


@pytest.fixture
def examine(tmp_path: Path, environ: dict[str, str]) -> Examine:
    """Run the checks of `connector doctor`. Returns those that are not OK."""

    def look(*, is_offline: bool = True) -> list[CheckResult]:
        checks = run_checks(tmp_path / "connector.toml", environ, is_offline=is_offline)
        return [check for check in checks if check.severity != Severity.OK and check.remedy != HOST_REMEDY]

    return look


def subjects_and_severities(checks: list[CheckResult]) -> list[tuple[str, str]]:
    return [(check.subject, check.severity) for check in checks]


def create_traffic(service: Service) -> None:
    """Create delivered orders and a running worker."""
    service.post_shopify(shopify_order())
    service.post_woo(woo_order())
    service.drain()


def test_healthy_service_has_no_findings(service: Service, examine: Examine) -> None:
    create_traffic(service)
    assert examine(is_offline=False) == []


def test_missing_webhooks_and_worker_are_reported(service: Service, examine: Examine) -> None:
    checks = examine()
    assert subjects_and_severities(checks) == [
        ("worker", "warning"),
        ("store tienda-mx", "warning"),
        ("store tienda-ar", "warning"),
    ]
    assert [check.message for check in checks[1:]] == ["it has never sent a webhook"] * 2
    assert all(check.remedy for check in checks)


def test_running_worker_is_ok_without_alert_channels(service: Service, examine: Examine) -> None:
    assert service.runtime.settings.alerts.channels == ()
    worker, other_worker = service.worker(), service.worker()
    worker.run_duties()
    other_worker.run_duties()
    assert "worker" not in {check.subject for check in examine()}
    other_worker.shut_down(ThreadPoolExecutor())
    assert "worker" not in {check.subject for check in examine()}
    worker.shut_down(ThreadPoolExecutor())
    assert ("worker", "warning") in subjects_and_severities(examine())


STORE_APIS = """
[stores.otra]
storefront = "{storefront}"
secrets = ["another-secret"]
api_url = "{url}"
{more}
"""


@pytest.mark.parametrize(
    ("storefront", "more"),
    [
        ("shopify", 'api_token = "ficha"'),
        ("woocommerce", 'api_token = "ck_clave:cs_secreto"'),
        ("tiendanube", 'api_token = "ficha"\nstore_id = "5"'),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_key_that_may_not_read_orders_is_a_fault_that_names_it(
    open_service: Callable[..., Service], examine: Examine, storefront: str, more: str, status: int
) -> None:
    service = open_service()
    config = service.runtime.settings.directory / "connector.toml"
    api = STORE_APIS.format(storefront=storefront, url=service.sandbox.url(storefront), more=more)
    config.write_text(config.read_text("utf-8") + api, "utf-8")
    create_traffic(service)
    assert [check.message for check in examine(is_offline=False)] == ["it has never sent a webhook"]
    service.sandbox.inject_fault(storefront, "status", status=status, times=None)
    _, check = examine(is_offline=False)
    assert (check.subject, check.severity) == ("store otra", "fault")
    assert f"rejects api_token (status {status}): the key is wrong, or may not read orders" in check.message
    assert check.remedy == "set api_token of [stores.otra] to a key that may read orders"


def test_store_api_that_does_not_know_the_request_is_reported(
    open_service: Callable[..., Service], examine: Examine
) -> None:
    service = open_service()
    config = service.runtime.settings.directory / "connector.toml"
    url = service.sandbox.url("woocommerce") + "/other"
    api = STORE_APIS.format(storefront="woocommerce", url=url, more='api_token = "ck_clave:cs_secreto"')
    config.write_text(config.read_text("utf-8") + api, "utf-8")
    create_traffic(service)
    _, check = examine(is_offline=False)
    message = f"its API at {url} does not answer a request for orders: status 404"
    assert (check.severity, check.message, check.remedy) == ("warning", message, "check api_url")


def catch_up_checks(service: Service) -> list[tuple[str, str]]:
    """The severity and message of each check of the WooCommerce store's orders."""
    settings, database, now = service.runtime.settings, service.database, service.clock()
    checks = [*check_catch_up(settings, database, now), *check_lost_webhooks(settings, database, now)]
    return [(check.severity, check.message) for check in checks if check.subject == "store tienda-ar"]


def test_reading_of_a_stores_orders_is_reported(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    not_configured = "its API is not configured, so catch-up does not look for orders without a webhook"
    assert catch_up_checks(service) == [("ok", not_configured)]
    shop = open_shop(service, monkeypatch)
    assert catch_up_checks(service) == [
        ("ok", "its orders have not been read yet; a worker does so soon after its start")
    ]
    catch_up(service, shop)
    service.clock.forward(600)
    assert catch_up_checks(service) == [("ok", "its orders were read 10 min ago")]
    service.clock.forward(8_000)
    assert catch_up_checks(service) == [("warning", "its orders were read 2 h ago")]
    shop.responses = [HttpResult(status=401)] * 3
    catch_up(service, shop)
    assert catch_up_checks(service) == [("warning", "its orders could not be read for 0 s: credentials rejected")]
    catch_up(service, shop)
    catch_up(service, shop)
    service.clock.forward(1_200)
    assert catch_up_checks(service) == [("fault", "its orders could not be read for 20 min: credentials rejected")]


def test_catch_up_that_is_off_is_reported(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(service, monkeypatch, catch_up_every_s=0.0)
    message = "catch-up reads its orders only when a person asks for it (catch_up_every_s is 0)"
    assert catch_up_checks(service) == [("ok", message)]


def test_lost_webhooks_are_reported(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch)
    service.clock.forward(3_600)
    shop.orders = [changed_order(service, 1)]
    catch_up(service, shop)
    service.clock.forward(180)
    assert catch_up_checks(service) == [
        ("ok", "its orders were read 3 min ago"),
        ("warning", "1 orders of the last 24 h came without a webhook, the last was found 3 min ago"),
    ]


def test_rejected_key_of_an_account_is_a_fault_that_names_it(service: Service, examine: Examine) -> None:
    create_traffic(service)
    service.sandbox.inject_fault("lapyme", "reject_key", times=None)
    [check] = examine(is_offline=False)
    assert (check.subject, check.severity) == ("account erp", "fault")
    assert check.remedy == "replace its key: connector accounts set-credentials erp, or on the dashboard"


def test_parked_orders_are_reported_with_a_list_command(service: Service, examine: Examine) -> None:
    create_traffic(service)
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order(7))
    service.drain()
    [check] = examine()
    assert (check.subject, check.message) == ("account erp", "1 of its orders are parked as refused")
    assert "connector list --state parked --reason refused --account erp" in (check.remedy or "")


def test_wrong_signatures_are_reported(service: Service, examine: Examine) -> None:
    create_traffic(service)
    for _ in range(2):
        service.client.post("/webhooks/tienda-ar", data=b"{}", headers={"X-WC-Webhook-Signature": "other"})
    service.client.post("/webhooks/tienda-ar", data=b"{}")
    service.client.application.extensions["rejected"].flush()
    [check] = examine()
    assert (check.subject, check.severity) == ("store tienda-ar", "warning")
    assert re.fullmatch(
        r"3 webhooks with a wrong signature in \d+ s, the last \d+ s ago: there is no signature", check.message
    )
    assert "`secrets` of [stores.tienda-ar]" in (check.remedy or "")


@pytest.mark.parametrize(
    ("code", "severity", "meaning"),
    [
        ("woocommerce_rest_cannot_view", "fault", "the webhook's user was deleted"),
        ("woocommerce_rest_invalid_shop_order_id", "fault", "version 1 of the API"),
        ("woocommerce_rest_shop_order_invalid_id", "warning", "deleted before the shop's queue ran"),
        ("woocommerce_rest_unknown", "fault", "which the webhook's content names"),
    ],
)
def test_errors_in_place_of_orders_are_counted_and_reported_until_an_order_comes(
    service: Service, examine: Examine, code: str, severity: str, meaning: str
) -> None:
    create_traffic(service)
    for topic in ("order.created", "order.updated", "order.updated"):
        service.post_woo({"code": code, "message": "Sorry", "data": {"status": 401}}, topic)
    [check] = examine()
    assert (check.subject, check.severity) == ("store tienda-ar", severity)
    assert re.match(r"3 errors in place of orders in \d+ s, the last \d+ s ago: WooCommerce sen", check.message)
    assert meaning in check.message
    service.post_woo(woo_order(9))
    service.drain()
    assert examine() == []


def test_short_metrics_token_is_reported(service: Service, tmp_path: Path, environ: dict[str, str]) -> None:
    checks = run_checks(tmp_path / "connector.toml", environ | {"METRICS_TOKEN": "m"}, is_offline=True)
    assert "METRICS_TOKEN has fewer than 32 characters" in [check.message for check in checks]


def test_paused_account_is_reported_with_a_remedy(service: Service, examine: Examine) -> None:
    create_traffic(service)
    service.api("/accounts/bodega/pause", json={"note": "they count their stock"})
    service.sandbox.inject_fault("lapyme", "status", status=401)
    service.post_woo(woo_order(7))
    service.deliver_due()
    bodega, erp = examine()
    assert (bodega.severity, bodega.message) == ("warning", "paused by token:admin: they count their stock; 0 waiting")
    assert (bodega.remedy or "").startswith("connector resume bodega")
    assert (erp.severity, erp.message) == ("fault", "suspended: credentials rejected; 1 waiting")


def test_unclaimed_orders_are_an_error(service: Service) -> None:
    nothing: dict[str, Any] = {"sending": {}, "parked": {}, "duplicates": {}}
    late = Gauges(
        waiting={"erp": 1}, backlog_age_s={"erp": 90.0}, open_circuits=set(), paused_accounts=set(), **nothing
    )
    checks = check_worker(late, is_running=True)
    assert (checks.severity, checks.message) == ("fault", "an order is 90 s overdue and unclaimed")
    paused = Gauges(
        waiting={"erp": 1}, backlog_age_s={"erp": 90.0}, open_circuits=set(), paused_accounts={"erp"}, **nothing
    )
    assert check_worker(paused, is_running=True).severity == "ok"


def test_outdated_schema_is_an_error(service: Service, examine: Examine) -> None:
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    [check] = examine()
    assert (check.subject, check.remedy) == ("database", "run connector migrate")


def test_all_configuration_errors_are_reported(configure: Callable[..., Path], examine: Examine) -> None:
    configure(text=CONFIGURATION.replace('to = ["erp"]', 'to = ["almacen"]').replace("[accounts.erp]", "[accounts.x]"))
    assert subjects_and_severities(examine()) == [("configuration", "fault")]


def test_unreachable_destination_is_an_error(open_service: Callable[..., Service], examine: Examine) -> None:
    text = CONFIGURATION.replace('"{rayo}"', '"http://127.0.0.1:9"')
    open_service(text=text)
    faults = [check for check in examine(is_offline=False) if check.severity == Severity.ERROR]
    assert [check.subject for check in faults] == ["account bodega"]


@pytest.mark.sqlite
def test_corrupt_database_file_is_an_error(service: Service, environ: dict[str, str], examine: Examine) -> None:
    for number in range(40):
        service.post_woo(woo_order(number))
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("DELETE FROM checkpoints")
    service.database.close()
    path = environ["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events_of_order'").fetchone()
    connection.close()
    with Path(path).open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(os.urandom(4096))
    damaged = [check for check in examine() if "damaged" in check.message]
    assert subjects_and_severities(damaged) == [("database", "fault")]


@pytest.mark.sqlite
def test_integrity_check_stops_at_its_time_limit(service: Service) -> None:
    for number in range(200):
        service.post_woo(woo_order(number))
    check = check_pages(service.database, 0)
    assert (check.severity, check.message.startswith("no fault in what could be read")) == ("ok", True)


@pytest.mark.sqlite
def test_missing_database_is_not_created(configure: Callable[..., Path], examine: Examine, tmp_path: Path) -> None:
    configure()
    checks = examine()
    assert subjects_and_severities(checks) == [("database", "fault")]
    assert "connector migrate" in (checks[0].remedy or "")
    assert not (tmp_path / "connector.db").exists()


@pytest.mark.postgresql
def test_unreachable_database_server_is_an_error(
    configure: Callable[..., Path], environ: dict[str, str], tmp_path: Path
) -> None:
    away = environ | {"DATABASE_URL": "postgres://nobody:secret@127.0.0.1:9/none"}
    configure()
    checks = [
        check
        for check in run_checks(tmp_path / "connector.toml", away, is_offline=True)
        if check.severity == Severity.ERROR
    ]
    assert subjects_and_severities(checks) == [("database", "fault")]
    assert "secret" not in checks[0].message


@pytest.mark.postgresql
@pytest.mark.usefixtures("service")
def test_server_without_durable_commits_is_an_error(environ: dict[str, str], tmp_path: Path) -> None:
    checks = [
        check
        for check in run_checks(tmp_path / "connector.toml", environ, is_offline=True)
        if check.remedy == HOST_REMEDY
    ]
    assert subjects_and_severities(checks) == [("database", "fault")]


@pytest.mark.parametrize(("ahead_s", "grade"), [(0.4, "ok"), (-4.0, "ok"), (9.0, "warning"), (-120.0, "fault")])
def test_clock_skew_is_reported(ahead_s: float, grade: str) -> None:
    assert check_clock("the database's", ahead_s).severity == grade


def test_filesystem_is_the_nearest_mount_point_above(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda / ext4 rw 0 0\nserver:/x /srv/shop nfs4 rw 0 0\n")
    folders = (Path("/srv/shop/data"), Path("/srv/shopping"), Path("/var"))
    assert [file_system_type(folder, mounts) for folder in folders] == ["nfs4", "ext4", "ext4"]
