"""`reconcile` finds a whole life in order, and names each row that is not, and no other."""

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
from tests.support.privacy import PERSONAL, live_through_everything
from tests.support.rows import LATE_S, change, look, of, read_all, told
from tests.support.scenarios import lose_a_reply, resolve, retrigger, without_colonia
from tests.support.service import CONFIGURATION, Service

#: The rows of `live`.
DELIVERED, UNMAPPABLE, CANCELLED, REFUSED, WAITING = 1, 2, 3, 4, 5
IGNORED, CANCELS = 3, 5  # events


@pytest.fixture
def command(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def live(service: Service) -> None:
    """One order for each way that an order can go."""
    service.post_shopify(shopify_order(1))
    service.post_shopify(without_colonia(2))
    service.post_shopify(shopify_order(9), "orders/create")  # no route takes it
    service.post_shopify(shopify_order(3))
    service.post_shopify(shopify_order(3, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_woo(woo_order(4))
    service.post_woo(woo_order(5))
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.sandbox.inject_fault("lapyme", "status", status=429, retry_after_s=300)
    service.carry_due()
    states = [(one["state"], one["reason"]) for one in service.deliveries()]
    assert states == [
        ("delivered", None),
        ("parked", "unmappable"),
        ("discarded", "cancelled"),
        ("parked", "refused"),
        ("waiting", None),
    ]


def attempt_of(delivery: int, **values: Any) -> Any:
    return update(Attempt).where(col(Attempt.delivery_id) == delivery).values(values)


def note(delivery: int, **values: Any) -> Any:
    row = {"delivery_id": delivery, "at": datetime.now(UTC), "kind": "resolve", "text": "", "who": None}
    return insert(Note).values(row | values)


def hence(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def reply_of(id_: str) -> bytes:
    return json.dumps({"orden": {"ordenRef": id_}}).encode()


A_UUID = "0b0ffb3e-7b5c-4d43-9d36-6d8f0a4b7a01"


def test_a_life_of_every_kind_of_outcome_is_accounted_for(service: Service) -> None:
    live_through_everything(service)
    live_on = look(service)
    assert (live_on.differences, live_on.total) == ([], 0)
    service.drain()
    assert told(service) == []


def test_an_order_that_ended_in_each_state_is_accounted_for(service: Service) -> None:
    live(service)
    assert told(service) == []


@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
@pytest.mark.parametrize("as_", ["delivered", "discarded"])
def test_the_word_of_a_person_who_is_named_accounts_for_a_delivery(
    service: Service, destination: str, as_: str
) -> None:
    lose_a_reply(service, destination)
    assert told(service) == []
    resolve(service, "1", **{"as": as_})
    assert told(service) == []
    retrigger(service, "1", force=True)
    service.carry_due()
    assert told(service) == []


def test_a_cancelled_order_that_a_person_lets_go_on_is_accounted_for(service: Service) -> None:
    live(service)
    service.post_shopify(shopify_order(3, updated_at="2026-11-20T10:30:00-06:00"), "orders/paid")
    retrigger(service, str(CANCELLED), force=True)
    assert told(service) == []
    service.drain()
    assert told(service) == []


def test_what_is_cancelled_before_it_is_paid_rightly_has_no_delivery(service: Service) -> None:
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(shopify_order(1), "orders/paid")
    assert [one["reason"] for one in service.api("/events").json["items"]] == [
        "the order was cancelled before: a person decides",
        "cancelled",
    ]
    assert told(service) == []


def test_a_new_route_makes_no_delivery_of_what_was_cancelled_and_that_is_right(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(text=CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega", "erp"]'))
    service.post_shopify(shopify_order(1))
    change(service, delete(Delivery).where(col(Delivery.account) == "erp"), of(Event, 1, accounts=["bodega"]))
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:30:00-06:00"), "orders/paid")
    assert told(service) == []


def test_an_order_whose_newest_version_came_before_it_was_paid_is_accounted_for(service: Service) -> None:
    service.post_shopify(without_colonia(1, updated_at="2026-11-20T10:09:00-06:00"), "orders/updated")
    service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:03:00-06:00"), "orders/paid")
    service.drain()
    assert told(service) == []


def corruptions() -> list[tuple[list[Any], list[tuple[str, int, str]]]]:
    """What is done to rows of `live`, and what is to be said of them."""
    return [
        # events
        ([of(Event, IGNORED, reason=None)], [("event", IGNORED, "ignored without a reason")]),
        ([of(Event, IGNORED, reason="")], [("event", IGNORED, "ignored without a reason")]),
        ([of(Event, IGNORED, accounts=["bodega"])], [("event", IGNORED, "ignored, and its routes named bodega")]),
        (
            [of(Event, IGNORED, reason="cancelled")],
            [("event", IGNORED, "ignored as cancelled, and no event cancels its order")],
        ),
        ([of(Event, IGNORED, status="lost")], [("event", IGNORED, "its status is 'lost'")]),
        ([of(Event, IGNORED, status="accepted")], [("event", IGNORED, "accepted, and its order has no delivery")]),
        (
            [of(Event, IGNORED, status="accepted", order_id=None)],
            [("event", IGNORED, "accepted, and it speaks of no order")],
        ),
        (
            [of(Event, 1, accounts=["bodega", "hub"])],
            [("event", 1, "its routes named account hub, and its order has no delivery there")],
        ),
        (
            [
                attempt_of(DELIVERED, delivery_id=WAITING, number=2),
                delete(Delivery).where(col(Delivery.id) == DELIVERED),
            ],
            [
                ("event", 1, "accepted, and its order has no delivery"),
                ("delivery", WAITING, "it counts 1 attempts, and has 2"),
            ],
        ),
        (
            [of(Event, CANCELS - 1, accounts=["bodega", "hub"])],
            [("event", CANCELS - 1, "its routes named account hub, and its order has no delivery there")],
        ),
        ([of(Event, CANCELS, accounts=["bodega", "hub"])], []),
        # states and their reasons
        (
            [of(Delivery, UNMAPPABLE, reason=None)],
            [("delivery", UNMAPPABLE, "parked because of nothing: there is no such state")],
        ),
        (
            [of(Delivery, CANCELLED, reason="refused")],
            [("delivery", CANCELLED, "discarded because refused: there is no such state")],
        ),
        (
            [of(Delivery, DELIVERED, state="gone")],
            [("delivery", DELIVERED, "gone because of nothing: there is no such state")],
        ),
        ([of(Delivery, UNMAPPABLE, problems=[])], [("delivery", UNMAPPABLE, "unmappable, and no problem says why")]),
        (
            [of(Delivery, UNMAPPABLE, reason="exhausted")],
            [("delivery", UNMAPPABLE, "exhausted without an attempt")],
        ),
        (
            [of(Delivery, CANCELLED, reason="by hand")],
            [("delivery", CANCELLED, "discarded by hand, and by nobody's word")],
        ),
        (
            [of(Delivery, CANCELLED, reason="by hand"), note(CANCELLED, who="")],
            [("delivery", CANCELLED, "discarded by hand, and by nobody's word")],
        ),
        # delivered
        (
            [attempt_of(DELIVERED, reply=reply_of("no uuid"))],
            [("delivery", DELIVERED, "delivered, and the reply that is kept is no success")],
        ),
        (
            [attempt_of(DELIVERED, reply=reply_of(A_UUID))],
            [("delivery", DELIVERED, "delivered, and the reply that is kept gives another id than remote_id")],
        ),
        (
            [attempt_of(DELIVERED, status=500)],
            [("delivery", DELIVERED, "delivered, and the reply that is kept is no success")],
        ),
        (
            [attempt_of(DELIVERED, reply=None)],
            [("delivery", DELIVERED, "delivered, and the reply that is kept is no success")],
        ),
        (
            [attempt_of(DELIVERED, outcome="refused")],
            [("delivery", DELIVERED, "delivered, by no attempt and by nobody's word")],
        ),
        (
            [attempt_of(DELIVERED, outcome="refused"), note(DELIVERED)],
            [("delivery", DELIVERED, "delivered, by no attempt and by nobody's word")],
        ),
        (
            [attempt_of(DELIVERED, outcome="refused"), note(DELIVERED, who="ana", kind="retrigger")],
            [("delivery", DELIVERED, "delivered, by no attempt and by nobody's word")],
        ),
        (
            [attempt_of(DELIVERED, outcome="refused"), note(DELIVERED, who="ana", at=hence(-3600))],
            [("delivery", DELIVERED, "delivered, by no attempt and by nobody's word")],
        ),
        ([attempt_of(DELIVERED, outcome="refused"), note(DELIVERED, who="ana", at=hence(5))], []),
        ([attempt_of(DELIVERED, reply=None), of(Delivery, DELIVERED, pruned_at=hence(5))], []),
        (
            [attempt_of(DELIVERED, reply=None), of(Delivery, DELIVERED, pruned_at=hence(-3600))],
            [("delivery", DELIVERED, "delivered, and the reply that is kept is no success")],
        ),
        (
            [attempt_of(DELIVERED, reply=None), of(Delivery, DELIVERED, pruned_at=hence(5), remote_id=None)],
            [("delivery", DELIVERED, "delivered, and the destination's id is not kept")],
        ),
        # attempts
        (
            [attempt_of(DELIVERED, number=2), of(Delivery, DELIVERED, attempts=2)],
            [("delivery", DELIVERED, "it counts 2 attempts, and lacks 1")],
        ),
        ([of(Delivery, REFUSED, attempts=3)], [("delivery", REFUSED, "it counts 3 attempts, and lacks 2, 3")]),
        ([attempt_of(REFUSED, number=2)], [("delivery", REFUSED, "it counts 1 attempts, and lacks 1 and has 2")]),
        (
            [attempt_of(REFUSED, outcome="sending")],
            [("delivery", REFUSED, "parked, and of attempts [1] it is not told what came of them")],
        ),
        # versions and cancellations
        (
            [of(Delivery, WAITING, event_id=1)],
            [
                ("delivery", WAITING, "its event 1 does not hold its order"),
                ("delivery", WAITING, "its order's newest event is 7, and event 1 was applied"),
            ],
        ),
        ([of(Event, 1, has_order=False)], [("delivery", DELIVERED, "its event 1 does not hold its order")]),
        ([of(Event, 7, is_cancellation=True)], [("delivery", WAITING, "waiting, and its order was cancelled")]),
        ([of(Event, 7, is_cancellation=True), of(Delivery, WAITING, override_event_id=7)], []),
        ([of(Event, 6, is_cancellation=True)], [("delivery", REFUSED, "refused, and its order was cancelled")]),
        ([of(Event, 1, is_cancellation=True)], []),
        # waiting
        ([of(Delivery, WAITING, due_at=None)], [("delivery", WAITING, "waiting, and never due")]),
        (
            [of(Delivery, WAITING, due_at=datetime(2099, 1, 1, tzinfo=UTC))],
            [("delivery", WAITING, "waiting until 2099-01-01T00:00:00Z: no delay is longer than 3600 s")],
        ),
        (
            [of(Delivery, WAITING, due_at=datetime(2020, 1, 1, tzinfo=UTC))],
            [("delivery", WAITING, "waiting, due since 2020-01-01T00:00:00Z, and no forwarder took it")],
        ),
        ([of(Delivery, WAITING, due_at=hence(-LATE_S / 2))], []),
        (
            [of(Delivery, WAITING, due_at=hence(-2 * LATE_S), claimed_by="other:1:1:a", claim_expires_at=hence(30))],
            [],
        ),
        (
            [of(Delivery, WAITING, claimed_by="other:1:1:a", claim_expires_at=hence(3600))],
            [("delivery", WAITING, "waiting, on a lease that is longer than LEASE_S")],
        ),
    ]


def test_each_row_that_is_not_in_order_is_named_and_no_other(service: Service) -> None:
    live(service)
    whole = {table: read_all(service, table) for table in (Circuit, Event, Delivery, Attempt, Note)}
    found = []
    for statements, _ in corruptions():
        emptied = [delete(table) for table in reversed(whole)]
        change(service, *emptied, *(insert(table).values(rows) for table, rows in whole.items() if rows), *statements)
        found.append(told(service))
    assert found == [expected for _, expected in corruptions()]


@pytest.mark.parametrize("number", [REFUSED, WAITING])
def test_what_is_not_made_from_the_newest_event_is_named_unless_its_bytes_are_frozen(
    service: Service, number: int
) -> None:
    live(service)
    service.post_woo(woo_order(number, date_modified_gmt="2026-11-20T15:30:00"))
    service.post_woo(woo_order(number, date_modified_gmt="2026-11-20T15:00:00", customer_note="older"))
    assert told(service) == []
    read = number + 2  # its event
    change(service, of(Delivery, number, event_id=read))
    what = f"its order's newest event is 8, and event {read} was applied"
    assert told(service) == [("delivery", number, what)]
    change(service, of(Delivery, number, locked_since=hence(0)))
    assert told(service) == []


def test_an_event_of_before_routes_were_noted_needs_some_delivery_of_its_order(service: Service) -> None:
    live(service)
    change(service, update(Event).values(accounts=[]))
    assert told(service) == []


def test_a_filtered_order_says_why(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="on-hold", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    assert told(service) == []
    change(service, of(Delivery, 1, problems=[]))
    assert told(service) == [("delivery", 1, "filtered, and no problem says why")]


def begin_sending(service: Service, claimant: str = "another-machine:1:1:a") -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, claimant)
    assert start_sending(service, claimed)


def test_what_is_being_sent_is_accounted_for(service: Service) -> None:
    begin_sending(service)
    assert told(service) == []


def test_what_is_sending_has_a_live_claim_and_what_it_sends(service: Service) -> None:
    begin_sending(service)
    whole: dict[str, Any] = {
        "claimed_by": "another-machine:1:1:a",
        "claim_expires_at": hence(60),
        "body": b"{}",
        "idempotency_key": "k",
    }
    long_ago, long_hence = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2099))
    expected: list[tuple[dict[str, Any], str]] = [
        ({"claimed_by": None}, "sending, and nobody claims it"),
        ({"claim_expires_at": None}, "sending, and nobody claims it"),
        ({"claim_expires_at": long_ago}, "sending, and its lease ended at 2020-01-01T00:00:00Z"),
        ({"claim_expires_at": long_hence}, "sending, on a lease that is longer than LEASE_S"),
        ({"body": None}, "sending, and its body is not kept"),
        ({"idempotency_key": None}, "sending, and its key is not kept"),
    ]
    found = []
    for values, _ in expected:
        change(service, of(Delivery, 1, **whole | values))
        found.append(told(service))
    assert found == [[("delivery", 1, what)] for _, what in expected]


def test_a_lease_that_ended_a_moment_ago_is_about_to_be_settled(service: Service) -> None:
    begin_sending(service)
    change(service, of(Delivery, 1, claim_expires_at=hence(-2)))
    assert told(service) == []


def test_what_a_dead_process_was_sending_is_named_until_it_is_settled(service: Service) -> None:
    program = "from connector.core.worker_id import new_worker_id; print(new_worker_id())"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    begin_sending(service, ended.stdout.strip())
    assert told(service) == []
    change(service, of(Delivery, 1, updated_at=hence(-20)))
    assert told(service) == [("delivery", 1, "sending, and the process that sent it runs no more")]
    service.forwarder().recover()
    assert told(service) == []


def test_sending_without_its_attempt_is_named(service: Service) -> None:
    begin_sending(service)
    change(service, attempt_of(1, outcome="refused"))
    assert told(service) == [("delivery", 1, "sending, and of attempts [] it is not told what came of them")]


def test_what_waits_for_a_paused_account_is_said_and_no_difference(service: Service) -> None:
    live(service)
    service.api("/accounts/erp/pause", json={})
    change(service, of(Delivery, WAITING, due_at=hence(-86_400)))
    report = look(service)
    assert (report.differences, report.held) == ([], {("erp", "paused"): 1})


def test_what_waits_for_an_open_circuit_is_said_until_nobody_probes_it(service: Service) -> None:
    live(service)
    opened = update(Circuit).where(col(Circuit.account) == "erp")
    due_at = datetime(2020, 1, 1, tzinfo=UTC)
    change(service, opened.values(opened_at=hence(-900), probe_at=hence(20)), of(Delivery, WAITING, due_at=due_at))
    report = look(service)
    assert (report.differences, report.held) == ([], {("erp", "circuit open"): 1})
    change(service, opened.values(probe_at=hence(-2 * LATE_S)))
    assert told(service) == [("delivery", WAITING, "waiting, due since 2020-01-01T00:00:00Z, and no forwarder took it")]


def test_an_accounts_own_delay_may_be_the_longest(open_service: Callable[..., Service]) -> None:
    service = open_service(more="retry_max_s = 90000")
    live(service)
    change(service, of(Delivery, WAITING, due_at=hence(80_000)))
    assert told(service) == []


def test_events_and_deliveries_are_counted_by_store_and_day(service: Service) -> None:
    live(service)
    service.post_shopify(shopify_order(7), event_id="again")
    service.post_shopify(shopify_order(7), event_id="again")
    change(
        service,
        of(Event, 1, received_at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), reason="x"),
        of(Delivery, 1, created_at=datetime(2026, 3, 2, tzinfo=UTC), remote_id="x"),
    )
    today = f"{service.clock():%Y-%m-%d}"
    assert look(service).days == {
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


def test_a_scope_leaves_out_what_is_not_of_it(service: Service) -> None:
    live(service)
    march, april = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4))
    change(service, of(Event, 1, received_at=march), of(Delivery, 1, created_at=march))
    assert set(look(service, Scope(store="tienda-ar")).days) == {("tienda-ar", f"{service.clock():%Y-%m-%d}")}
    assert set(look(service, Scope(since=march, until=april)).days) == {("tienda-mx", "2026-03-01")}
    assert ("tienda-mx", "2026-03-01") not in look(service, Scope(since=april)).days


def test_rows_are_read_in_pieces_and_all_of_them(service: Service) -> None:
    live(service)
    change(service, of(Delivery, DELIVERED, remote_id="x"), of(Delivery, WAITING, due_at=None))
    whole, pieces = look(service), look(service, batch_size=2, max_listed=1)
    assert (pieces.days, pieces.total) == (whole.days, 2)
    assert pieces.differences == whole.differences[:1]


# As a command


def test_the_command_prints_a_table_and_ends_well(service: Service, command: Command) -> None:
    live(service)
    today = f"{service.clock():%Y-%m-%d}"
    status, printed = command("reconcile")
    assert status == 0
    assert [" ".join(line.split()) for line in printed.splitlines()] == [
        "store day accepted ignored duplicates waiting sending delivered parked discarded differences",
        f"tienda-ar {today} 2 0 0 1 0 0 1 0 0",
        f"tienda-mx {today} 4 1 0 0 0 1 1 1 0",
        "Everything is accounted for.",
    ]


def test_the_command_lists_what_differs_without_personal_data_and_ends_with_1(
    service: Service, command: Command
) -> None:
    live(service)
    change(service, of(Delivery, DELIVERED, remote_id="Ximena"), of(Event, IGNORED, reason=None))
    today = f"{service.clock():%Y-%m-%d}"
    status, printed = command("reconcile")
    assert (status, printed.splitlines()[3:]) == (
        1,
        [
            f"event 3 (tienda-mx {today}, order #9): ignored without a reason",
            f"delivery 1 (tienda-mx {today}, order #1 to bodega): "
            "delivered, and the reply that is kept gives another id than remote_id",
        ],
    )
    assert [word for word in PERSONAL if word in printed] == []


def test_the_command_tells_json_and_keeps_to_its_scope(service: Service, command: Command) -> None:
    live(service)
    service.api("/accounts/erp/pause", json={})
    change(service, of(Delivery, WAITING, due_at=None))
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
            "differences": [
                {
                    "kind": "delivery",
                    "id": str(WAITING),
                    "store": "tienda-ar",
                    "day": today,
                    "account": "erp",
                    "order": "5",
                    "what": "waiting, and never due",
                }
            ],
            "unlisted": 0,
        },
    )
    assert command("reconcile", "--until", today, "--json")[0] == 0
