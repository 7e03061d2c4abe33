"""What a delivery's page advises, by destination and reason, and what it has a person confirm."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert

from connector.database.models import Circuit
from connector.operations import actions
from mappings import DESTINATIONS
from tests.support.destination_rows import ACCOUNTS, CENTELAR_ACCOUNT, STATES, place_delivery
from tests.support.orders import shopify_order
from tests.support.rows import execute_statements
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post_thin_webhook
from tests.support.visitor import ANA, PASSWORD, Visitor, text_of, visit

pytestmark = pytest.mark.sqlite  # pages read both databases in tests/database/stats/test_overview.py

QUIET = '<details id="quiet-actions">'


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    return open_service(more=CENTELAR_ACCOUNT)


@pytest.fixture
def ana(service: Service) -> Visitor:
    visitor = visit(service, ANA)
    visitor.sign_in(PASSWORD, "ana")
    return visitor


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize(("state", "reason"), STATES)
def test_every_state_is_explained_at_every_destination(
    service: Service, ana: Visitor, destination: str, state: str, reason: str | None
) -> None:
    place_delivery(service, destination, state, reason)
    page = text_of(ana.get("/deliveries/1"))
    assert ("What to do" in page) is (state == "parked")
    assert "%(" not in page
    assert "[accounts." not in page or ACCOUNTS[destination] in page


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        (
            "rayo",
            [
                "What to search for in Rayo's panel Recipient",
                "Phone 55",
                "Address",
                "Products sent",
                "(Mexico City time)",
                "Rayo keeps no order number",
            ],
        ),
        ("lapyme", ["Notes shopify", "Total", "Idempotency key order:tienda-mx:1:r1", "(Argentine time)"]),
        ("centelar", ["ext_code", "Last name", "Total", "(Argentine time)"]),
    ],
)
def test_uncertain_order_says_what_to_search_for(
    service: Service, ana: Visitor, destination: str, shown: list[str]
) -> None:
    place_delivery(service, destination, "parked", "uncertain")
    page = text_of(ana.get("/deliveries/1"))
    assert [text for text in shown if text not in page] == []
    assert "To conclude that it is not there wait until" in page
    service.clock.forward(15 * 60)
    assert "To conclude that it is not there no need to wait" in text_of(ana.get("/deliveries/1"))


def test_search_says_when_the_request_was_pruned(service: Service, ana: Visitor) -> None:
    place_delivery(service, "rayo", "parked", "uncertain", body=None)
    assert "The request's content was deleted because of its age." in text_of(ana.get("/deliveries/1"))


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize(
    ("state", "reason", "form"),
    [
        ("parked", "uncertain", {"force": "1"}),
        ("delivered", None, {"force": "1"}),
        ("discarded", "by hand", {"force": "1"}),
        ("parked", "held", {}),
    ],
)
def test_order_that_may_have_arrived_is_sent_again_only_after_looking(
    service: Service, ana: Visitor, destination: str, state: str, reason: str | None, form: dict[str, str]
) -> None:
    place_delivery(service, destination, state, reason)
    assert 'name="looked" value="yes" required' in ana.get("/deliveries/1").text
    for looked in ({}, {"looked": "no"}):
        assert ana.post("/deliveries/1/retrigger", note="again", **form, **looked).status_code == 400
    assert service.only_delivery()["state"] == state
    ana.post("/deliveries/1/retrigger", note="again", looked="yes", **form)
    assert service.only_delivery()["state"] == "waiting"


def test_refused_order_is_retriggered_without_a_confirmation(service: Service, ana: Visitor) -> None:
    place_delivery(service, "rayo", "parked", "refused", outcome="refused")
    assert 'name="looked"' not in ana.get("/deliveries/1").text
    ana.post("/deliveries/1/retrigger")
    assert service.only_delivery()["state"] == "waiting"


def test_delivered_order_offers_to_send_again_only_at_the_end(service: Service, ana: Visitor) -> None:
    place_delivery(service, "rayo", "delivered", None, outcome="delivered")
    page = ana.get("/deliveries/1").text
    before, after = page.split(QUIET)
    assert "Send again" not in before
    assert re.findall(r'<summary role="button"[^>]*>([^<]+)<', after) == ["Send again"]


def test_marking_as_delivered_needs_the_remote_id_or_that_it_is_missing(service: Service, ana: Visitor) -> None:
    place_delivery(service, "rayo", "parked", "uncertain")
    assert ana.post("/deliveries/1/resolve", note="seen").status_code == 400
    ana.post("/deliveries/1/resolve", note="seen", without_id="yes")
    assert (service.only_delivery()["state"], service.only_delivery()["remote_id"]) == ("delivered", None)


def open_circuit(service: Service, name: str, code: str) -> None:
    now = service.clock()
    values = {"account": name, "failures": 1, "total_open_s": 0.0, "opened_at": now, "probe_at": now}
    execute_statements(service, insert(Circuit).values(**values, reason={"fingerprint": f"{code}:", "code": code}))


@pytest.mark.parametrize(
    ("name", "code", "shown"),
    [
        ("bodega", "credentials_rejected", "The credentials of account bodega are rejected by rayo."),
        ("bodega", "credentials_rejected", "that of account bodega (`api_key`) is not accepted"),
        ("bodega", "consecutive_failures", "Account bodega is failing"),
    ],
)
def test_waiting_order_says_what_it_waits_for(service: Service, ana: Visitor, name: str, code: str, shown: str) -> None:
    for number in (1, 2, 3):
        service.post_shopify(shopify_order(number))
    open_circuit(service, name, code)
    page = text_of(ana.get("/deliveries/1"))
    assert shown in page
    assert "3 orders wait for this." in page


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("consecutive_failures", "The API of store nube fails."),
        ("credentials_rejected", "The API of store nube rejects the connector's credentials."),
    ],
)
def test_order_that_must_be_fetched_waits_for_its_stores_api(
    open_service: Callable[..., Service], code: str, shown: str
) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", "{rayo}"))
    post_thin_webhook(service)
    open_circuit(service, "store:nube", code)
    ana = visit(service, ANA)
    ana.sign_in(PASSWORD, "ana")
    page = text_of(ana.get("/deliveries/1"))
    assert shown in page
    assert "1 order waits for this." in page


def test_order_that_is_not_fetched_does_not_wait_for_its_stores_api(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    open_circuit(service, "store:tienda-mx", "consecutive_failures")
    assert "The API of store" not in text_of(ana.get("/deliveries/1"))


def test_waiting_order_says_who_paused_its_account(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    actions.pause_account(service.runtime, "bodega", actor="ana", note="stocktaking")
    page: Any = text_of(ana.get("/deliveries/1"))
    assert "Account bodega is paused. ana: stocktaking" in page
    assert "1 order waits for this." in page


def test_waiting_order_of_another_account_says_nothing_of_it(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    open_circuit(service, "erp", "credentials_rejected")
    assert "No action needed." in text_of(ana.get("/deliveries/1"))
