"""`prune` removes the content of orders that ended long ago, and keeps what identifies events and orders."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlmodel import col

from connector.database.models import Attempt, Delivery, Event
from connector.database.prune import PruneCriteria, PruneResult, PruneRun, batches, prune, prune_batch
from tests.support.commands import Command
from tests.support.destinations import POST
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL_DATA, produce_every_outcome
from tests.support.rows import differences, execute_statements, read_rows_of, update_row
from tests.support.scenarios import lose_a_response, resolve, retrigger, without_colonia
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post_thin_webhook, store_order

DAY_S = 86_400
YEAR_S = 366 * DAY_S
PAYLOAD_PRUNED = "Its payload was pruned. It will be sent when a newer version of the order arrives."
KEY_PRUNED = (
    "The body sent with its idempotency key was pruned: check at the destination, then retrigger with force and a new "
    "key."
)


@pytest.fixture
def command(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def prune_now(
    service: Service, *, batch: int = 100, is_dry: bool = False, rests: list[None] | None = None
) -> PruneResult:
    """Prune deliveries that ended more than 90 days ago."""
    aged = PruneCriteria(before=service.clock() - timedelta(days=90), thin_stores=["nube"])
    rest = (lambda: None) if rests is None else (lambda: rests.append(None))
    return prune(service.database, aged, actor="ana", batch_size=batch, dry_run=is_dry, pause=rest)


def stored_content(service: Service) -> dict[str, list[int]]:
    """Return the ids of the rows that still have content."""
    columns = {
        "events": (col(Event.id), func.length(col(Event.body)) > 0),
        "bodies": (col(Delivery.id), col(Delivery.body).is_not(None)),
        "replies": (col(Attempt.delivery_id), col(Attempt.reply).is_not(None)),
    }
    with service.database.read() as connection:
        return {
            name: sorted(connection.execute(select(id_).where(condition)).scalars())
            for name, (id_, condition) in columns.items()
        }


def deliver_old_order(service: Service) -> None:
    """Deliver an order to LaPyme, and advance the clock by a year."""
    service.post_woo(woo_order())
    service.drain()
    service.clock.forward(YEAR_S)


NOTHING_STORED: dict[str, list[int]] = {"events": [], "bodies": [], "replies": []}
ALL_STORED = {"events": [1], "bodies": [1], "replies": [1]}


def test_prune_removes_content_and_keeps_identity(service: Service) -> None:
    deliver_old_order(service)
    summary = {"customer": "Tobías Ensayo", "total": "423.50", "currency": "ARS"}
    execute_statements(service, update_row(Delivery, 1, summary=summary))
    events, deliveries = read_rows_of(service, Event), read_rows_of(service, Delivery)
    attempts = read_rows_of(service, Attempt)
    assert prune_now(service) == PruneResult(deliveries=1, events=1)
    [delivery] = read_rows_of(service, Delivery)
    dropped = {"body": None, "summary": None, "problems": [], "warnings": [], "pruned_at": delivery["pruned_at"]}
    assert timedelta(0) <= service.clock() - delivery["pruned_at"] < timedelta(minutes=1)
    assert delivery == deliveries[0] | dropped
    [event] = read_rows_of(service, Event)
    assert event == events[0] | {"body": b"", "pruned_at": event["pruned_at"]}
    assert event["pruned_at"] >= delivery["pruned_at"]
    assert read_rows_of(service, Attempt) == [attempts[0] | {"reply": None}]


def test_pruned_delivery_shows_when_it_was_pruned(service: Service) -> None:
    deliver_old_order(service)
    assert "pruned_at" not in service.only_delivery()
    prune_now(service)
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["body"], delivery["attempt_log"][0]["reply"]) == ("delivered", None, None)
    assert delivery["pruned_at"].startswith(f"{service.clock():%Y-%m-%dT%H}")


def test_prune_removes_personal_data_except_operator_notes(service: Service) -> None:
    produce_every_outcome(service)
    for delivery in service.deliveries():
        if delivery["state"] != "delivered":
            resolve(service, delivery["id"], **{"as": "discarded"})
    service.clock.forward(YEAR_S)
    prune_now(service)
    rows = repr([row for model in (Event, Delivery, Attempt) for row in read_rows_of(service, model)])
    assert [word for word in PERSONAL_DATA if word in rows] == []
    assert differences(service) == []


def test_duplicate_of_a_pruned_event_creates_no_delivery(service: Service) -> None:
    service.post_shopify(shopify_order(), event_id="one")
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    assert service.post_shopify(shopify_order(), event_id="one").json == {"status": "duplicate", "event": "1"}
    service.drain()
    assert [delivery["state"] for delivery in service.deliveries()] == ["delivered"]
    assert len(service.sandbox.orders("rayo")) == 1


def test_new_event_of_a_pruned_order_creates_no_second_delivery(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    service.post_shopify(shopify_order(updated_at="2027-11-20T10:00:00-06:00"))
    service.drain()
    assert len(service.deliveries()) == len(service.sandbox.orders("rayo")) == 1


def test_recently_ended_delivery_is_kept(service: Service) -> None:
    deliver_old_order(service)
    execute_statements(service, update_row(Delivery, 1, updated_at=service.clock() - timedelta(days=89)))
    assert (prune_now(service), stored_content(service)) == (PruneResult(deliveries=0, events=0), ALL_STORED)


def test_order_with_a_recent_event_is_kept(service: Service) -> None:
    deliver_old_order(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    assert stored_content(service) == ALL_STORED | {"events": [1, 2]}


@pytest.mark.parametrize("state", ["waiting", "sending", "parked"])
def test_order_open_at_any_account_is_kept(service: Service, state: str) -> None:
    deliver_old_order(service)
    other = {"account": "hub", "state": state, "reason": "uncertain" if state == "parked" else None}
    [row] = read_rows_of(service, Delivery)
    execute_statements(service, insert(Delivery).values(row | other | {"id": 2}))
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    assert stored_content(service) == ALL_STORED | {"bodies": [1, 2]}


def test_resolved_and_cancelled_deliveries_are_pruned(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(without_colonia(2))
    service.drain()
    resolve(service, "2", **{"as": "discarded"})
    service.clock.forward(YEAR_S)
    assert service.deliveries()[1]["problems"] == ["Shipping address > neighbourhood is missing."]
    assert (prune_now(service), stored_content(service)) == (PruneResult(deliveries=2, events=3), NOTHING_STORED)
    assert [delivery["problems"] for delivery in service.deliveries()] == [[], []]


def test_old_ignored_events_are_pruned(service: Service) -> None:
    service.post_shopify(shopify_order(1, financial_status="pending"), "orders/create")  # no route takes it
    service.post_shopify({"customer": {"email": "ximena@example.mx"}}, "customers/redact")  # of no order
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    service.clock.forward(YEAR_S)
    assert (prune_now(service), stored_content(service)) == (PruneResult(deliveries=0, events=2), NOTHING_STORED)


def test_ignored_event_needed_by_an_open_delivery_is_kept(service: Service) -> None:
    service.post_shopify(without_colonia(1, updated_at="2026-11-20T10:09:00-06:00"), "orders/updated")
    service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:03:00-06:00"), "orders/paid")
    service.drain()
    service.clock.forward(YEAR_S)
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    assert stored_content(service)["events"] == [1, 2]


def test_payload_of_an_accepted_event_without_delivery_is_kept(service: Service) -> None:
    service.post_woo(woo_order())
    execute_statements(service, delete(Delivery))
    service.clock.forward(YEAR_S)
    assert prune_now(service) == PruneResult(deliveries=0, events=0)


def test_prune_pauses_after_each_batch(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    service.drain()
    service.clock.forward(YEAR_S)
    rests: list[None] = []
    assert prune_now(service, batch=2, rests=rests) == PruneResult(deliveries=5, events=5)
    assert (len(rests), stored_content(service)) == (6, NOTHING_STORED)


def test_interrupted_prune_resumes(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    service.drain()
    service.clock.forward(YEAR_S)
    aged = PruneCriteria(before=service.clock() - timedelta(days=90), thin_stores=[])

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(service.database, aged, actor="ana", batch_size=2, dry_run=False, pause=stop)
    assert prune_now(service) == PruneResult(deliveries=3, events=5)
    assert (prune_now(service), stored_content(service)) == (PruneResult(deliveries=0, events=0), NOTHING_STORED)


def test_manual_retry_during_prune_is_not_lost(service: Service) -> None:
    for number in range(2):
        service.post_woo(woo_order(number))
    service.drain()
    service.clock.forward(YEAR_S)
    criteria = PruneCriteria(before=service.clock() - timedelta(days=90), thin_stores=[])
    [batch] = batches(service.database, Delivery, criteria, 100)
    retrigger(service, "2", force=True)
    run = PruneRun(result=PruneResult())
    change = partial(prune_batch, model=Delivery, ids=batch, criteria=criteria, actor="ana", run=run)
    assert service.database.transact(change).result == PruneResult(deliveries=1)
    assert stored_content(service)["bodies"] == [2]


def test_dry_run_only_counts(service: Service) -> None:
    deliver_old_order(service)
    assert (prune_now(service, is_dry=True), stored_content(service)) == (
        PruneResult(deliveries=1, events=1),
        ALL_STORED,
    )


# Retriggering pruned deliveries


def state_reason_and_problems(service: Service) -> tuple[str, str | None, list[str]]:
    delivery = service.only_delivery()
    return delivery["state"], delivery["reason"], delivery["problems"]


@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
def test_forced_retrigger_of_a_pruned_order_reports_the_missing_payload(service: Service, destination: str) -> None:
    name, order = POST[destination]
    getattr(service, name)(order())
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    assert retrigger(service, "1", force=True).status_code == 202
    service.drain()
    assert state_reason_and_problems(service) == ("parked", "unmappable", [PAYLOAD_PRUNED])
    assert len(service.sandbox.orders(destination)) == 1
    assert differences(service) == []


def test_forced_retrigger_without_idempotency_sends_the_newer_version(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    service.post_shopify(shopify_order(updated_at="2027-11-20T10:00:00-06:00"), "orders/updated")
    retrigger(service, "1", force=True)
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert len(service.sandbox.orders("rayo")) == 2  # by an operator
    assert differences(service) == []


def test_pruned_idempotency_key_is_never_reused_for_another_body(service: Service) -> None:
    deliver_old_order(service)
    prune_now(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00", customer_note="newer"))
    retrigger(service, "1", force=True)
    service.drain()
    assert state_reason_and_problems(service) == ("parked", "unmappable", [KEY_PRUNED])
    assert len(service.sandbox.requests("lapyme")) == 1
    assert differences(service) == []
    retrigger(service, "1", force=True, new_key=True)
    service.drain()
    assert [order.key for order in service.sandbox.orders("lapyme")] == [
        "order:tienda-ar:727:r1",
        "order:tienda-ar:727:r2",
    ]


@pytest.mark.parametrize("as_", ["delivered", "discarded"])
def test_key_of_an_uncertain_delivery_is_not_reused_after_pruning(service: Service, as_: str) -> None:
    lose_a_response(service, "lapyme")
    resolve(service, "1", **{"as": as_})
    service.clock.forward(YEAR_S)
    prune_now(service)
    assert stored_content(service) == NOTHING_STORED
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    for _ in range(2):
        retrigger(service, "1", force=True)
        service.drain()
        assert state_reason_and_problems(service) == ("parked", "uncertain", [KEY_PRUNED])
        resolve(service, "1", **{"as": as_})
    assert len({(request.body, request.key) for request in service.sandbox.requests("lapyme")}) == 1
    assert differences(service) == []


def test_refused_and_pruned_delivery_is_sent_in_a_newer_version_with_a_new_key(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order())
    service.drain()
    resolve(service, "1", **{"as": "discarded"})
    service.clock.forward(YEAR_S)
    prune_now(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    retrigger(service, "1", force=True)
    service.drain()
    assert [order.key for order in service.sandbox.orders("lapyme")] == ["order:tienda-ar:727:r2"]


def test_delivery_resent_after_pruning_is_pruned_again(service: Service) -> None:
    deliver_old_order(service)
    prune_now(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    retrigger(service, "1", force=True, new_key=True)
    service.drain()
    assert (service.only_delivery()["state"], differences(service)) == ("delivered", [])
    service.clock.forward(YEAR_S)
    assert (prune_now(service), stored_content(service)) == (PruneResult(deliveries=1, events=1), NOTHING_STORED)
    assert differences(service) == []


def forget_attempts(service: Service) -> None:
    """Attempts that are missing would be taken for a restore."""
    file, generation = service.database.backend.generation_file, service.database.generation
    if file is not None and generation is not None:
        file.begin(generation.id, 0)


def test_pruned_event_creates_no_sendable_delivery(service: Service) -> None:
    deliver_old_order(service)
    prune_now(service)
    execute_statements(service, delete(Attempt), delete(Delivery))  # as if the route were new
    forget_attempts(service)
    service.api("/events/1/retrigger", json={})
    service.drain()
    assert state_reason_and_problems(service) == ("parked", "unmappable", [PAYLOAD_PRUNED])


def test_thin_webhook_is_kept_so_that_later_changes_are_fetched(
    open_service: Callable[..., Service], sandbox: Any
) -> None:
    text = THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube"))
    service = open_service(text=text)
    store_order(service, payment_status="pending")
    post_thin_webhook(service)
    post_thin_webhook(service, "order/updated")
    service.drain()
    assert service.only_delivery()["reason"] == "filtered"
    service.clock.forward(YEAR_S)
    assert prune_now(service) == PruneResult(deliveries=1, events=0)
    store_order(service, updated_at="2027-11-20T12:09:00+0000")
    assert post_thin_webhook(service, "order/updated").json["status"] == "duplicate"
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


# The command


def advance_a_year(service: Service) -> None:
    """Make rows a year older, because commands use the real clock."""
    a_year = timedelta(days=366)
    execute_statements(
        service,
        update(Event).values(received_at=service.clock() - a_year),
        update(Delivery).values(updated_at=service.clock() - a_year),
    )


def test_command_reports_what_it_pruned(service: Service, command: Command) -> None:
    service.post_woo(woo_order())
    service.drain()
    assert command("prune") == (0, "Pruned: deliveries 0, events 0.\n")
    advance_a_year(service)
    assert command("prune", "--older-than-days", "367") == (0, "Pruned: deliveries 0, events 0.\n")
    assert command("prune", "--dry-run") == (0, "Would prune: deliveries 1, events 1.\n")
    assert stored_content(service) == ALL_STORED
    assert command("prune", "--batch", "1") == (0, "Pruned: deliveries 1, events 1.\n")
    assert stored_content(service) == NOTHING_STORED
    assert command("reconcile")[0] == 0


def test_command_keeps_thin_webhooks(open_service: Callable[..., Service], sandbox: Any, command: Command) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    store_order(service)
    post_thin_webhook(service)
    service.drain()
    advance_a_year(service)
    assert command("prune") == (0, "Pruned: deliveries 1, events 0.\n")
