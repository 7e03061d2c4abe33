"""`/api/privacy`: the same as the command line, with the e-mail address in the body."""

from connector.database.models import Event
from tests.support.orders import shopify_order, woo_order
from tests.support.rows import read_rows_of
from tests.support.service import Service


def test_erase_says_what_was_done_with_each_order(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    service.post_shopify(shopify_order(2))
    response = service.api("/privacy/erase", json={"email": "Ximena@example.mx"})
    statuses = {order["order_number"]: order["status"] for order in response.json["orders"]}
    assert (response.status_code, statuses) == (200, {"#1": "erased", "#2": "pending"})
    [waiting] = [order["waits_for"] for order in response.json["orders"] if order["order_number"] == "#2"]
    assert [(delivery["account"], delivery["state"]) for delivery in waiting] == [("bodega", "waiting")]
    assert {event["order_number"]: bool(event["body"]) for event in read_rows_of(service, Event)} == {
        "#1": False,
        "#2": True,
    }


def test_export_is_a_download(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    response = service.api("/privacy/export", json={"order": "#1"})
    assert response.json["searched_for"] == {"order": "#1"}
    assert response.headers["Content-Disposition"] == 'attachment; filename="personal-data.json"'
    assert response.headers["Cache-Control"] == "no-store"


def test_a_number_of_several_orders_needs_a_store(service: Service) -> None:
    service.post_shopify(shopify_order(7))
    service.post_woo(woo_order(7))
    assert service.api("/privacy/erase", json={"order": "7"}).status_code == 409
    response = service.api("/privacy/erase", json={"order": "7", "store": "tienda-ar"})
    assert [order["store"] for order in response.json["orders"]] == ["tienda-ar"]


def test_what_is_searched_for_must_be_clear(service: Service) -> None:
    assert service.api("/privacy/erase", json={}).status_code == 400
    assert service.api("/privacy/erase", json={"order": "1", "email": "a@b.c"}).status_code == 400
    assert service.api("/privacy/erase", json={"email": "nobody"}).status_code == 400
    assert service.api("/privacy/erase", json={"order": "404"}).status_code == 404
    assert service.api("/privacy/export", json={"order": "1", "store": "none"}).status_code == 404
