"""Erasing removes what an order says about its customer, keeps what identifies it, and nothing brings it back."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from connector.database.jobs import JobRequest, plan_job
from connector.database.models import ErasedOrder, Event, JobAction
from connector.database.queries.deliveries import DeliveryFilter
from connector.privacy.erase import ErasureResult, erase, erase_pending
from connector.privacy.records import Criterion
from tests.support.commands import Command
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL_DATA, produce_every_outcome
from tests.support.rows import differences, read_rows_of
from tests.support.scenarios import lose_a_response, resolve, without_colonia
from tests.support.service import Service

EMAIL = "ximena@example.mx"


@pytest.fixture
def command(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def dump_rows(service: Service) -> str:
    """All rows of all tables, as text."""
    texts = []
    with service.database.read() as session:
        for table in SQLModel.metadata.sorted_tables:
            for row in session.connection().execute(table.select()):
                texts += [
                    value.decode() if isinstance(value, bytes) else json.dumps(value, default=str, ensure_ascii=False)
                    for value in row
                ]
    return "\n".join(texts)


def erase_order(service: Service, number: int, **more: Any) -> ErasureResult:
    return erase(service.runtime, Criterion(order=str(number)), actor="ana", **more)


def test_erasing_empties_every_column_with_personal_data(service: Service) -> None:
    produce_every_outcome(service)
    for delivery in service.deliveries():
        if delivery["state"] not in ("delivered", "discarded"):
            resolve(service, delivery["id"], **{"as": "discarded"})
    before = sorted((row["id"], row["event_key"], row["order_id"]) for row in read_rows_of(service, Event))
    states = [(row["id"], row["state"], row["remote_id"]) for row in service.deliveries()]
    orders = {(row["store"], row["order_id"]) for row in read_rows_of(service, Event) if row["order_id"]}
    for store, order_id in orders:
        assert not erase(service.runtime, Criterion(store=store, order_id=order_id), actor="ana").pending
    text = dump_rows(service)
    assert [word for word in PERSONAL_DATA if word in text] == []
    assert sorted((row["id"], row["event_key"], row["order_id"]) for row in read_rows_of(service, Event)) == before
    assert [(row["id"], row["state"], row["remote_id"]) for row in service.deliveries()] == states
    assert differences(service) == []


def test_repeats_and_later_events_of_an_erased_order_store_and_send_nothing(service: Service) -> None:
    service.post_shopify(shopify_order(1), event_id="a")
    service.drain()
    erase_order(service, 1)
    assert service.post_shopify(shopify_order(1), event_id="a").json["status"] == "duplicate"
    later = shopify_order(1, updated_at="2026-11-21T10:05:00-06:00")
    assert service.post_shopify(later, event_id="b").json["status"] == "ignored"
    assert service.post_shopify(later, "orders/updated", event_id="c").json["status"] == "ignored"
    assert service.deliver_due() == 0
    assert [event["body"] for event in read_rows_of(service, Event)] == [b"", b"", b""]
    assert "Ximena" not in dump_rows(service)
    assert len(service.sandbox.orders("rayo")) == 1
    assert differences(service) == []


def test_an_order_that_no_route_took_is_not_sent_after_it_was_erased(service: Service) -> None:
    service.post_shopify(shopify_order(1, financial_status="pending"), "orders/create")
    assert erase_order(service, 1).orders[0].is_erased
    assert service.post_shopify(shopify_order(1)).json["status"] == "ignored"
    assert service.deliveries() == []


def test_cancellation_of_an_erased_order_is_still_an_alert(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    erase_order(service, 1)
    service.post_shopify(shopify_order(1, cancelled_at="2026-11-21T10:00:00-06:00"), "orders/cancelled")
    assert [note["kind"] for note in service.only_delivery()["notes"]] == ["alert"]
    assert "Ximena" not in dump_rows(service)


def test_an_order_on_its_way_is_erased_once_it_was_delivered(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    assert [order.is_erased for order in erase_order(service, 1).orders] == [False]
    assert not erase_pending(service.runtime)
    assert read_rows_of(service, Event)[0]["body"]
    service.drain()
    assert len(service.sandbox.orders("rayo")) == 1
    erase_pending(service.runtime)
    assert "Ximena" not in dump_rows(service)
    assert [(row["requested_by"], row["erased_at"] is None) for row in read_rows_of(service, ErasedOrder)] == [
        ("ana", False)
    ]


def test_a_parked_order_waits_unless_it_is_to_be_discarded(service: Service) -> None:
    service.post_shopify(without_colonia(1))
    service.drain()
    assert not erase_order(service, 1).orders[0].is_erased
    assert service.only_delivery()["state"] == "parked"
    assert erase_order(service, 1, discards_parked=True).orders[0].is_erased
    assert service.only_delivery()["reason"] == "by hand"
    assert "Ximena" not in dump_rows(service)


def test_an_uncertain_order_is_never_discarded_to_erase_it(service: Service) -> None:
    lose_a_response(service, "rayo")
    assert service.only_delivery()["reason"] == "uncertain"
    number = service.only_delivery()["order_number"]
    assert not erase_order(service, number, discards_parked=True).orders[0].is_erased
    resolve(service, service.only_delivery()["id"], **{"as": "discarded"})
    erase_pending(service.runtime)
    assert "Ximena" not in dump_rows(service)


@pytest.mark.parametrize("force", [False, True])
def test_an_erased_order_cannot_be_retriggered(service: Service, force: bool) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    erase_order(service, 1)
    delivery = service.only_delivery()
    response = service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": force})
    assert response.status_code == 409
    results = service.api(f"/events/{delivery['event']}/retrigger", json={"force": force}).json
    assert [result["done"] for result in results["deliveries"]] == ["left"]
    request = JobRequest(action=JobAction.RETRIGGER, actor="ana", force=force)
    plan = plan_job(service.database, DeliveryFilter(ids=(int(delivery["id"]),)), request)
    assert (plan.acted, dict(plan.left)) == ({}, {"order_erased": 1})


def test_what_people_wrote_about_the_customer_elsewhere_is_erased(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    service.api("/accounts/bodega/pause", json={"note": "Ximena Prueba 1 called"})
    service.api("/jobs", json={"action": "retrigger", "account": "bodega", "note": "of ximena@EXAMPLE.mx"})
    erase_order(service, 1)
    text = dump_rows(service).lower()
    assert "ximena" not in text


def test_what_people_entered_is_erased(service: Service) -> None:
    service.post_shopify(without_colonia(1))
    service.drain()
    service.api("/deliveries/1/corrections", json={"corrections": {"ship_to.district": "Colonia Tlatilolco"}})
    service.drain()
    assert "Tlatilolco" in dump_rows(service)
    assert not erase_order(service, 1).pending
    assert "Tlatilolco" not in dump_rows(service)


def test_an_event_that_names_no_order_is_erased(service: Service) -> None:
    service.post_shopify(shopify_order(5, email="ana@example.com"), **{"X-Shopify-Test": "true"})
    result = erase(service.runtime, Criterion(email="ANA@example.com"), actor="ana")
    assert (result.orders, result.events) == ((), 1)
    assert "Ximena" not in dump_rows(service)


def test_others_keep_their_data(service: Service) -> None:
    service.post_shopify(shopify_order(1, email="una@example.mx"))
    service.post_woo(woo_order(2))
    service.drain()
    erase(service.runtime, Criterion(email="una@example.mx"), actor="ana")
    assert {event["id"]: bool(event["body"]) for event in read_rows_of(service, Event)} == {1: False, 2: True}


@pytest.mark.sqlite
def test_copies_in_a_wal_that_is_being_read_are_emptied_later(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    with service.database.read() as session:
        session.connection().exec_driver_sql("SELECT count(*) FROM events").all()
        assert not erase_order(service, 1).is_clean
    wal = Path(f"{service.database.backend.location}-wal")
    assert b"Ximena" in wal.read_bytes()
    erase_pending(service.runtime)
    assert b"Ximena" not in wal.read_bytes()
