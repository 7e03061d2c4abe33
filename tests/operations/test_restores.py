"""After a restore from a backup, nothing is sent that may have been sent before, and nothing is lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from connector.core.exceptions import ConflictError, DatabaseRestoredError
from connector.database.models import DatabaseGeneration, OperatorAction, Restore
from connector.database.queries.deliveries import DeliveryFilter
from connector.database.restores import Evidence, load_status
from connector.delivery.deliver import deliver
from connector.operations.restores import deny_restore, report_restore
from connector.runtime import check_database_generation
from tests.support.backups import put_back, restore_backup, take_backup
from tests.support.claims import claim, start_sending
from tests.support.jobs import process_jobs, start_job
from tests.support.orders import shopify_order, woo_order
from tests.support.rows import differences, execute_statements, read_rows_of
from tests.support.service import Service

MAY_BE_SENT = (
    "The database was restored from a backup, and this order may have been sent in the time that the backup does not"
    " know: look for it at the destination before it is sent."
)
HELD = ("parked", "held")


def states(service: Service) -> list[tuple[str, str | None]]:
    return [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]


def count_orders(service: Service, destination: str) -> int:
    return len(service.sandbox.orders(destination))


def order_placed(at: datetime, number: int = 1001) -> dict[str, Any]:
    return shopify_order(number, created_at=at.isoformat(), updated_at=at.isoformat())


def check(service: Service) -> Restore | None:
    return check_database_generation(service.runtime.settings, service.database)


def test_order_that_was_sent_after_the_backup_is_held(service: Service) -> None:
    service.post_shopify(shopify_order())
    backup = take_backup(service)
    service.drain()
    restore_backup(service, backup)
    service.drain()
    assert (states(service), service.only_delivery()["problems"]) == ([HELD], [MAY_BE_SENT])
    assert (count_orders(service, "rayo"), differences(service)) == (1, [])


def test_attempt_that_was_under_way_in_the_backup_is_held(service: Service) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "first")
    assert start_sending(service, claimed)
    backup = take_backup(service)
    service.clock.forward(1)
    restore_backup(service, backup)
    report_restore(service.runtime, actor="ana")  # a second report changes nothing
    service.drain()
    assert states(service) == [HELD]
    assert [attempt["outcome"] for attempt in service.only_delivery()["attempt_log"]] == ["ambiguous"]
    assert (count_orders(service, "rayo"), differences(service)) == (0, [])


def test_order_that_the_backup_does_not_know_is_held(service: Service) -> None:
    backup = take_backup(service)
    now = service.clock()
    service.post_shopify(order_placed(now))
    service.drain()
    restore_backup(service, backup)
    check(service)
    service.post_shopify(order_placed(now))  # the store repeats it, or catch-up finds it
    service.drain()
    assert states(service) == [HELD]
    assert count_orders(service, "rayo") == 1


def test_order_that_was_cancelled_or_sent_on_since_is_held_too(service: Service) -> None:
    backup = take_backup(service)
    service.post_shopify(shopify_order())
    service.drain()
    restore_backup(service, backup)
    check(service)
    service.post_shopify(shopify_order(fulfillment_status="fulfilled"))
    service.drain()
    assert states(service) == [HELD]


def test_order_that_was_placed_after_the_restore_is_sent(service: Service) -> None:
    service.post_shopify(shopify_order())
    backup = take_backup(service)
    service.drain()
    restore_backup(service, backup)
    service.drain()
    service.clock.forward(60)
    service.post_shopify(order_placed(service.clock(), 1002))
    service.drain()
    assert states(service) == [HELD, ("delivered", None)]


def test_order_parked_in_the_backup_is_held_when_it_is_retriggered(service: Service) -> None:
    service.post_shopify(shopify_order(shipping_address=None))
    service.drain()
    backup = take_backup(service)
    restore_backup(service, backup)
    report_restore(service.runtime, actor="ana")
    service.post_shopify(shopify_order(updated_at="2026-11-20T11:00:00-06:00"))  # it may have come before, too
    service.drain()
    assert (states(service), count_orders(service, "rayo")) == ([HELD], 0)


def test_held_order_is_only_sent_after_somebody_looked(service: Service) -> None:
    service.post_shopify(shopify_order())
    backup = take_backup(service)
    service.drain()
    service.sandbox.clear_orders()
    restore_backup(service, backup)
    service.drain()
    refused = service.api("/deliveries/1/retrigger", json={})
    assert (refused.status_code, "look at the destination first" in refused.json["detail"]) == (409, True)
    assert service.api("/deliveries/1/retrigger", json={"looked": True}).status_code == 202
    service.drain()
    assert (states(service), count_orders(service, "rayo"), differences(service)) == ([("delivered", None)], 1, [])


@pytest.mark.parametrize("looked", [False, True])
def test_job_sends_held_orders_only_if_somebody_looked(service: Service, looked: bool) -> None:
    service.post_shopify(shopify_order())
    backup = take_backup(service)
    service.drain()
    restore_backup(service, backup)
    service.drain()
    job = start_job(service, DeliveryFilter(state="parked", reason="held", problem="database_restored:"), looked=looked)
    process_jobs(service)
    service.drain()
    assert states(service) == [("delivered", None) if looked else HELD]
    assert service.api(f"/jobs/{job.id}").json["acted"] == looked


def test_cancelled_order_that_may_have_been_sent_is_uncertain(service: Service) -> None:
    service.post_shopify(shopify_order())
    backup = take_backup(service)
    service.drain()
    restore_backup(service, backup)
    service.drain()
    service.post_shopify(shopify_order(cancelled_at="2026-11-20T12:00:00-06:00"), "orders/cancelled")
    assert states(service) == [("parked", "uncertain")]


def test_denied_restore_lets_everything_go_on(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.post_shopify(shopify_order(1002))
    [claimed, _] = claim(service, "first")
    assert start_sending(service, claimed)
    report_restore(service.runtime, actor="ana")
    service.post_shopify(shopify_order(1003))
    service.drain()
    assert states(service) == [HELD, HELD, HELD]
    assert deny_restore(service.runtime, actor="ana", note="moved") == 3
    service.drain()
    assert states(service) == [("parked", "uncertain"), ("delivered", None), ("delivered", None)]
    assert load_status(service.database).restore is None


def test_time_of_the_stop_lets_later_orders_go(service: Service) -> None:
    service.clock.forward(3_600)
    stopped_at = service.clock() - timedelta(minutes=50)
    report_restore(service.runtime, actor="ana")
    service.post_shopify(order_placed(stopped_at - timedelta(minutes=5)))
    service.post_shopify(order_placed(stopped_at + timedelta(minutes=5), 1002))
    service.drain()
    assert states(service) == [HELD, HELD]
    report_restore(service.runtime, actor="ana", stopped_at=stopped_at)
    check(service)
    service.drain()
    assert states(service) == [HELD, ("delivered", None)]


def test_backup_from_after_the_stop_is_refused(service: Service) -> None:
    service.post_shopify(shopify_order())
    with pytest.raises(ConflictError, match="the backup contains something from"):
        report_restore(service.runtime, actor="ana", stopped_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert load_status(service.database).restore is None


def test_report_is_in_the_audit_trail(service: Service) -> None:
    report_restore(service.runtime, actor="ana", note="the disk broke")
    deny_restore(service.runtime, actor="bea")
    actions = [(row["kind"], row["who"], row["text"]) for row in read_rows_of(service, OperatorAction)]
    assert actions == [("restored", "ana", "the disk broke"), ("not-restored", "bea", "")]


def test_worker_that_does_not_know_of_the_restore_sends_nothing(service: Service) -> None:
    report_restore(service.runtime, actor="ana")  # on another machine
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "first")
    with pytest.raises(DatabaseRestoredError):
        start_sending(service, claimed)
    check(service)
    deliver(service.runtime, claimed)
    assert (states(service), count_orders(service, "rayo")) == ([HELD], 0)


@pytest.mark.postgresql
def test_recovered_or_other_server_is_noticed_before_anything_is_sent(service: Service) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "first")
    execute_statements(service, update(DatabaseGeneration).values(server="7714/00000001/16384"))
    with pytest.raises(DatabaseRestoredError):
        start_sending(service, claimed)
    restore = check(service)
    assert (restore and restore.evidence, states(service)) == (Evidence.OTHER_SERVER, [HELD])


@pytest.mark.sqlite
@pytest.mark.parametrize("change", ["delete", "copy"])
def test_file_that_is_missing_or_a_copy_is_taken_for_a_restore(service: Service, change: str) -> None:
    service.post_shopify(shopify_order())
    file = service.database.backend.generation_file
    assert file is not None
    path = Path(file.path)
    text = path.read_bytes()
    path.unlink()
    if change == "copy":
        path.with_name("other").write_bytes(b"")  # takes the place of the deleted one on the disk
        path.write_bytes(text)
    restore = check(service)
    evidence = Evidence.NO_FILE if change == "delete" else Evidence.COPIED_FILE
    assert (restore and restore.evidence, states(service)) == (evidence, [HELD])
    assert check(service) is None


@pytest.mark.sqlite
def test_order_at_lapyme_is_looked_up_by_its_key(service: Service) -> None:
    service.post_woo(woo_order())
    service.post_woo(woo_order(728))
    backup = take_backup(service)
    service.drain()
    [first, second] = service.sandbox.orders("lapyme")
    restore_backup(service, backup)
    service.drain()
    assert [delivery["remote_id"] for delivery in service.deliveries()] == [str(first.remote_id), str(second.remote_id)]
    assert (count_orders(service, "lapyme"), differences(service)) == (2, [])


@pytest.mark.sqlite
def test_order_at_lapyme_with_other_content_is_left_to_a_person(service: Service) -> None:
    service.post_woo(woo_order())
    backup = take_backup(service)
    newer = woo_order(date_modified_gmt="2026-11-20T15:05:00")
    newer["line_items"][0]["name"] = "Yerba mate 1000 g"
    service.post_woo(newer)
    service.drain()
    restore_backup(service, backup)
    service.drain()
    assert (states(service), count_orders(service, "lapyme")) == ([("parked", "uncertain")], 1)


@pytest.mark.sqlite
def test_order_at_lapyme_is_held_when_its_key_may_be_forgotten(service: Service) -> None:
    service.post_woo(woo_order())
    backup = take_backup(service)
    service.drain()
    service.clock.forward(3_601)  # `ambiguous_for_s`
    restore_backup(service, backup)
    service.drain()
    assert states(service) == [HELD]


@pytest.mark.sqlite
def test_order_at_lapyme_is_held_when_the_backup_lacks_a_new_key(service: Service) -> None:
    service.post_woo(woo_order())
    backup = take_backup(service)
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.drain()
    assert service.api("/deliveries/1/retrigger", json={}).status_code == 202
    service.drain()  # under the second key
    restore_backup(service, backup)
    service.drain()
    assert (states(service), count_orders(service, "lapyme")) == ([HELD], 1)


@pytest.mark.sqlite
def test_backup_that_lacks_no_attempt_holds_nothing(service: Service) -> None:
    service.post_shopify(shopify_order())
    backup = take_backup(service)
    service.post_shopify(shopify_order(1002))
    put_back(service, backup)
    assert check(service) is None
    service.drain()
    assert states(service) == [("delivered", None)]


@pytest.mark.sqlite
def test_second_restore_of_the_same_backup_is_noticed(service: Service) -> None:
    service.post_shopify(shopify_order())
    backup = take_backup(service)
    for evidence in (None, Evidence.OTHER_GENERATION):
        put_back(service, backup)
        restore = check(service)
        assert (restore and restore.evidence) == evidence
        report_restore(service.runtime, actor="ana")
