"""Completing an order on the page of its delivery."""

import re

import pytest

from connector.database.models import OrderCorrection
from tests.support.orders import RAYO_BODY, shopify_order
from tests.support.rows import read_rows_of
from tests.support.scenarios import without_colonia
from tests.support.service import Service
from tests.support.visitor import PASSWORD, VERA, Visitor, text_of, visit

pytestmark = pytest.mark.sqlite  # tests/delivery/test_corrections.py writes to both databases

ENTER = "/deliveries/1/corrections"


@pytest.fixture
def parked(service: Service) -> Service:
    service.post_shopify(without_colonia())
    service.drain()
    return service


def test_missing_field_is_entered_where_the_problem_is(parked: Service, ana: Visitor) -> None:
    page = ana.get("/deliveries/1")
    assert 'name="value:ship_to.district" value=""' in page.text
    assert "Shipping address &gt; neighbourhood" in page.text
    response = ana.post(ENTER, **{"value:ship_to.district": "Roma Norte", "note": "by phone"})
    assert (response.status_code, response.headers["Location"]) == (302, "/deliveries/1")
    assert "Saved. The order is queued, and is sent as it is now." in text_of(ana.get("/deliveries/1"))
    parked.drain()
    assert [order.body for order in parked.sandbox.orders("rayo")] == [RAYO_BODY]
    text = text_of(ana.get("/deliveries/1"))
    assert "Shipping address > neighbourhood Roma Norte ana" in text
    assert "ana: data entered Entered: Shipping address > neighbourhood by phone" in text
    assert "Entered: Shipping address > neighbourhood: by phone" in text_of(ana.get("/audit?action=correct"))


def test_refused_value_is_shown_with_its_problem(service: Service, ana: Visitor) -> None:
    payload = shopify_order()
    payload["shipping_address"]["phone"] = "1"
    service.post_shopify(payload)
    service.drain()
    response = ana.post(ENTER, **{"value:phone": "55123"})
    assert response.status_code == 400
    assert "Shipping address &gt; phone has 5 digits; 10 are needed." in response.text
    assert 'name="value:phone" value="55123"' in response.text
    assert read_rows_of(service, OrderCorrection) == []
    assert "Enter at least one value." in ana.post(ENTER, **{"value:phone": " "}).text


def test_both_readings_of_an_address_are_buttons(service: Service, ana: Visitor) -> None:
    payload = shopify_order()
    payload["shipping_address"]["address1"] = "Paseo de los 12 40"
    service.post_shopify(payload)
    service.drain()
    page = ana.get("/deliveries/1").text
    assert re.findall(r'<button class="outline">([^<]+)</button>', page) == [
        "Street: Paseo de los · Number: 12 · Interior number: 40, Depto 4",
        "Street: Paseo de los 12 · Number: 40",
    ]
    assert 'name="value:ship_to.street" value=""' in page
    ana.post(ENTER, **{"value:ship_to.street": "Paseo de los 12", "value:ship_to.number": "40"})
    service.drain()
    [order] = service.sandbox.orders("rayo")
    assert (order.body["consumidor_destino"]["calle"], order.body["consumidor_destino"]["no_exterior"]) == (
        "Paseo de los 12",
        "40",
    )


def test_entered_value_is_withdrawn(parked: Service, ana: Visitor) -> None:
    ana.post(ENTER, **{"value:ship_to.district": "Roma Sur"})
    ana.post(f"{ENTER}/withdraw", field="ship_to.district")
    text = text_of(ana.get("/deliveries/1"))
    assert "Withdrawn. The order is queued" in text
    assert "Roma Sur" not in text
    assert "Action failed." in text_of_redirect(ana, ana.post(f"{ENTER}/withdraw", field="ship_to.district"))


def text_of_redirect(visitor: Visitor, response: object) -> str:
    return text_of(visitor.get(response.headers["Location"]))  # type: ignore[attr-defined]


def test_page_says_that_an_uncertain_order_is_not_sent(service: Service, ana: Visitor) -> None:
    service.sandbox.inject_fault("rayo", "process_then_drop")
    service.post_shopify(shopify_order())
    service.drain()
    assert "Complete the order here" not in text_of(ana.get("/deliveries/1"))  # no problem names a field
    ana.post(ENTER, **{"value:ship_to.district": "Roma Sur"})
    assert "The order is not sent again, because it may have arrived." in text_of(ana.get("/deliveries/1"))


def test_form_is_in_spanish(parked: Service, ana: Visitor) -> None:
    ana.language = "es"
    text = text_of(ana.get("/deliveries/1"))
    assert "Guardar y enviar" in text
    assert "Colonia (dirección de envío)" in text


def test_viewer_sees_what_was_entered_and_no_form(parked: Service, ana: Visitor) -> None:
    ana.post(ENTER, **{"value:ship_to.district": "Roma Norte"})
    vera = visit(parked, VERA)
    vera.sign_in(PASSWORD, "vera")
    page = vera.get("/deliveries/1")
    assert "Roma Norte" in text_of(page)
    assert ENTER not in page.text
