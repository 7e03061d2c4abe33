"""`reconcile` accepts consistent rows and reports exactly the inconsistent ones."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from sqlmodel import col

from connector.database.models import Attempt, Circuit, Delivery, Event, Note
from connector.database.reconciliation.run import Scope
from tests.support.claims import claim, start_sending
from tests.support.commands import Command
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL_DATA, produce_every_outcome
from tests.support.rows import LATE_S, differences, execute_statements, read_rows_of, run_reconciliation, update_row
from tests.support.scenarios import lose_a_response, resolve, retrigger, without_colonia
from tests.support.service import CONFIGURATION, Service

#: The rows of `live`.
DELIVERED, UNMAPPABLE, CANCELLED, REFUSED, WAITING = 1, 2, 3, 4, 5
IGNORED, CANCELLATION = 3, 5  # events


@pytest.fixture
def command(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def create_every_outcome(service: Service) -> None:
    """Create one order for each possible outcome."""
    service.post_shopify(shopify_order(1))
    service.post_shopify(without_colonia(2))
    service.post_shopify(shopify_order(9, financial_status="pending"), "orders/create")  # no route takes it
    service.post_shopify(shopify_order(3))
    service.post_shopify(shopify_order(3, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_woo(woo_order(4))
    service.post_woo(woo_order(5))
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.sandbox.inject_fault("lapyme", "status", status=429, retry_after_s=300)
    service.deliver_due()
    states = [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]
    assert states == [
        ("delivered", None),
        ("parked", "unmappable"),
        ("discarded", "cancelled"),
        ("parked", "refused"),
        ("waiting", None),
    ]


def attempts_of(delivery: int, **values: Any) -> Any:
    return update(Attempt).where(col(Attempt.delivery_id) == delivery).values(values)


def note_values(delivery: int, **values: Any) -> Any:
    row = {"delivery_id": delivery, "at": datetime.now(UTC), "kind": "resolve", "text": "", "who": None}
    return insert(Note).values(row | values)


def seconds_from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def response_body(id_: str) -> bytes:
    return json.dumps({"orden": {"ordenRef": id_}}).encode()


A_UUID = "0b0ffb3e-7b5c-4d43-9d36-6d8f0a4b7a01"


def test_every_kind_of_outcome_is_accounted_for(service: Service) -> None:
    produce_every_outcome(service)
    live_on = run_reconciliation(service)
    assert (live_on.differences, live_on.total) == ([], 0)
    service.drain()
    assert differences(service) == []


def test_every_final_state_is_accounted_for(service: Service) -> None:
    create_every_outcome(service)
    assert differences(service) == []


@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
@pytest.mark.parametrize("as_", ["delivered", "discarded"])
def test_manual_resolution_by_a_named_user_accounts_for_a_delivery(
    service: Service, destination: str, as_: str
) -> None:
    lose_a_response(service, destination)
    assert differences(service) == []
    resolve(service, "1", **{"as": as_})
    assert differences(service) == []
    retrigger(service, "1", force=True)
    service.deliver_due()
    assert differences(service) == []


def test_forced_retrigger_of_a_cancelled_order_is_accounted_for(service: Service) -> None:
    create_every_outcome(service)
    service.post_shopify(shopify_order(3, updated_at="2026-11-20T10:30:00-06:00"), "orders/paid")
    retrigger(service, str(CANCELLED), force=True)
    assert differences(service) == []
    service.drain()
    assert differences(service) == []


def test_order_cancelled_before_payment_needs_no_delivery(service: Service) -> None:
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(shopify_order(1), "orders/paid")
    assert [event["reason"] for event in service.api("/events").json["items"]] == [
        "The order was cancelled before.",
        "The order is cancelled.",
    ]
    assert differences(service) == []


def test_order_that_came_back_is_accounted_for(service: Service) -> None:
    service.post_woo(woo_order(1, status="cancelled", date_modified_gmt="2026-11-20T15:02:00"))
    service.post_woo(woo_order(1, date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(1, date_modified_gmt="2026-11-20T15:03:00"))
    assert [delivery["state"] for delivery in service.deliveries()] == ["waiting"]
    assert differences(service) == []
    service.drain()
    assert differences(service) == []


def test_held_delivery_is_counted(service: Service) -> None:
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:30:00-06:00"), "orders/paid")
    report = run_reconciliation(service)
    assert (report.differences, report.for_a_person) == ([], {"bodega": 1})
    execute_statements(service, update_row(Delivery, 1, problems=[]))
    assert differences(service) == [("delivery", 1, "held, but no problem says why")]
    retrigger(service, "1")
    assert differences(service) == []
    service.drain()
    assert differences(service) == []


def test_cancelled_order_needs_no_delivery_for_a_new_route(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(text=CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega", "erp"]'))
    service.post_shopify(shopify_order(1))
    execute_statements(
        service, delete(Delivery).where(col(Delivery.account) == "erp"), update_row(Event, 1, accounts=["bodega"])
    )
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:30:00-06:00"), "orders/paid")
    assert differences(service) == []


def test_newest_version_received_before_payment_is_accounted_for(service: Service) -> None:
    service.post_shopify(without_colonia(1, updated_at="2026-11-20T10:09:00-06:00"), "orders/updated")
    service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:03:00-06:00"), "orders/paid")
    service.drain()
    assert differences(service) == []


def corrupting_changes() -> list[tuple[list[Any], list[tuple[str, int, str]]]]:
    """Corrupting changes to the rows of `live`, and the differences that must be reported."""
    return [
        # events
        ([update_row(Event, IGNORED, reason=None)], [("event", IGNORED, "ignored without a reason")]),
        ([update_row(Event, IGNORED, reason={})], [("event", IGNORED, "ignored without a reason")]),
        (
            [update_row(Event, IGNORED, accounts=["bodega"])],
            [("event", IGNORED, "ignored, but its routes named bodega")],
        ),
        (
            [update_row(Event, IGNORED, reason={"code": "cancelled_order"})],
            [("event", IGNORED, "ignored as cancelled, but no event cancels its order")],
        ),
        ([update_row(Event, IGNORED, status="lost")], [("event", IGNORED, "its status is “lost”, which no event has")]),
        (
            [update_row(Event, IGNORED, status="accepted")],
            [("event", IGNORED, "accepted, but its order has no delivery")],
        ),
        (
            [update_row(Event, IGNORED, status="accepted", order_id=None)],
            [("event", IGNORED, "accepted, but it names no order")],
        ),
        (
            [update_row(Event, 1, accounts=["bodega", "hub"])],
            [("event", 1, "its routes named account hub, but its order has no delivery there")],
        ),
        (
            [
                attempts_of(DELIVERED, delivery_id=WAITING, number=2),
                delete(Delivery).where(col(Delivery.id) == DELIVERED),
            ],
            [
                ("event", 1, "accepted, but its order has no delivery"),
                ("delivery", WAITING, "its number of attempts is 1, but there are also: 2"),
            ],
        ),
        (
            [update_row(Event, CANCELLATION - 1, accounts=["bodega", "hub"])],
            [("event", CANCELLATION - 1, "its routes named account hub, but its order has no delivery there")],
        ),
        ([update_row(Event, CANCELLATION, accounts=["bodega", "hub"])], []),
        # states and their reasons
        (
            [update_row(Delivery, UNMAPPABLE, reason=None)],
            [("delivery", UNMAPPABLE, "parked without a reason: there is no such state")],
        ),
        (
            [update_row(Delivery, CANCELLED, reason="refused")],
            [("delivery", CANCELLED, "discarded, with the reason “refused”: there is no such state")],
        ),
        (
            [update_row(Delivery, DELIVERED, state="gone")],
            [("delivery", DELIVERED, "gone without a reason: there is no such state")],
        ),
        (
            [update_row(Delivery, UNMAPPABLE, problems=[])],
            [("delivery", UNMAPPABLE, "unmappable, but no problem says why")],
        ),
        (
            [update_row(Delivery, UNMAPPABLE, reason="exhausted")],
            [("delivery", UNMAPPABLE, "exhausted, but without an attempt")],
        ),
        (
            [update_row(Delivery, CANCELLED, reason="by hand")],
            [("delivery", CANCELLED, "discarded by hand, but nobody is recorded who did it")],
        ),
        (
            [update_row(Delivery, CANCELLED, reason="by hand"), note_values(CANCELLED, who="")],
            [("delivery", CANCELLED, "discarded by hand, but nobody is recorded who did it")],
        ),
        # delivered
        (
            [attempts_of(DELIVERED, reply=response_body("no uuid"))],
            [("delivery", DELIVERED, "delivered, but the stored response is no success")],
        ),
        (
            [attempts_of(DELIVERED, reply=response_body(A_UUID))],
            [("delivery", DELIVERED, "delivered, but the id in the stored response is not its remote_id")],
        ),
        (
            [attempts_of(DELIVERED, status=500)],
            [("delivery", DELIVERED, "delivered, but the stored response is no success")],
        ),
        (
            [attempts_of(DELIVERED, reply=None)],
            [("delivery", DELIVERED, "delivered, but the stored response is no success")],
        ),
        (
            [attempts_of(DELIVERED, outcome="refused")],
            [("delivery", DELIVERED, "delivered, but no attempt succeeded and nobody resolved it")],
        ),
        (
            [attempts_of(DELIVERED, outcome="refused"), note_values(DELIVERED)],
            [("delivery", DELIVERED, "delivered, but no attempt succeeded and nobody resolved it")],
        ),
        (
            [attempts_of(DELIVERED, outcome="refused"), note_values(DELIVERED, who="ana", kind="retrigger")],
            [("delivery", DELIVERED, "delivered, but no attempt succeeded and nobody resolved it")],
        ),
        (
            [attempts_of(DELIVERED, outcome="refused"), note_values(DELIVERED, who="ana", at=seconds_from_now(-3600))],
            [("delivery", DELIVERED, "delivered, but no attempt succeeded and nobody resolved it")],
        ),
        ([attempts_of(DELIVERED, outcome="refused"), note_values(DELIVERED, who="ana", at=seconds_from_now(5))], []),
        ([attempts_of(DELIVERED, reply=None), update_row(Delivery, DELIVERED, pruned_at=seconds_from_now(5))], []),
        (
            [attempts_of(DELIVERED, reply=None), update_row(Delivery, DELIVERED, pruned_at=seconds_from_now(-3600))],
            [("delivery", DELIVERED, "delivered, but the stored response is no success")],
        ),
        (
            [
                attempts_of(DELIVERED, reply=None),
                update_row(Delivery, DELIVERED, pruned_at=seconds_from_now(5), remote_id=None),
            ],
            [("delivery", DELIVERED, "delivered, but the destination's id is not stored")],
        ),
        # attempts
        (
            [attempts_of(DELIVERED, number=2), update_row(Delivery, DELIVERED, attempts=2)],
            [("delivery", DELIVERED, "its number of attempts is 2, but these are missing: 1")],
        ),
        (
            [update_row(Delivery, REFUSED, attempts=3)],
            [("delivery", REFUSED, "its number of attempts is 3, but these are missing: 2, 3")],
        ),
        (
            [attempts_of(REFUSED, number=2)],
            [
                ("delivery", REFUSED, "its number of attempts is 1, but these are missing: 1"),
                ("delivery", REFUSED, "its number of attempts is 1, but there are also: 2"),
            ],
        ),
        (
            [attempts_of(REFUSED, outcome="sending")],
            [("delivery", REFUSED, "these attempts have no outcome: 1")],
        ),
        # versions and cancellations
        (
            [update_row(Delivery, WAITING, event_id=1)],
            [
                ("delivery", WAITING, "its event 1 does not contain its order"),
                ("delivery", WAITING, "its order's newest event is 7, but event 1 was applied"),
            ],
        ),
        ([update_row(Event, 1, has_order=False)], [("delivery", DELIVERED, "its event 1 does not contain its order")]),
        ([update_row(Event, 7, is_cancellation=True)], [("delivery", WAITING, "waiting, but its order was cancelled")]),
        ([update_row(Event, 7, is_cancellation=True), update_row(Delivery, WAITING, override_event_id=7)], []),
        ([update_row(Event, 6, is_cancellation=True)], [("delivery", REFUSED, "refused, but its order was cancelled")]),
        ([update_row(Event, 1, is_cancellation=True)], []),
        # waiting
        ([update_row(Delivery, WAITING, due_at=None)], [("delivery", WAITING, "waiting, but never due")]),
        (
            [update_row(Delivery, WAITING, due_at=datetime(2099, 1, 1, tzinfo=UTC))],
            [("delivery", WAITING, "waiting until 2099-01-01T00:00:00Z, but no delay is longer than 3600 s")],
        ),
        (
            [update_row(Delivery, WAITING, due_at=datetime(2020, 1, 1, tzinfo=UTC))],
            [("delivery", WAITING, "waiting, due since 2020-01-01T00:00:00Z, but no worker took it")],
        ),
        ([update_row(Delivery, WAITING, due_at=seconds_from_now(-LATE_S / 2))], []),
        (
            [
                update_row(
                    Delivery,
                    WAITING,
                    due_at=seconds_from_now(-2 * LATE_S),
                    claimed_by="other:1:1:a",
                    claim_expires_at=seconds_from_now(30),
                )
            ],
            [],
        ),
        (
            [update_row(Delivery, WAITING, claimed_by="other:1:1:a", claim_expires_at=seconds_from_now(3600))],
            [("delivery", WAITING, "waiting, but its lease is longer than LEASE_S")],
        ),
    ]


def test_each_inconsistent_row_is_reported_and_no_other(service: Service) -> None:
    create_every_outcome(service)
    whole = {table: read_rows_of(service, table) for table in (Circuit, Event, Delivery, Attempt, Note)}
    reported = []
    for statements, _ in corrupting_changes():
        emptied = [delete(table) for table in reversed(whole)]
        execute_statements(
            service, *emptied, *(insert(table).values(rows) for table, rows in whole.items() if rows), *statements
        )
        reported.append(differences(service))
    assert reported == [expected for _, expected in corrupting_changes()]


@pytest.mark.parametrize("number", [REFUSED, WAITING])
def test_outdated_body_is_reported_unless_it_is_frozen(service: Service, number: int) -> None:
    create_every_outcome(service)
    service.post_woo(woo_order(number, date_modified_gmt="2026-11-20T15:30:00"))
    service.post_woo(woo_order(number, date_modified_gmt="2026-11-20T15:00:00", customer_note="older"))
    assert differences(service) == []
    read = number + 2  # its event
    execute_statements(service, update_row(Delivery, number, event_id=read))
    message = f"its order's newest event is 8, but event {read} was applied"
    assert differences(service) == [("delivery", number, message)]
    execute_statements(service, update_row(Delivery, number, locked_since=seconds_from_now(0)))
    assert differences(service) == []


def test_event_without_recorded_routes_needs_any_delivery(service: Service) -> None:
    create_every_outcome(service)
    execute_statements(service, update(Event).values(accounts=[]))
    assert differences(service) == []


def test_filtered_order_has_a_reason(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="on-hold", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    assert differences(service) == []
    execute_statements(service, update_row(Delivery, 1, problems=[]))
    assert differences(service) == [("delivery", 1, "filtered, but no problem says why")]


def begin_sending(service: Service, claimant: str = "another-machine:1:1:a") -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, claimant)
    assert start_sending(service, claimed)


def test_delivery_being_sent_is_accounted_for(service: Service) -> None:
    begin_sending(service)
    assert differences(service) == []


def test_sending_delivery_needs_a_claim_and_a_body(service: Service) -> None:
    begin_sending(service)
    whole: dict[str, Any] = {
        "claimed_by": "another-machine:1:1:a",
        "claim_expires_at": seconds_from_now(60),
        "body": b"{}",
        "idempotency_key": "k",
    }
    long_ago, long_hence = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2099))
    expected: list[tuple[dict[str, Any], str]] = [
        ({"claimed_by": None}, "sending, but no worker has claimed it"),
        ({"claim_expires_at": None}, "sending, but no worker has claimed it"),
        ({"claim_expires_at": long_ago}, "sending, but its lease ended at 2020-01-01T00:00:00Z"),
        ({"claim_expires_at": long_hence}, "sending, but its lease is longer than LEASE_S"),
        ({"body": None}, "sending, but its body is not stored"),
        ({"idempotency_key": None}, "sending, but its idempotency key is not stored"),
    ]
    reported = []
    for values, _ in expected:
        execute_statements(service, update_row(Delivery, 1, **whole | values))
        reported.append(differences(service))
    assert reported == [[("delivery", 1, message)] for _, message in expected]


def test_recently_expired_lease_is_not_reported(service: Service) -> None:
    begin_sending(service)
    execute_statements(service, update_row(Delivery, 1, claim_expires_at=seconds_from_now(-2)))
    assert differences(service) == []


def test_interrupted_delivery_is_reported_until_recovered(service: Service) -> None:
    program = "from connector.core.worker_id import new_worker_id; print(new_worker_id())"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    begin_sending(service, completed.stdout.strip())
    assert differences(service) == []
    execute_statements(service, update_row(Delivery, 1, updated_at=seconds_from_now(-20)))
    assert differences(service) == [("delivery", 1, "sending, but the process that sent it no longer runs")]
    service.worker().recover()
    assert differences(service) == []


def test_sending_delivery_without_an_attempt_is_reported(service: Service) -> None:
    begin_sending(service)
    execute_statements(service, attempts_of(1, outcome="refused"))
    assert differences(service) == [("delivery", 1, "sending, but its last attempt has an outcome")]


def test_delivery_waiting_for_a_paused_account_is_no_difference(service: Service) -> None:
    create_every_outcome(service)
    service.api("/accounts/erp/pause", json={})
    execute_statements(service, update_row(Delivery, WAITING, due_at=seconds_from_now(-86_400)))
    report = run_reconciliation(service)
    assert (report.differences, report.held) == ([], {("erp", "paused"): 1})


def test_delivery_waiting_for_a_circuit_breaker_is_no_difference_while_probed(service: Service) -> None:
    create_every_outcome(service)
    opened = update(Circuit).where(col(Circuit.account) == "erp")
    due_at = datetime(2020, 1, 1, tzinfo=UTC)
    execute_statements(
        service,
        opened.values(opened_at=seconds_from_now(-900), probe_at=seconds_from_now(20)),
        update_row(Delivery, WAITING, due_at=due_at),
    )
    report = run_reconciliation(service)
    assert (report.differences, report.held) == ([], {("erp", "circuit open"): 1})
    execute_statements(service, opened.values(probe_at=seconds_from_now(-2 * LATE_S)))
    assert differences(service) == [
        ("delivery", WAITING, "waiting, due since 2020-01-01T00:00:00Z, but no worker took it")
    ]


def test_lateness_allows_for_the_account_retry_delay(open_service: Callable[..., Service]) -> None:
    service = open_service(more="retry_max_s = 90000")
    create_every_outcome(service)
    execute_statements(service, update_row(Delivery, WAITING, due_at=seconds_from_now(80_000)))
    assert differences(service) == []


def test_events_and_deliveries_are_counted_by_store_and_day(service: Service) -> None:
    create_every_outcome(service)
    service.post_shopify(shopify_order(7), event_id="again")
    service.post_shopify(shopify_order(7), event_id="again")
    execute_statements(
        service,
        update_row(Event, 1, received_at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), reason="x"),
        update_row(Delivery, 1, created_at=datetime(2026, 3, 2, tzinfo=UTC), remote_id="x"),
    )
    today = f"{service.clock():%Y-%m-%d}"
    assert run_reconciliation(service).days == {
        ("tienda-mx", "2026-03-01"): {"accepted": 1, "duplicates": 0},
        ("tienda-mx", "2026-03-02"): {"delivered": 1, "differences": 1},
        ("tienda-mx", today): {
            "accepted": 4,
            "ignored": 1,
            "duplicates": 1,
            "parked": 1,
            "discarded": 1,
            "waiting": 1,
        },
        ("tienda-ar", today): {"accepted": 2, "duplicates": 0, "parked": 1, "waiting": 1},
    }


def test_scope_limits_the_rows(service: Service) -> None:
    create_every_outcome(service)
    march, april = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4))
    execute_statements(service, update_row(Event, 1, received_at=march), update_row(Delivery, 1, created_at=march))
    assert set(run_reconciliation(service, Scope(store="tienda-ar")).days) == {
        ("tienda-ar", f"{service.clock():%Y-%m-%d}")
    }
    assert set(run_reconciliation(service, Scope(since=march, until=april)).days) == {("tienda-mx", "2026-03-01")}
    assert ("tienda-mx", "2026-03-01") not in run_reconciliation(service, Scope(since=april)).days


def test_all_rows_are_read_in_batches(service: Service) -> None:
    create_every_outcome(service)
    execute_statements(
        service, update_row(Delivery, DELIVERED, remote_id="x"), update_row(Delivery, WAITING, due_at=None)
    )
    whole, pieces = run_reconciliation(service), run_reconciliation(service, batch_size=2, max_listed=1)
    assert (pieces.days, pieces.total) == (whole.days, 2)
    assert pieces.differences == whole.differences[:1]


# The command


def test_command_prints_a_table_and_exits_0(service: Service, command: Command) -> None:
    create_every_outcome(service)
    today = f"{service.clock():%Y-%m-%d}"
    status, printed = command("reconcile")
    assert status == 0
    assert [" ".join(line.split()) for line in printed.splitlines()] == [
        "store day accepted ignored duplicates waiting sending delivered parked discarded differences",
        f"tienda-ar {today} 2 0 0 1 0 0 1 0 0",
        f"tienda-mx {today} 4 1 0 0 0 1 1 1 0",
        "Everything is accounted for.",
    ]


def test_command_lists_differences_without_personal_data_and_exits_1(service: Service, command: Command) -> None:
    create_every_outcome(service)
    execute_statements(
        service, update_row(Delivery, DELIVERED, remote_id="Ximena"), update_row(Event, IGNORED, reason=None)
    )
    today = f"{service.clock():%Y-%m-%d}"
    status, printed = command("reconcile")
    assert (status, printed.splitlines()[3:]) == (
        1,
        [
            f"event 3 (tienda-mx {today}, order #9): ignored without a reason",
            f"delivery 1 (tienda-mx {today}, order #1 to bodega): "
            "delivered, but the id in the stored response is not its remote_id",
        ],
    )
    assert [word for word in PERSONAL_DATA if word in printed] == []


def test_command_prints_json_within_its_scope(service: Service, command: Command) -> None:
    create_every_outcome(service)
    service.api("/accounts/erp/pause", json={})
    execute_statements(service, update_row(Delivery, WAITING, due_at=None))
    today = f"{service.clock():%Y-%m-%d}"
    status, printed = command("reconcile", "--store", "tienda-ar", "--since", today, "--json")
    assert (status, json.loads(printed)) == (
        1,
        {
            "days": [
                {
                    "store": "tienda-ar",
                    "day": today,
                    "events": {"accepted": 2, "ignored": 0, "duplicates": 0},
                    "deliveries": {"waiting": 1, "sending": 0, "delivered": 0, "parked": 1, "discarded": 0},
                    "differences": 1,
                }
            ],
            "held": [{"account": "erp", "state": "paused", "waiting": 1}],
            "for_a_person": [],
            "differences": [
                {
                    "kind": "delivery",
                    "id": str(WAITING),
                    "store": "tienda-ar",
                    "day": today,
                    "account": "erp",
                    "order": "5",
                    "what": "waiting, but never due",
                }
            ],
            "unlisted": 0,
        },
    )
    assert command("reconcile", "--until", today, "--json")[0] == 0
