"""The dashboard's actions on deliveries and accounts."""

import re

import pytest

from tests.support.jobs import process_jobs
from tests.support.orders import shopify_order
from tests.support.scenarios import without_colonia
from tests.support.service import Service
from tests.support.visitor import Visitor, text_of

pytestmark = pytest.mark.sqlite  # tests/database/stats/test_overview.py reads both databases


def test_stuck_order_is_explained_and_sent_after_the_fix(service: Service, ana: Visitor) -> None:
    service.post_shopify(without_colonia(2))
    service.drain()
    assert "neighbourhood is missing" in text_of(ana.get("/deliveries/1"))
    fixed = shopify_order(2, updated_at="2026-11-20T11:00:00-06:00")
    service.post_shopify(fixed, topic="orders/updated")
    service.drain()
    assert "Order #2 delivered" in text_of(ana.get("/deliveries/1"))


def test_retrigger_records_actor_and_note(service: Service, ana: Visitor) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(2))
    service.drain()
    response = ana.post("/deliveries/1/retrigger", note="the product is there now")
    assert response.headers["Location"] == "/deliveries/1"
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert "ana retrigger #2 → bodega the product is there now" in text_of(ana.get("/audit"))


def create_uncertain_delivery(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "process_then_drop")
    service.post_shopify(shopify_order(2))
    service.drain()
    assert service.only_delivery()["reason"] == "uncertain"


def test_uncertain_order_has_no_plain_retrigger_button(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    page = ana.get("/deliveries/1").text
    assert re.findall(r'<summary role="button"[^>]*>([^<]+)<', page) == ["Mark as delivered", "Send again", "Discard"]
    assert ana.post("/deliveries/1/retrigger", note="by mistake").status_code == 302
    assert service.only_delivery()["reason"] == "uncertain"
    assert "Action failed. The order may have arrived. Check at the destination first." in text_of(
        ana.get("/deliveries/1")
    )


def test_uncertain_order_is_resolved_with_the_remote_id(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    ana.post("/deliveries/1/resolve", remote_id="R-77", note="it is in the panel")
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["remote_id"]) == ("delivered", "R-77")
    assert [(note["kind"], note["who"], note["text"]) for note in delivery["notes"]] == [
        ("resolve", "ana", "it is in the panel")
    ]


def test_discarding_an_order_needs_a_note(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    assert ana.post("/deliveries/1/discard").status_code == 400
    ana.post("/deliveries/1/discard", note="sent by hand")
    assert (service.only_delivery()["state"], service.only_delivery()["reason"]) == ("discarded", "by hand")


def test_forced_retrigger_needs_a_note(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    assert ana.post("/deliveries/1/retrigger", force="1").status_code == 400
    ana.post("/deliveries/1/retrigger", force="1", looked="yes", note="it is not in the panel")
    assert service.only_delivery()["state"] == "waiting"


def test_selected_deliveries_are_retriggered(service: Service, ana: Visitor) -> None:
    for number in (1, 2, 3):
        service.post_shopify(without_colonia(number))
    service.drain()
    response = ana.post("/jobs", choice="selected", id=["1", "3"], note="try again")
    assert response.headers["Location"] == "/jobs/1"
    process_jobs(service)
    assert [delivery["state"] for delivery in service.deliveries()] == ["waiting", "parked", "waiting"]
    assert "Job 1: retrigger (2)" in text_of(ana.get("/jobs/1"))


def test_every_parked_delivery_in_a_list_is_retriggered(service: Service, ana: Visitor) -> None:
    for number in (1, 2, 3):
        service.post_shopify(without_colonia(number))
    service.drain()
    ana.post("/jobs", choice="all", state="parked", reason="unmappable")
    process_jobs(service)
    assert {delivery["state"] for delivery in service.deliveries()} == {"waiting"}


def test_accounts_are_paused_and_resumed(service: Service, ana: Visitor) -> None:
    ana.post("/accounts/bodega/pause", note="stocktaking")
    assert service.api("/accounts").json["items"][0]["reason"] == "ana: stocktaking"
    assert "bodega rayo paused" in text_of(ana.get("/accounts"))
    ana.post("/accounts/bodega/resume")
    assert service.api("/accounts").json["items"][0]["state"] == "flowing"
    text = text_of(ana.get("/audit"))
    assert "ana resume bodega" in text
    assert "ana pause bodega stocktaking" in text


def test_account_probe_creates_nothing(service: Service, ana: Visitor) -> None:
    ana.post("/accounts/bodega/test")
    assert "bodega: the connection works (HTTP 200)" in text_of(ana.get("/accounts"))
    assert service.sandbox.orders() == []
    assert ana.post("/accounts/nowhere/test").status_code == 404


def test_filters_of_the_list_are_kept_on_the_way_back(service: Service, ana: Visitor) -> None:
    service.post_shopify(without_colonia(2))
    service.drain()
    assert 'href="/deliveries/1?state=parked"' in ana.get("/deliveries?state=parked").text
    page = ana.get("/deliveries/1?state=parked").text
    assert 'href="/deliveries?state=parked"' in page
    assert 'action="/deliveries/1/discard?state=parked"' in page
    assert 'action="/deliveries/1/corrections?state=parked"' in page
    response = ana.post("/deliveries/1/discard?state=parked", note="sent by hand")
    assert response.headers["Location"] == "/deliveries/1?state=parked"
