"""Preview of a delivery with the current settings, without sending or changing anything."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.database.prune import PruneCriteria, prune
from tests.support.orders import RAYO_BODY, shopify_order, woo_order
from tests.support.service import CONFIGURATION, Service
from tests.support.thin_webhooks import THIN_CONFIGURATION as THIN
from tests.support.thin_webhooks import nube_order, post, put


def preview(service: Service, delivery_id: int = 1) -> Any:
    return service.api(f"/deliveries/{delivery_id}/preview", json={})


def test_preview_tells_the_body_its_origins_and_what_is_new_in_it(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order())
    service.drain()
    before = service.only_delivery()
    address = {**shopify_order()["shipping_address"], "city": "Cuauhtémoc"}
    service.post_shopify(shopify_order(shipping_address=address, updated_at="2026-11-20T10:06:00-06:00"))

    told = preview(service)

    assert told.status_code == 200
    consignee = RAYO_BODY["consumidor_destino"] | {"ciudad": "Cuauhtémoc"}
    origins = {one["field"]: one["from"] for one in told.json["origins"]}
    assert told.json | {"origins": None} == {
        "event": "2",
        "body": RAYO_BODY | {"consumidor_destino": consignee},
        "problems": [],
        "warnings": [],
        "origins": None,
        "differences": [{"field": "consumidor_destino.ciudad", "old": "Ciudad de México", "new": "Cuauhtémoc"}],
    }
    assert origins["consumidor_destino.ciudad"] == [{"part": "order", "path": "shipping_address.city"}]
    after = service.only_delivery()
    assert after | {"event": None, "updated_at": None} == before | {"event": None, "updated_at": None}
    assert len(service.sandbox.orders("rayo")) == 0


def test_preview_changes_no_row_and_sends_nothing(service: Service) -> None:
    service.post_shopify(shopify_order(shipping_address=None))
    service.drain()
    before = service.only_delivery()
    told = preview(service)
    assert (told.json["body"], told.json["differences"]) == (None, None)
    assert told.json["problems"] == before["problems"]
    assert service.only_delivery() == before


@pytest.mark.sqlite
def test_preview_follows_the_settings_of_now(open_service: Callable[..., Service]) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "address2": "Roma Sur"}
    first = open_service()
    first.post_shopify(payload)
    first.drain()
    assert first.only_delivery()["reason"] == "unmappable"
    district = 'secrets = ["{shopify}"]\ndistrict_from = "shipping_address.address2"'
    second = open_service(text=CONFIGURATION.replace('secrets = ["{shopify}"]', district))
    told = preview(second).json
    assert (told["problems"], told["body"]["consumidor_destino"]["colonia"]) == ([], "Roma Sur")
    assert told["differences"] is None


@pytest.mark.sqlite
def test_preview_says_that_no_route_would_take_the_order(open_service: Callable[..., Service]) -> None:
    first = open_service()
    first.post_shopify(shopify_order())
    text = CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega"]\nonly = {{ country = ["AR"] }}')
    told = preview(open_service(text=text)).json
    assert (told["body"], told["problems"]) == (None, ["It would be discarded: country MX is not among AR."])


def test_what_may_have_arrived_would_go_again_as_it_is(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "drop_after_reading")
    service.post_woo(woo_order())
    service.deliver_due()
    body = service.only_delivery()["body"]
    service.post_woo(woo_order(customer_note="tarde", date_modified_gmt="2026-11-20T16:00:00"))
    told = preview(service).json
    assert (told["body"], told["differences"], told["origins"]) == (body, [], [])
    assert told["warnings"][-1].startswith("An earlier attempt may have arrived")


@pytest.mark.sqlite
def test_pruned_order_is_a_problem(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    service.clock.forward(10)
    prune(
        service.database,
        PruneCriteria(before=service.clock(), thin_stores=[]),
        batch_size=10,
        dry_run=False,
        pause=lambda: None,
    )
    [problem] = preview(service).json["problems"]
    assert problem.startswith("Its payload was pruned")


@pytest.fixture
def thin(open_service: Callable[..., Service], sandbox: Any) -> Service:
    return open_service(text=THIN.replace("NUBE", sandbox.url("tiendanube")))


def test_order_that_its_webhook_only_names_is_fetched(thin: Service) -> None:
    put(thin)
    post(thin)
    told = preview(thin).json
    assert (told["problems"], told["body"]["consumidor_destino"]["calle"]) == ([], "Av. Vallarta")
    assert thin.only_delivery()["attempts"] == 0


def test_store_that_does_not_give_the_order_is_a_bad_gateway(thin: Service) -> None:
    put(thin, **nube_order())
    post(thin)
    thin.sandbox.inject_fault("tiendanube", "status", status=500)
    told = preview(thin)
    assert (told.status_code, told.content_type) == (502, "application/problem+json")
    assert told.json["detail"] == "could not fetch the order from the store's API: status 500"


@pytest.mark.sqlite
@pytest.mark.parametrize("path", ["/deliveries/7/preview", "/deliveries/x/preview"])
def test_delivery_that_is_not_there_is_404(service: Service, path: str) -> None:
    assert service.api(path, json={}).status_code == 404
