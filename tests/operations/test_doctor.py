"""`connector doctor`: that it finds what ails the service, says what to do, and finds nothing where all is well."""

import os
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.core.check_result import CheckResult, Severity
from connector.database.coordination import acquire_lock
from connector.database.health import check_pages, file_system_type
from connector.database.stats.gauges import Gauges
from connector.operations.doctor import MONITOR_LOCK, check_clock, check_worker, run_checks
from tests.support.orders import shopify_order, woo_order
from tests.support.service import CONFIGURATION, Service

#: The tests' own PostgreSQL does not wait for its disk.
OF_THIS_SERVER = "set fsync and synchronous_commit to on"

Examine = Callable[..., list[CheckResult]]


@pytest.fixture
def examine(tmp_path: Path, environ: dict[str, str]) -> Examine:
    """Look at the service as `connector doctor` does. Returns what is not well."""

    def look(*, is_offline: bool = True) -> list[CheckResult]:
        found = run_checks(tmp_path / "connector.toml", environ, is_offline=is_offline)
        return [one for one in found if one.severity != Severity.OK and one.remedy != OF_THIS_SERVER]

    return look


def tell(found: list[CheckResult]) -> list[tuple[str, str]]:
    return [(one.subject, one.severity) for one in found]


def live(service: Service) -> None:
    """Orders came, went out, and a forwarder watches."""
    service.post_shopify(shopify_order())
    service.post_woo(woo_order())
    service.drain()
    assert acquire_lock(service.database, MONITOR_LOCK, "here", lease_s=60)


def test_a_service_that_is_well_has_no_fault(service: Service, examine: Examine) -> None:
    live(service)
    assert examine(is_offline=False) == []


def test_a_service_that_nothing_came_to_and_nobody_runs_is_told_of(service: Service, examine: Examine) -> None:
    found = examine()
    assert tell(found) == [("worker", "warning"), ("store tienda-mx", "warning"), ("store tienda-ar", "warning")]
    assert [one.message for one in found[1:]] == ["it has never sent a webhook"] * 2
    assert all(one.remedy for one in found)


def test_orders_that_need_a_person_are_told_of_with_the_command_that_lists_them(
    service: Service, examine: Examine
) -> None:
    live(service)
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order(7))
    service.drain()
    [found] = examine()
    assert (found.subject, found.message) == ("account erp", "1 of its orders are parked as refused")
    assert "connector list --state parked --reason refused --account erp" in (found.remedy or "")


def test_an_account_that_is_held_is_told_of_with_the_way_out(service: Service, examine: Examine) -> None:
    live(service)
    service.api("/accounts/bodega/pause", json={"note": "they count their stock"})
    service.sandbox.inject_fault("lapyme", "status", status=401)
    service.post_woo(woo_order(7))
    service.carry_due()
    bodega, erp = examine()
    assert (bodega.severity, bodega.message) == ("warning", "paused by api: they count their stock; 0 waiting")
    assert (bodega.remedy or "").startswith("connector resume bodega")
    assert (erp.severity, erp.message) == ("fault", "suspended because of unauthorized; 1 waiting")


def test_orders_that_nobody_takes_are_a_fault(service: Service) -> None:
    now = service.clock()
    nothing: dict[str, Any] = {"sending": {}, "parked": {}, "duplicates": {}}
    late = Gauges(
        waiting={"erp": 1}, backlog_age_s={"erp": 90.0}, open_circuits=set(), paused_accounts=set(), **nothing
    )
    found = check_worker(late, now, now + timedelta(seconds=30))
    assert (found.severity, found.message) == ("fault", "an order is 90 s overdue and unclaimed")
    held = Gauges(
        waiting={"erp": 1}, backlog_age_s={"erp": 90.0}, open_circuits=set(), paused_accounts={"erp"}, **nothing
    )
    assert check_worker(held, now, now + timedelta(seconds=30)).severity == "ok"


def test_tables_of_another_version_are_a_fault(service: Service, examine: Examine) -> None:
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    [found] = examine()
    assert (found.subject, found.remedy) == ("database", "run connector migrate")


def test_all_faults_of_the_configuration_are_told(configure: Callable[..., Path], examine: Examine) -> None:
    configure(text=CONFIGURATION.replace('to = ["erp"]', 'to = ["almacen"]').replace("[accounts.erp]", "[accounts.x]"))
    assert tell(examine()) == [("configuration", "fault")]


def test_a_destination_that_is_not_there_is_a_fault(open_service: Callable[..., Service], examine: Examine) -> None:
    text = CONFIGURATION.replace('"{rayo}"', '"http://127.0.0.1:9"')
    open_service(text=text)
    faults = [one for one in examine(is_offline=False) if one.severity == Severity.ERROR]
    assert [one.subject for one in faults] == ["account bodega"]


@pytest.mark.sqlite
def test_a_damaged_file_is_a_fault(service: Service, environ: dict[str, str], examine: Examine) -> None:
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
    damaged = [one for one in examine() if "damaged" in one.message]
    assert tell(damaged) == [("database", "fault")]


@pytest.mark.sqlite
def test_a_file_that_is_too_large_to_check_in_time_is_not_waited_for(service: Service) -> None:
    for number in range(200):
        service.post_woo(woo_order(number))
    found = check_pages(service.database, 0)
    assert (found.severity, found.message.startswith("no fault in what could be read")) == ("ok", True)


@pytest.mark.sqlite
def test_a_database_that_is_not_there_is_not_made(
    configure: Callable[..., Path], examine: Examine, tmp_path: Path
) -> None:
    configure()
    found = examine()
    assert tell(found) == [("database", "fault")]
    assert "connector migrate" in (found[0].remedy or "")
    assert not (tmp_path / "connector.db").exists()


@pytest.mark.postgresql
def test_a_server_that_does_not_answer_is_a_fault(
    configure: Callable[..., Path], environ: dict[str, str], tmp_path: Path
) -> None:
    away = environ | {"DATABASE_URL": "postgres://nobody:secret@127.0.0.1:9/none"}
    configure()
    found = [
        one for one in run_checks(tmp_path / "connector.toml", away, is_offline=True) if one.severity == Severity.ERROR
    ]
    assert tell(found) == [("database", "fault")]
    assert "secret" not in found[0].message


@pytest.mark.postgresql
@pytest.mark.usefixtures("service")
def test_a_server_that_does_not_wait_for_its_disk_is_a_fault(environ: dict[str, str], tmp_path: Path) -> None:
    found = [
        one for one in run_checks(tmp_path / "connector.toml", environ, is_offline=True) if one.remedy == OF_THIS_SERVER
    ]
    assert tell(found) == [("database", "fault")]


@pytest.mark.parametrize(("ahead_s", "grade"), [(0.4, "ok"), (-4.0, "ok"), (9.0, "warning"), (-120.0, "fault")])
def test_a_clock_that_is_off_is_told_of(ahead_s: float, grade: str) -> None:
    assert check_clock("the database's", ahead_s).severity == grade


def test_the_disk_that_a_folder_lies_on_is_the_nearest_above_it(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda / ext4 rw 0 0\nserver:/x /srv/shop nfs4 rw 0 0\n")
    folders = (Path("/srv/shop/data"), Path("/srv/shopping"), Path("/var"))
    assert [file_system_type(folder, mounts) for folder in folders] == ["nfs4", "ext4", "ext4"]
