"""Which orders count as lost webhooks."""

from collections.abc import Callable

import pytest

from connector.database.lost_webhooks import read_lost_webhooks
from tests.support.listing import Shop, catch_up, changed_order, open_shop
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post_thin_webhook
from tests.support.thin_webhooks import tiendanube_order as thin_order


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = open_shop(service, monkeypatch)
    service.clock.forward(3_600)  # the connector has run for an hour
    return shop


def lost_orders(service: Service) -> int:
    return sum(lost.orders for lost in read_lost_webhooks(service.database).values())


def test_order_without_a_webhook_is_lost_once(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1, minutes=20), changed_order(service, 2)]
    catch_up(service, shop)
    shop.orders[0] = changed_order(service, 1, minutes=6, customer_note="Tocar timbre")
    catch_up(service, shop, since=shop.store.since)
    lost = read_lost_webhooks(service.database)["tienda-ar"]
    assert lost.orders == 2
    assert lost.since < lost.last_at <= service.clock()
    service.clock.forward(86_401)
    assert read_lost_webhooks(service.database) == {}


def test_webhook_that_comes_late_was_not_lost(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1)]
    catch_up(service, shop)
    assert lost_orders(service) == 1
    service.post_woo(shop.orders[0])
    assert lost_orders(service) == 0


def test_later_version_of_an_order_that_a_webhook_brought_is_not_counted(service: Service, shop: Shop) -> None:
    service.post_woo(changed_order(service, 1, minutes=20))
    shop.orders = [changed_order(service, 1, customer_note="Tocar timbre")]
    assert len(catch_up(service, shop).missing) == 1
    assert lost_orders(service) == 0


def test_webhook_of_an_unpaid_order_does_not_stand_for_its_payment(service: Service, shop: Shop) -> None:
    service.post_woo(changed_order(service, 1, minutes=20, status="pending"))
    shop.orders = [changed_order(service, 1)]
    catch_up(service, shop)
    assert lost_orders(service) == 1


def test_change_from_before_the_first_run_had_no_webhook_to_lose(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1, minutes=90)]
    assert len(catch_up(service, shop).missing) == 1
    assert lost_orders(service) == 0


def test_change_is_judged_after_five_minutes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, catch_up_lag_s=0.0)
    service.clock.forward(3_600)
    shop.orders = [changed_order(service, 1, minutes=1)]
    assert len(catch_up(service, shop).missing) == 1
    assert lost_orders(service) == 0
    service.clock.forward(300)
    assert lost_orders(service) == 1


def test_thin_webhook_before_the_reading_was_not_lost(
    open_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", "{rayo}"))
    shop = open_shop(service, monkeypatch)
    post_thin_webhook(service)
    service.clock.forward(3_600)
    changed_at = changed_order(service, 1)["date_modified_gmt"] + "+0000"
    shop.orders = [thin_order(updated_at=changed_at), thin_order(id=9002, updated_at=changed_at)]
    assert len(catch_up(service, shop).missing) == 2
    assert lost_orders(service) == 1
