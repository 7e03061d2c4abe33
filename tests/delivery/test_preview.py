"""Preview of a delivery with the current settings, without sending or changing anything."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.database.prune import PruneCriteria, prune
from tests.support.orders import RAYO_BODY, shopify_order, woo_order
from tests.support.service import CONFIGURATION, Service
from tests.support.thin_webhooks import THIN_CONFIGURATION as THIN
from tests.support.thin_webhooks import post_thin_webhook, store_order, tiendanube_order


def request_preview(service: Service, delivery_id: int = 1) -> Any:
    return service.api(f"/deliveries/{delivery_id}/preview", json={})


def test_preview_shows_body_origins_and_differences(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order())
    service.drain()
    before = service.only_delivery()
    address = {**shopify_order()["shipping_address"], "city": "Cuauhtémoc"}
    service.post_shopify(shopify_order(shipping_address=address, updated_at="2026-11-20T10:06:00-06:00"))

    response = request_preview(service)

    assert response.status_code == 200
    consignee = RAYO_BODY["consumidor_destino"] | {"ciudad": "Cuauhtémoc"}
    origins = {origin["field"]: origin["from"] for origin in response.json["origins"]}
    assert response.json | {"origins": None} == {
        "event": "2",
        "body": RAYO_BODY | {"consumidor_destino": consignee},
        "problems": [],
        "warnings": [],
        "origins": None,
        "differences": [{"field": "consumidor_destino.ciudad", "old": "Ciudad de México", "new": "Cuauhtémoc"}],
    }
    assert origins["consumidor_destino.ciudad"] == [
        {"part": "order", "path": "shipping_address.city", "entered_by": None}
    ]
    after = service.only_delivery()
    assert after | {"event": None, "updated_at": None} == before | {"event": None, "updated_at": None}
    assert len(service.sandbox.orders("rayo")) == 0


def test_preview_has_no_side_effects(service: Service) -> None:
    service.post_shopify(shopify_order(shipping_address=None))
    service.drain()
    before = service.only_delivery()
    response = request_preview(service)
    assert (response.json["body"], response.json["differences"]) == (None, None)
    assert response.json["problems"] == before["problems"]
    assert service.only_delivery() == before


@pytest.mark.sqlite
def test_preview_uses_the_current_settings(open_service: Callable[..., Service]) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "address2": "Roma Sur"}
    first = open_service()
    first.post_shopify(payload)
    first.drain()
    assert first.only_delivery()["reason"] == "unmappable"
    district = 'secrets = ["{shopify}"]\ndistrict_from = "shipping_address.address2"'
    second = open_service(text=CONFIGURATION.replace('secrets = ["{shopify}"]', district))
    preview_result = request_preview(second).json
    assert (preview_result["problems"], preview_result["body"]["consumidor_destino"]["colonia"]) == ([], "Roma Sur")
    assert preview_result["differences"] is None


@pytest.mark.sqlite
def test_preview_reports_that_no_route_matches(open_service: Callable[..., Service]) -> None:
    first = open_service()
    first.post_shopify(shopify_order())
    text = CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega"]\nonly = {{ country = ["AR"] }}')
    preview_result = request_preview(open_service(text=text)).json
    assert (preview_result["body"], preview_result["problems"]) == (
        None,
        ["It would be discarded: country MX is not among AR."],
    )


def test_uncertain_delivery_would_be_sent_unchanged(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "drop_after_reading")
    service.post_woo(woo_order())
    service.deliver_due()
    body = service.only_delivery()["body"]
    service.post_woo(woo_order(customer_note="tarde", date_modified_gmt="2026-11-20T16:00:00"))
    preview_result = request_preview(service).json
    assert (preview_result["body"], preview_result["differences"], preview_result["origins"]) == (body, [], [])
    assert preview_result["warnings"][-1].startswith("An earlier attempt may have been processed")


@pytest.mark.sqlite
def test_pruned_order_is_a_problem(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    service.clock.forward(10)
    prune(
        service.database,
        PruneCriteria(before=service.clock(), thin_stores=[]),
        actor="ana",
        batch_size=10,
        dry_run=False,
        pause=lambda: None,
    )
    [problem] = request_preview(service).json["problems"]
    assert problem.startswith("Its payload was pruned")


@pytest.fixture
def thin_service(open_service: Callable[..., Service], sandbox: Any) -> Service:
    return open_service(text=THIN.replace("NUBE", sandbox.url("tiendanube")))


def test_order_of_a_thin_webhook_is_fetched(thin_service: Service) -> None:
    store_order(thin_service)
    post_thin_webhook(thin_service)
    preview_result = request_preview(thin_service).json
    assert (preview_result["problems"], preview_result["body"]["consumidor_destino"]["calle"]) == ([], "Av. Vallarta")
    assert thin_service.only_delivery()["attempts"] == 0


def test_unavailable_store_api_is_a_bad_gateway(thin_service: Service) -> None:
    store_order(thin_service, **tiendanube_order())
    post_thin_webhook(thin_service)
    thin_service.sandbox.inject_fault("tiendanube", "status", status=500)
    response = request_preview(thin_service)
    assert (response.status_code, response.content_type) == (502, "application/problem+json")
    assert response.json["detail"] == "could not fetch the order from the store's API: status 500"


@pytest.mark.sqlite
@pytest.mark.parametrize("path", ["/deliveries/7/preview", "/deliveries/x/preview"])
def test_unknown_delivery_is_404(service: Service, path: str) -> None:
    assert service.api(path, json={}).status_code == 404
