"""The forwarder as it runs: stopped in the middle of things, it begins nothing that it has no time to end."""

import threading
import time
from collections.abc import Callable

from connector.sandbox.server import SandboxServer
from tests.conftest import Service
from tests.test_thin import CONFIGURATION, nube_order, post


def is_claimed(service: Service) -> bool:
    with service.database.read() as connection:
        return connection.exec_driver_sql("SELECT claim FROM deliveries").scalar_one() is not None


def test_what_is_still_being_fetched_when_it_stops_is_given_back_unsent(
    open_service: Callable[..., Service], sandbox: SandboxServer
) -> None:
    service = open_service(text=CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    service.sandbox.put_order("tiendanube", 4410733, nube_order())
    service.sandbox.misbehave("tiendanube", "latency", latency_s=0.5)
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
