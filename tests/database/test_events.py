"""Recording a batch of webhooks: each event and delivery gets the id that is returned for it."""

from functools import partial

import pytest
from sqlmodel import col, select

from connector.database.events import IncomingWebhook, record_events
from connector.database.models import Delivery, Event
from mappings import STOREFRONTS
from tests.support.orders import encode, woo_order
from tests.support.service import Service


def woo_webhook(number: int) -> IncomingWebhook:
    payload = woo_order(number)
    body = encode(payload)
    identity = STOREFRONTS["woocommerce"].identify({"x-wc-webhook-topic": "order.updated"}, payload, body)
    return IncomingWebhook(store="tienda-ar", identity=identity, body=body, accounts={"erp": "lapyme"})


@pytest.mark.parametrize("numbers", [[], [2], [1, 2, 3, 4]], ids=["all new", "one known", "all known"])
def test_events_and_deliveries_of_a_batch_belong_together(service: Service, numbers: list[int]) -> None:
    for number in numbers:
        service.database.transact(partial(record_events, webhooks=[woo_webhook(number)]))
    batch = [woo_webhook(number) for number in (3, 1, 4, 2, 1)]
    recorded = service.database.transact(partial(record_events, webhooks=batch))
    with service.database.read() as session:
        events = {event.id: event.order_id for event in session.exec(select(Event))}
        deliveries = session.exec(select(Delivery).order_by(col(Delivery.id))).all()
    orders = [webhook.identity.order_id for webhook in batch]
    assert [events[webhook.event_id] for webhook in recorded] == orders
    duplicates = [number in numbers for number in (3, 1, 4, 2)] + [True]
    assert [webhook.status == "duplicate" for webhook in recorded] == duplicates
    assert {(events[delivery.event_id], delivery.order_id) for delivery in deliveries} == {(id_, id_) for id_ in orders}
