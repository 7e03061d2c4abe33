"""`prune` drops what orders held that ended long ago, and nothing by which events and orders are known."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlmodel import col

from connector.database.models import Attempt, Delivery, Event
from connector.database.prune import PruneCriteria, PruneResult, batches, clear_deliveries, clear_locked, prune
from tests.support.commands import Command
from tests.support.destinations import POST
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL, live_through_everything
from tests.support.rows import change, of, read_all, told
from tests.support.scenarios import lose_a_reply, resolve, retrigger, without_colonia
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post, put

DAY_S = 86_400
YEAR_S = 366 * DAY_S
PAYLOAD_PRUNED = "Its payload was pruned: it goes again when a newer version of the order comes."
KEY_PRUNED = "What went under its key was pruned: look at the destination, then retrigger with force and a new key."


@pytest.fixture
def command(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def prune_now(
    service: Service, *, batch: int = 100, is_dry: bool = False, rests: list[None] | None = None
) -> PruneResult:
    """Drop what ended more than 90 days ago."""
    aged = PruneCriteria(before=service.clock() - timedelta(days=90), thin_stores=["nube"])
    rest = (lambda: None) if rests is None else (lambda: rests.append(None))
    return prune(service.database, aged, batch_size=batch, dry_run=is_dry, pause=rest)


def held(service: Service) -> dict[str, list[int]]:
    """The ids of the rows that hold something."""
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


def deliver_one(service: Service) -> None:
    """An order at LaPyme, a year ago."""
    service.post_woo(woo_order())
    service.drain()
    service.clock.forward(YEAR_S)


NOTHING: dict[str, list[int]] = {"events": [], "bodies": [], "replies": []}
ALL = {"events": [1], "bodies": [1], "replies": [1]}


def test_what_a_delivered_order_held_is_dropped_and_its_identity_stays(service: Service) -> None:
    deliver_one(service)
    kept_events, kept_deliveries = read_all(service, Event), read_all(service, Delivery)
    kept_attempts = read_all(service, Attempt)
    assert prune_now(service) == PruneResult(deliveries=1, events=1)
    [delivery] = read_all(service, Delivery)
    dropped = {"body": None, "problems": [], "warnings": [], "pruned_at": delivery["pruned_at"]}
    assert timedelta(0) <= service.clock() - delivery["pruned_at"] < timedelta(minutes=1)
    assert delivery == kept_deliveries[0] | dropped
    assert read_all(service, Event) == [kept_events[0] | {"body": b""}]
    assert read_all(service, Attempt) == [kept_attempts[0] | {"reply": None}]


def test_a_pruned_delivery_is_shown_and_says_when(service: Service) -> None:
    deliver_one(service)
    assert "pruned_at" not in service.only_delivery()
    prune_now(service)
    shown = service.only_delivery()
    assert (shown["state"], shown["body"], shown["attempt_log"][0]["reply"]) == ("delivered", None, None)
    assert shown["pruned_at"].startswith(f"{service.clock():%Y-%m-%dT%H}")


def test_no_personal_data_of_what_ended_stays_but_in_peoples_own_notes(service: Service) -> None:
    live_through_everything(service)
    for delivery in service.deliveries():
        if delivery["state"] != "delivered":
            resolve(service, delivery["id"], **{"as": "discarded"})
    service.clock.forward(YEAR_S)
    prune_now(service)
    may_repeat = [row for row in read_all(service, Delivery) if row["locked_since"]]
    rows = repr([row for model in (Event, Delivery, Attempt) for row in read_all(service, model)])
    for row in may_repeat:
        rows = rows.replace(repr(row["body"]), "")
    assert [word for word in PERSONAL if word in rows] == []
    assert told(service) == []


def test_a_duplicate_after_a_year_is_a_duplicate_and_makes_no_delivery(service: Service) -> None:
    service.post_shopify(shopify_order(), event_id="one")
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    assert service.post_shopify(shopify_order(), event_id="one").json == {"status": "duplicate", "event": "1"}
    service.drain()
    assert [one["state"] for one in service.deliveries()] == ["delivered"]
    assert len(service.sandbox.orders("rayo")) == 1


def test_a_new_event_of_a_pruned_order_makes_no_second_delivery(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    service.post_shopify(shopify_order(updated_at="2027-11-20T10:00:00-06:00"))
    service.drain()
    assert len(service.deliveries()) == len(service.sandbox.orders("rayo")) == 1


def test_what_ended_lately_is_kept(service: Service) -> None:
    deliver_one(service)
    change(service, of(Delivery, 1, updated_at=service.clock() - timedelta(days=89)))
    assert (prune_now(service), held(service)) == (PruneResult(deliveries=0, events=0), ALL)


def test_an_order_of_which_something_came_lately_is_kept(service: Service) -> None:
    deliver_one(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    assert held(service) == ALL | {"events": [1, 2]}


@pytest.mark.parametrize("state", ["waiting", "sending", "parked"])
def test_an_order_that_has_not_ended_at_every_account_is_kept_whole(service: Service, state: str) -> None:
    deliver_one(service)
    other = {"account": "hub", "state": state, "reason": "uncertain" if state == "parked" else None}
    [row] = read_all(service, Delivery)
    change(service, insert(Delivery).values(row | other | {"id": 2}))
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    assert held(service) == ALL | {"bodies": [1, 2]}


def test_what_ended_by_hand_or_was_cancelled_is_dropped_too(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(without_colonia(2))
    service.drain()
    resolve(service, "2", **{"as": "discarded"})
    service.clock.forward(YEAR_S)
    assert service.deliveries()[1]["problems"] == ["Shipping address > neighbourhood is missing."]
    assert (prune_now(service), held(service)) == (PruneResult(deliveries=2, events=3), NOTHING)
    assert [one["problems"] for one in service.deliveries()] == [[], []]


def test_ignored_events_are_dropped_when_they_are_old(service: Service) -> None:
    service.post_shopify(shopify_order(1), "orders/create")  # no route takes it
    service.post_shopify({"customer": {"email": "ximena@example.mx"}}, "customers/redact")  # of no order
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    service.clock.forward(YEAR_S)
    assert (prune_now(service), held(service)) == (PruneResult(deliveries=0, events=2), NOTHING)


def test_an_ignored_event_that_a_delivery_waits_to_be_made_from_is_kept(service: Service) -> None:
    service.post_shopify(without_colonia(1, updated_at="2026-11-20T10:09:00-06:00"), "orders/updated")
    service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:03:00-06:00"), "orders/paid")
    service.drain()
    service.clock.forward(YEAR_S)
    assert prune_now(service) == PruneResult(deliveries=0, events=0)
    assert held(service)["events"] == [1, 2]


def test_the_payload_of_an_accepted_order_that_has_no_delivery_is_kept(service: Service) -> None:
    service.post_woo(woo_order())
    change(service, delete(Delivery))
    service.clock.forward(YEAR_S)
    assert prune_now(service) == PruneResult(deliveries=0, events=0)


def test_it_goes_in_batches_with_a_rest_after_each(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    service.drain()
    service.clock.forward(YEAR_S)
    rests: list[None] = []
    assert prune_now(service, batch=2, rests=rests) == PruneResult(deliveries=5, events=5)
    assert (len(rests), held(service)) == (6, NOTHING)


def test_stopped_halfway_it_goes_on_where_it_was(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    service.drain()
    service.clock.forward(YEAR_S)
    aged = PruneCriteria(before=service.clock() - timedelta(days=90), thin_stores=[])

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(service.database, aged, batch_size=2, dry_run=False, pause=stop)
    assert prune_now(service) == PruneResult(deliveries=3, events=5)
    assert (prune_now(service), held(service)) == (PruneResult(deliveries=0, events=0), NOTHING)


def test_what_a_person_wakes_after_it_was_found_is_kept(service: Service) -> None:
    for number in range(2):
        service.post_woo(woo_order(number))
    service.drain()
    service.clock.forward(YEAR_S)
    condition = PruneCriteria(before=service.clock() - timedelta(days=90), thin_stores=[]).delivery_condition()
    [found] = batches(service.database, Delivery, condition, 100)
    retrigger(service, "2", force=True)
    drop = partial(clear_locked, model=Delivery, ids=found, clear=clear_deliveries, condition=condition)
    assert (service.database.transact(drop), held(service)["bodies"]) == (1, [2])


def test_a_dry_run_counts_and_drops_nothing(service: Service) -> None:
    deliver_one(service)
    assert (prune_now(service, is_dry=True), held(service)) == (PruneResult(deliveries=1, events=1), ALL)


# What is pruned and asked for again


def parked(service: Service) -> tuple[str, str | None, list[str]]:
    delivery = service.only_delivery()
    return delivery["state"], delivery["reason"], delivery["problems"]


@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
def test_a_pruned_order_that_is_sent_by_force_says_that_it_was_pruned(service: Service, destination: str) -> None:
    name, order = POST[destination]
    getattr(service, name)(order())
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    assert retrigger(service, "1", force=True).status_code == 202
    service.drain()
    assert parked(service) == ("parked", "unmappable", [PAYLOAD_PRUNED])
    assert len(service.sandbox.orders(destination)) == 1
    assert told(service) == []


def test_a_pruned_order_of_no_key_goes_by_force_in_the_newer_version_that_came(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    service.clock.forward(YEAR_S)
    prune_now(service)
    service.post_shopify(shopify_order(updated_at="2027-11-20T10:00:00-06:00"), "orders/updated")
    retrigger(service, "1", force=True)
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert len(service.sandbox.orders("rayo")) == 2  # a person's word
    assert told(service) == []


def test_other_bytes_never_go_under_the_key_of_what_was_pruned(service: Service) -> None:
    deliver_one(service)
    prune_now(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00", customer_note="newer"))
    retrigger(service, "1", force=True)
    service.drain()
    assert parked(service) == ("parked", "unmappable", [KEY_PRUNED])
    assert len(service.sandbox.requests("lapyme")) == 1
    assert told(service) == []
    retrigger(service, "1", force=True, new_key=True)
    service.drain()
    assert [one.key for one in service.sandbox.orders("lapyme")] == [
        "order:tienda-ar:727:r1",
        "order:tienda-ar:727:r2",
    ]


@pytest.mark.parametrize("as_", ["delivered", "discarded"])
def test_what_may_have_landed_keeps_its_bytes_to_go_again_as_the_same_order(service: Service, as_: str) -> None:
    lose_a_reply(service, "lapyme")
    resolve(service, "1", **{"as": as_})
    service.clock.forward(YEAR_S)
    prune_now(service)
    assert held(service) == {"events": [], "bodies": [1], "replies": []}
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    retrigger(service, "1", force=True)
    service.drain()
    assert len({(one.body, one.key) for one in service.sandbox.requests("lapyme")}) == 1
    assert len(service.sandbox.orders("lapyme")) == 1
    assert (service.only_delivery()["state"], told(service)) == ("delivered", [])


def test_what_was_surely_refused_and_was_pruned_goes_in_a_newer_version_under_a_new_key(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order())
    service.drain()
    resolve(service, "1", **{"as": "discarded"})
    service.clock.forward(YEAR_S)
    prune_now(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    retrigger(service, "1", force=True)
    service.drain()
    assert [one.key for one in service.sandbox.orders("lapyme")] == ["order:tienda-ar:727:r2"]


def test_what_was_sent_again_after_it_was_pruned_is_pruned_again(service: Service) -> None:
    deliver_one(service)
    prune_now(service)
    service.post_woo(woo_order(date_modified_gmt="2027-11-20T16:00:00"))
    retrigger(service, "1", force=True, new_key=True)
    service.drain()
    assert (service.only_delivery()["state"], told(service)) == ("delivered", [])
    service.clock.forward(YEAR_S)
    assert (prune_now(service), held(service)) == (PruneResult(deliveries=1, events=1), NOTHING)
    assert told(service) == []


def test_an_event_whose_payload_was_pruned_makes_no_delivery_that_goes(service: Service) -> None:
    deliver_one(service)
    prune_now(service)
    change(service, delete(Attempt), delete(Delivery))  # as if its route were new
    service.api("/events/1/retrigger", json={})
    service.drain()
    assert parked(service) == ("parked", "unmappable", [PAYLOAD_PRUNED])


def test_a_webhook_that_only_names_the_order_stays_so_that_a_later_change_is_fetched(
    open_service: Callable[..., Service], sandbox: Any
) -> None:
    text = THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube"))
    service = open_service(text=text)
    put(service, payment_status="pending")
    post(service)
    post(service, "order/updated")
    service.drain()
    assert service.only_delivery()["reason"] == "filtered"
    service.clock.forward(YEAR_S)
    assert prune_now(service) == PruneResult(deliveries=1, events=0)
    put(service, updated_at="2027-11-20T12:09:00+0000")
    assert post(service, "order/updated").json["status"] == "duplicate"
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


# As a command


def age(service: Service) -> None:
    """The commands run by the true clock, so rows are made older."""
    a_year = timedelta(days=366)
    change(
        service,
        update(Event).values(received_at=service.clock() - a_year),
        update(Delivery).values(updated_at=service.clock() - a_year),
    )


def test_the_command_says_what_it_did(service: Service, command: Command) -> None:
    service.post_woo(woo_order())
    service.drain()
    assert command("prune") == (0, "Pruned: deliveries 0, events 0.\n")
    age(service)
    assert command("prune", "--older-than-days", "367") == (0, "Pruned: deliveries 0, events 0.\n")
    assert command("prune", "--dry-run") == (0, "Would prune: deliveries 1, events 1.\n")
    assert held(service) == ALL
    assert command("prune", "--batch", "1") == (0, "Pruned: deliveries 1, events 1.\n")
    assert held(service) == NOTHING
    assert command("reconcile")[0] == 0


def test_the_command_keeps_what_only_names_an_order(
    open_service: Callable[..., Service], sandbox: Any, command: Command
) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    put(service)
    post(service)
    service.drain()
    age(service)
    assert command("prune") == (0, "Pruned: deliveries 1, events 0.\n")
