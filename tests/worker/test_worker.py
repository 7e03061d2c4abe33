"""The forwarder as it runs: stopped in the middle of things, it begins nothing that it has no time to end."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from connector.sandbox.server import SandboxServer
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, nube_order, post


def is_claimed(service: Service) -> bool:
    with service.database.read() as session:
        return session.connection().exec_driver_sql("SELECT claimed_by FROM deliveries").scalar_one() is not None


def test_what_is_still_being_fetched_when_it_stops_is_given_back_unsent(
    open_service: Callable[..., Service], sandbox: SandboxServer
) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    service.sandbox.put_order("tiendanube", 4410733, nube_order())
    service.sandbox.inject_fault("tiendanube", "latency", latency_s=0.5)
    post(service)
    forwarder = service.forwarder()
    running = threading.Thread(target=forwarder.run)
    running.start()
    while not is_claimed(service):
        time.sleep(0.01)
    forwarder.stop()
    running.join()
    assert service.sandbox.orders("rayo") == []
    assert service.carry_due() == 1
    assert len(service.sandbox.orders("rayo")) == 1


def test_a_lease_that_runs_out_under_a_thread_of_ours_starts_no_second_one(service: Service) -> None:
    service.post_shopify(shopify_order())
    forwarder = service.forwarder()
    [claimed] = forwarder.claim_due()
    forwarder.in_flight.add(claimed, Future())  # as `start` does
    service.clock.forward(61)
    assert forwarder.claim_due() == []
    forwarder.recover()
    forwarder.process(claimed)  # that thread goes on, under the lease that was taken anew
    assert len(service.sandbox.orders("rayo")) == 1


RETIRED = """
retired = ["erp"]

[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"

[[routes]]
from = "tienda-mx"
to = ["bodega"]
"""


def test_orders_on_their_way_to_a_retired_account_are_parked_with_the_reason(
    open_service: Callable[..., Service],
) -> None:
    before = open_service()
    before.sandbox.inject_fault("lapyme", "process_then_drop")
    before.post_woo(woo_order(1))
    before.carry_due()
    before.post_woo(woo_order(2))
    after = open_service(text=RETIRED)
    after.clock.forward(60)
    after.drain()
    found = [(delivery["state"], delivery["reason"], delivery["problems"]) for delivery in after.deliveries()]
    why = ["Its account is no longer configured."]
    assert found == [("parked", "uncertain", why), ("parked", "unmappable", why)]
