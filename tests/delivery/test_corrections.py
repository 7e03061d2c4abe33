"""What a person enters for an order, from the form to the destination."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.database.corrections import list_corrections
from connector.database.models import Delivery, Event, OrderCorrection
from connector.database.prune import PruneCriteria, prune
from connector.delivery.changes import compare_changed
from connector.sandbox.server import SandboxServer
from tests.support.orders import RAYO_BODY, shopify_order, woo_order
from tests.support.rows import differences, execute_statements, read_rows_of, update_row
from tests.support.scenarios import lose_a_response, retrigger, without_colonia
from tests.support.service import ADMIN_TOKEN, CONFIGURATION, Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post_thin_webhook, store_order, tiendanube_order

COLONIA = {"ship_to.district": "Roma Norte"}


@pytest.fixture
def parked(service: Service) -> Service:
    """A service with an order without colonia."""
    service.post_shopify(without_colonia())
    service.drain()
    assert state(service) == ("parked", "unmappable")
    return service


def enter(service: Service, values: dict[str, str], delivery_id: str = "1", **body: Any) -> Any:
    return service.api(f"/deliveries/{delivery_id}/corrections", json={"corrections": values, **body})


def withdraw(service: Service, *fields: str, delivery_id: str = "1", **body: Any) -> Any:
    return service.api(f"/deliveries/{delivery_id}/corrections/withdraw", json={"fields": fields, **body})


def state(service: Service) -> tuple[str, str | None]:
    delivery = service.only_delivery()
    return delivery["state"], delivery["reason"]


def sent_bodies(service: Service, destination: str = "rayo") -> list[Any]:
    return [order.body for order in service.sandbox.orders(destination)]


def test_delivery_lists_what_can_be_entered(parked: Service) -> None:
    field = {"field": "ship_to.district", "label": "Shipping address > neighbourhood"}
    assert parked.only_delivery()["correctable"] == [field]
    assert parked.api("/deliveries/1/corrections").json == {
        "entered": [],
        "fields": [{**field, "problem": "Shipping address > neighbourhood is missing.", "choices": []}],
        "readings": [],
    }


def test_value_is_sent_and_stays_beside_the_order(parked: Service) -> None:
    before = read_rows_of(parked, Event)
    response = enter(parked, COLONIA, note="the customer called")
    assert (response.status_code, response.json["queued"], response.json["effect"]) == (
        200,
        True,
        "The order is queued, and is sent as it is now.",
    )
    parked.drain()
    assert state(parked) == ("delivered", None)
    assert sent_bodies(parked) == [RAYO_BODY]
    assert read_rows_of(parked, Event) == before
    [entered] = parked.api("/deliveries/1/corrections").json["entered"]
    assert (entered["value"], entered["entered_by"], entered["reason"]) == (
        "Roma Norte",
        "token:admin",
        "the customer called",
    )
    assert differences(parked) == []


def test_note_says_which_field_was_entered_and_not_what(parked: Service) -> None:
    enter(parked, COLONIA, note="the customer called")
    [note] = parked.only_delivery()["notes"]
    assert (note["kind"], note["who"]) == ("correct", "token:admin")
    assert note["text"] == "Entered: Shipping address > neighbourhood: the customer called"


def test_invalid_value_is_refused_with_the_problem_of_the_mapping(service: Service) -> None:
    payload = shopify_order()
    payload["shipping_address"]["phone"] = "1"
    service.post_shopify(payload)
    service.drain()
    response = enter(service, {"phone": "55123"})
    assert (response.status_code, response.json["detail"]) == (
        400,
        "Shipping address > phone has 5 digits; 10 are needed.",
    )
    assert state(service) == ("parked", "unmappable")
    assert list_corrections(service.database, "tienda-mx", str(payload["id"])) == []


@pytest.mark.parametrize(
    "values", [{}, {"ship_to.distrito": "x"}, {"lines[99].sku": "x"}, {"ship_to.district": " "}, {"phone": "5" * 2001}]
)
def test_request_that_names_no_field_or_value_is_refused(parked: Service, values: dict[str, str]) -> None:
    assert enter(parked, values).status_code == 400
    assert read_rows_of(parked, OrderCorrection) == []


def test_order_that_lacks_two_fields_is_completed_in_two_steps(service: Service) -> None:
    payload = without_colonia()
    payload["line_items"][0]["sku"] = None
    service.post_shopify(payload)
    service.drain()
    assert enter(service, COLONIA).status_code == 200
    service.drain()
    assert service.only_delivery()["problems"] == ["Products > line 1 > SKU is missing."]
    assert enter(service, {"lines[11].sku": "CAFE-500"}).status_code == 200
    service.drain()
    assert sent_bodies(service) == [RAYO_BODY]


def test_later_version_of_the_order_keeps_the_value(service: Service) -> None:
    payload = without_colonia()
    payload["line_items"][0]["sku"] = None
    service.post_shopify(payload)
    service.drain()
    enter(service, COLONIA)
    service.drain()
    service.post_shopify(without_colonia(updated_at="2026-11-20T11:00:00-06:00"), topic="orders/updated")
    service.drain()
    assert sent_bodies(service) == [RAYO_BODY]


def test_later_version_that_equals_what_was_sent_raises_no_alert(parked: Service) -> None:
    enter(parked, COLONIA)
    parked.drain()
    parked.post_shopify(without_colonia(updated_at="2026-11-20T11:00:00-06:00"), topic="orders/updated")
    compare_changed(parked.runtime)
    assert [note["kind"] for note in parked.only_delivery()["notes"]] == ["correct"]


def test_new_value_replaces_the_earlier_one(parked: Service) -> None:
    enter(parked, {"ship_to.district": "Roma Sur"})
    enter(parked, COLONIA)
    parked.drain()
    assert sent_bodies(parked) == [RAYO_BODY]
    rows = read_rows_of(parked, OrderCorrection)
    assert [(row["value"], row["withdrawn_by"]) for row in rows] == [("Roma Sur", "token:admin"), ("Roma Norte", None)]


def test_withdrawn_value_is_not_sent(parked: Service) -> None:
    enter(parked, COLONIA)
    assert withdraw(parked, "ship_to.district").json["queued"]
    parked.drain()
    assert state(parked) == ("parked", "unmappable")
    assert parked.only_delivery()["problems"] == ["Shipping address > neighbourhood is missing."]
    assert withdraw(parked, "ship_to.district").status_code == 404


def test_worker_that_holds_the_order_reads_it_again(parked: Service) -> None:
    retrigger(parked, "1")
    worker = parked.worker()
    [claimed] = worker.claim_due()
    enter(parked, COLONIA)
    worker.process(claimed)
    parked.drain()
    assert sent_bodies(parked) == [RAYO_BODY]


def test_worker_that_holds_the_order_does_not_send_a_withdrawn_value(parked: Service) -> None:
    enter(parked, {"ship_to.district": "Roma Sur"})
    worker = parked.worker()
    [claimed] = worker.claim_due()
    withdraw(parked, "ship_to.district")
    worker.process(claimed)
    parked.drain()
    assert sent_bodies(parked) == []
    assert state(parked) == ("parked", "unmappable")


def test_uncertain_order_is_not_sent_again(service: Service) -> None:
    lose_a_response(service, "rayo")
    response = enter(service, {"ship_to.district": "Roma Sur"})
    assert (response.json["queued"], response.json["effect"]) == (
        False,
        "The order is not sent again, because it may have arrived. Check at the destination first.",
    )
    service.drain()
    assert state(service) == ("parked", "uncertain")
    retrigger(service, "1", force=True)
    service.drain()
    assert sent_bodies(service)[-1]["consumidor_destino"]["colonia"] == "Roma Sur"


def test_fixed_bytes_are_not_changed(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "process_then_drop")
    service.post_woo(woo_order())
    service.deliver_due()
    before = service.only_delivery()
    response = enter(service, {"lines[1].sku": "OTRA"})
    assert not response.json["queued"]
    assert "only the same content may be sent again" in response.json["effect"]
    after = service.only_delivery()
    assert (after["next_attempt_at"], after["body"]) == (before["next_attempt_at"], before["body"])
    service.clock.forward(60)
    service.drain()
    assert state(service) == ("delivered", None)
    [body] = sent_bodies(service, "lapyme")
    assert body["lines"][0]["sku_snapshot"] == "YERBA-1"


@pytest.mark.parametrize("end", ["delivered", "discarded"])
def test_nothing_is_entered_for_an_order_that_ended(parked: Service, end: str) -> None:
    parked.api("/deliveries/1/resolve", json={"as": end})
    assert enter(parked, COLONIA).status_code == 409


def test_held_order_stays_held(parked: Service) -> None:

    execute_statements(parked, update_row(Delivery, 1, reason="held"))
    response = enter(parked, COLONIA)
    assert (response.json["queued"], state(parked)) == (False, ("parked", "held"))


def test_refused_order_is_sent_again_with_a_new_key(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order())
    service.drain()
    enter(service, {"lines[1].sku": "OTRA"})
    service.drain()
    [body] = sent_bodies(service, "lapyme")
    assert body["lines"][0]["sku_snapshot"] == "OTRA"
    assert service.only_delivery()["idempotency_key"].endswith(":r2")


def test_all_deliveries_of_the_order_have_the_value(open_service: Callable[..., Service]) -> None:
    second = (
        '[accounts.otra]\ndestination = "rayo"\napi_key = "k"\nbase_url = "{rayo}"\n\n[[routes]]\nfrom = "tienda-mx"'
    )

    text = CONFIGURATION.replace('[[routes]]\nfrom = "tienda-mx"', second, 1).replace(
        '["bodega"]', '["bodega", "otra"]'
    )
    service = open_service(text=text)
    service.post_shopify(without_colonia())
    service.drain()
    enter(service, COLONIA)
    service.drain()
    assert sent_bodies(service) == [RAYO_BODY, RAYO_BODY]


def test_preview_uses_the_value_and_names_who_entered_it(parked: Service) -> None:
    enter(parked, COLONIA)
    preview = parked.api("/deliveries/1/preview", json={}).json
    assert preview["body"] == RAYO_BODY
    origins = {origin["field"]: origin["from"] for origin in preview["origins"]}
    assert origins["consumidor_destino.colonia"] == [
        {"part": "entered", "path": "ship_to.district", "entered_by": "token:admin"}
    ]


def test_order_of_a_thin_webhook_is_fetched_to_judge_the_value(
    open_service: Callable[..., Service], sandbox: SandboxServer
) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    address = {**tiendanube_order()["shipping_address"], "locality": "", "phone": "1"}
    store_order(service, shipping_address=address)
    post_thin_webhook(service)
    service.drain()
    assert enter(service, {"phone": "331234"}).status_code == 400
    assert enter(service, {"phone": "3312345678", "ship_to.district": "Americana"}).status_code == 200
    service.drain()
    [body] = sent_bodies(service)
    assert body["consumidor_destino"]["colonia"] == "Americana"


def test_repeated_request_is_performed_once(parked: Service) -> None:
    def request() -> Any:
        return parked.client.post(
            "/api/deliveries/1/corrections",
            json={"corrections": COLONIA},
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}", "Idempotency-Key": "one"},
        )

    assert request().json == request().json
    assert len(read_rows_of(parked, OrderCorrection)) == 1


def test_prune_deletes_what_was_entered(parked: Service) -> None:
    enter(parked, COLONIA)
    parked.drain()
    parked.clock.forward(100)
    criteria = PruneCriteria(before=parked.clock(), thin_stores=())
    prune(parked.database, criteria, actor="ana", batch_size=10, dry_run=True, pause=lambda: None)
    assert len(read_rows_of(parked, OrderCorrection)) == 1
    prune(parked.database, criteria, actor="ana", batch_size=10, dry_run=False, pause=lambda: None)
    assert read_rows_of(parked, OrderCorrection) == []
