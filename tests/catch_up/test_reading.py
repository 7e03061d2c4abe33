"""Catch-up: every order that no webhook brought is taken in once, whatever fails meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.catch_up import listing, reading
from connector.catch_up.listing import ReadingStoppedError
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.http_result import HttpResult
from connector.database.engine import Database
from connector.database.events import record_events
from connector.database.models import Event
from mappings import STOREFRONTS
from mappings.problems import render_problem
from mappings.storefront import MalformedWebhookError
from tests.support.listing import (
    LimitedPages,
    MovingPages,
    Shop,
    catch_up,
    changed_order,
    minutes_ago,
    missing_ids,
    open_shop,
    recorded_reading,
)
from tests.support.rows import differences, read_rows_of
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post_thin_webhook, tiendanube_order

TOO_MANY = HttpResult(status=429, headers={"retry-after": "0.05"})


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(listing, "FIRST_PAUSE_S", 0.01)
    return open_shop(service, monkeypatch)


def delivered_numbers(service: Service) -> list[str]:
    service.drain()
    return [order.body["external_reference"] for order in service.sandbox.orders("lapyme")]


def sources(service: Service) -> list[str]:
    return [event["source"] for event in service.api("/events").json["items"]][::-1]


# What is taken in


def test_order_without_webhook_is_delivered_once(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1)]
    assert missing_ids(catch_up(service, shop)) == ["1"]
    assert missing_ids(catch_up(service, shop)) == []
    service.drain()
    assert [delivery["state"] for delivery in service.deliveries()] == ["delivered"]
    assert len(service.sandbox.orders("lapyme")) == 1
    assert sources(service) == ["catch-up"]
    assert differences(service) == []


def test_webhook_that_comes_afterwards_sends_nothing_again(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1)]
    catch_up(service, shop)
    service.drain()
    service.post_woo(shop.orders[0])
    service.drain()
    assert len(service.sandbox.orders("lapyme")) == 1
    assert sources(service) == ["catch-up", "webhook"]
    assert missing_ids(catch_up(service, shop, since=shop.store.since)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"_links": {"self": [{"href": "http://tienda.example/wp-json/wc/v3/orders/1"}]}},
        {"payment_url": "http://tienda.example/pagar"},
        {"date_modified_gmt": "2099-01-01T00:00:00"},  # the shop saved it again without a change
    ],
)
def test_order_that_a_webhook_brought_is_on_record(service: Service, shop: Shop, changes: dict[str, Any]) -> None:
    order = changed_order(service, 1)
    service.post_woo(order)
    if "date_modified_gmt" in changes:
        changes = {"date_modified_gmt": minutes_ago(service, 6)}
    shop.orders = [order | changes]
    result = catch_up(service, shop)
    assert (result.orders, missing_ids(result)) == (1, [])
    assert sources(service) == ["webhook"]


def test_newer_version_without_webhook_is_taken_in(service: Service, shop: Shop) -> None:
    service.post_woo(changed_order(service, 1, minutes=20, status="pending"))
    assert service.deliveries() == []
    shop.orders = [changed_order(service, 1)]
    assert missing_ids(catch_up(service, shop)) == ["1"]
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


def test_other_version_of_the_same_second_is_taken_in(service: Service, shop: Shop) -> None:
    order = changed_order(service, 1)
    service.post_woo(order | {"customer_note": "Tocar timbre"})
    shop.orders = [order]
    assert missing_ids(catch_up(service, shop)) == ["1"]
    assert missing_ids(catch_up(service, shop, since=shop.store.since)) == []


def test_version_that_a_webhook_has_overtaken_is_on_record(service: Service, shop: Shop) -> None:
    service.post_woo(changed_order(service, 1, minutes=7))
    shop.orders = [changed_order(service, 1, minutes=8, customer_note="Antes")]
    assert missing_ids(catch_up(service, shop)) == []


def test_lost_cancellation_discards_the_order(service: Service, shop: Shop) -> None:
    service.post_woo(changed_order(service, 1, minutes=20))
    shop.orders = [changed_order(service, 1, status="cancelled")]
    assert missing_ids(catch_up(service, shop)) == ["1"]
    assert [delivery["reason"] for delivery in service.deliveries()] == ["cancelled"]


def test_order_that_is_back_from_the_trash_is_taken_in(service: Service, shop: Shop) -> None:
    order = changed_order(service, 1, minutes=20)
    service.post_woo(order)
    service.post_woo({"id": 1}, "order.deleted")
    assert [delivery["reason"] for delivery in service.deliveries()] == ["cancelled"]
    service.clock.forward(1_800)
    shop.orders = [changed_order(service, 1)]
    assert missing_ids(catch_up(service, shop)) == ["1"]
    assert missing_ids(catch_up(service, shop, since=shop.store.since)) == []
    assert [delivery["state"] for delivery in service.deliveries()] == ["waiting"]


@pytest.mark.parametrize("status", ["pending", "checkout-draft", "failed"])
def test_unknown_order_that_no_route_takes_is_not_missing(service: Service, shop: Shop, status: str) -> None:
    shop.orders = [changed_order(service, 1, status=status)]
    assert missing_ids(catch_up(service, shop)) == []
    assert read_rows_of(service, Event) == []


def test_old_order_is_taken_in_and_not_sent(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1, date_paid_gmt="2025-12-31T12:00:00")]
    assert missing_ids(catch_up(service, shop)) == ["1"]
    service.drain()
    assert service.only_delivery()["reason"] == "filtered"


def test_pruned_order_is_known_by_its_time(service: Service, shop: Shop) -> None:
    service.post_woo(changed_order(service, 1))
    service.post_woo(changed_order(service, 2))
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE events SET body = ''")
    shop.orders = [changed_order(service, 1, customer_note="x"), changed_order(service, 2, minutes=6)]
    assert missing_ids(catch_up(service, shop)) == ["2"]


# The window


def test_first_reading_starts_at_since(service: Service, shop: Shop) -> None:
    assert shop.store.since is not None
    early, later = (shop.store.since + timedelta(seconds=seconds) for seconds in (-1, 1))
    shop.orders = [
        changed_order(service, number) | {"date_modified_gmt": f"{at:%Y-%m-%dT%H:%M:%S}"}
        for number, at in ((1, early), (2, later))
    ]
    assert missing_ids(catch_up(service, shop)) == ["2"]


def test_first_reading_starts_when_the_connector_first_ran(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, since=None)
    service.clock.forward(3_600)
    shop.orders = [changed_order(service, 1, minutes=61), changed_order(service, 2, minutes=59)]
    assert missing_ids(catch_up(service, shop)) == ["2"]


def test_what_is_younger_than_the_lag_is_left_to_its_webhook(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1, minutes=4)]
    assert catch_up(service, shop).orders == 0
    service.clock.forward(120)
    assert missing_ids(catch_up(service, shop)) == ["1"]


def test_order_that_the_list_shows_late_is_found_in_the_overlap(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_shop(service, monkeypatch, catch_up_overlap_s=600.0)
    catch_up(service, shop)
    shop.orders = [changed_order(service, 1, minutes=14), changed_order(service, 2, minutes=16)]
    assert missing_ids(catch_up(service, shop)) == ["1"]


def test_since_reads_again_and_the_next_reading_continues(service: Service, shop: Shop) -> None:
    catch_up(service, shop)
    read_until = recorded_reading(service, shop).read_until
    shop.orders = [changed_order(service, 1, minutes=90), changed_order(service, 2, minutes=60)]
    since = service.clock() - timedelta(minutes=80)
    assert missing_ids(catch_up(service, shop, since=since)) == ["2"]
    assert recorded_reading(service, shop).read_until >= read_until


def test_since_after_the_last_reading_skips_nothing(service: Service, shop: Shop) -> None:
    catch_up(service, shop)
    before = recorded_reading(service, shop)
    service.clock.forward(7_200)
    shop.orders = [changed_order(service, 1, minutes=90), changed_order(service, 2, minutes=10)]
    assert missing_ids(catch_up(service, shop, since=service.clock() - timedelta(minutes=30))) == ["2"]
    after = recorded_reading(service, shop)
    assert (after.read_until, after.finished_at) == (before.read_until, before.finished_at)
    assert missing_ids(catch_up(service, shop)) == ["1"]


def test_later_since_leaves_no_gap(service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    catch_up(service, shop)
    service.clock.forward(7_200)
    shop = open_shop(service, monkeypatch, since=service.clock() - timedelta(hours=1))
    shop.orders = [changed_order(service, 1, minutes=90), changed_order(service, 2)]
    assert missing_ids(catch_up(service, shop)) == ["2"]
    assert recorded_reading(service, shop).read_until > service.clock() - timedelta(minutes=6)


def test_long_list_is_read_in_parts(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, LimitedPages(), since=service.clock() - timedelta(days=4))
    shop.orders = [changed_order(service, number, minutes=1_440 * number - 30) for number in (1, 2, 3)]
    assert missing_ids(catch_up(service, shop)) == ["3", "2", "1"]
    whole, *halves = shop.requests
    assert [query["after"] for query in halves] == [whole["after"], halves[0]["before"]]
    assert halves[-1]["before"] == whole["before"]


def test_dry_run_records_nothing(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1)]
    assert missing_ids(catch_up(service, shop, dry_run=True)) == ["1"]
    assert read_rows_of(service, Event) == []
    assert missing_ids(catch_up(service, shop)) == ["1"]


# Pages


def test_interrupted_reading_continues_after_the_last_page(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, number, minutes=60 - number) for number in range(1, 6)]

    def check() -> None:
        if len(shop.requests) == 2:
            raise ReadingStoppedError

    result = catch_up(service, shop, check=check)
    assert (result.is_interrupted, missing_ids(result)) == (True, ["1", "2", "3", "4"])
    shop.requests.clear()
    assert missing_ids(catch_up(service, shop)) == ["5"]
    assert shop.pages_requested == ["1"]  # orders 4 and 5


def test_cursor_moves_only_after_the_orders_are_on_disk(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(service, shop)
    before = recorded_reading(service, shop).read_until
    service.clock.forward(3_600)
    shop.orders = [changed_order(service, 1)]

    def fail(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "commit_all", fail)
        with pytest.raises(DatabaseUnavailableError):
            catch_up(service, shop)
    assert recorded_reading(service, shop).read_until == before
    assert missing_ids(catch_up(service, shop)) == ["1"]


def test_page_whose_reading_was_not_recorded_is_read_again(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.orders = [changed_order(service, 1)]

    def die(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(reading, "record_progress", die)
        with pytest.raises(DatabaseUnavailableError):
            catch_up(service, shop)
    result = catch_up(service, shop)
    assert (result.orders, missing_ids(result)) == (1, [])
    assert len(read_rows_of(service, Event)) == 1


def test_list_that_moves_meanwhile_is_read_from_its_start(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, MovingPages())
    shop.orders = [changed_order(service, number, minutes=60 - number) for number in range(1, 5)]

    def change_one(number: int) -> None:
        if number == 2:  # it leaves the first page: the third order moves there
            shop.orders[0] |= {"date_modified_gmt": minutes_ago(service, 1)}

    shop.on_request = change_one
    assert missing_ids(catch_up(service, shop)) == ["1", "2", "3", "4"]
    assert shop.pages_requested == ["1", "2", "1", "2"]


def test_list_that_never_stands_still_is_tried_later(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, MovingPages())
    shop.orders = [changed_order(service, number, minutes=60 - number) for number in range(1, 4)]
    shop.on_request = lambda number: shop.orders.append(changed_order(service, 100 + number))
    result = catch_up(service, shop)
    assert result.error is not None
    assert result.error.code == "listing_moves"
    reading = recorded_reading(service, shop)
    assert (reading.read_until, reading.failures) == (shop.store.since, 1)
    shop.on_request = lambda _number: None
    assert missing_ids(catch_up(service, shop))
    assert recorded_reading(service, shop).failures == 0


def test_page_that_names_itself_as_the_next_ends_the_reading(service: Service, shop: Shop) -> None:
    body = b"[]"
    shop.responses = [HttpResult(status=200, headers={"x-total": "9", "x-pages": "9"}, body=body)] * 2
    shop.on_request = lambda number: None

    class SamePage(type(STOREFRONTS["woocommerce"].order_listing)):  # type: ignore[misc]
        def build_page(self, orders: Any, next_request: Any, total: int) -> Any:
            page = super().build_page(orders, next_request, total)
            return replace(page, next_request=replace(next_request, query={**next_request.query, "page": "1"}))

    type(STOREFRONTS["woocommerce"]).order_listing = SamePage()
    result = catch_up(service, shop)
    assert result.error is not None
    assert result.error.code == "listing_repeats"


# Failures


def test_store_that_asks_for_patience_gets_it(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1)]
    shop.responses = [TOO_MANY, HttpResult(status=503), HttpResult(was_sent=False)]
    assert missing_ids(catch_up(service, shop)) == ["1"]
    assert shop.pages_requested == ["1"] * 4


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (HttpResult(status=429, headers={"retry-after": "900"}), "status 429"),
        (HttpResult(status=401), "credentials rejected"),
        (HttpResult(status=403), "credentials rejected"),
        (
            HttpResult(status=404, body=b"{}"),
            "the store's API returned no list of orders as it is documented (status 404)",
        ),
        (
            HttpResult(status=200, headers={}, body=b"[1]"),
            "the connector failed to read the list of orders because of an internal error (TypeError)",
        ),
    ],
)
def test_failure_is_recorded_and_the_next_reading_ends_it(
    service: Service, shop: Shop, response: HttpResult, error: str
) -> None:
    shop.orders = [changed_order(service, 1)]
    shop.responses = [response]
    result = catch_up(service, shop)
    assert result.error is not None
    assert render_problem(result.error) == error
    assert result.retry_after_s == (900 if response.status == 429 else 0)
    reading = recorded_reading(service, shop)
    assert (reading.failures, reading.finished_at) == (1, None)
    assert reading.failed_since is not None
    assert reading.error is not None
    assert missing_ids(catch_up(service, shop)) == ["1"]
    reading = recorded_reading(service, shop)
    assert (reading.failures, reading.failed_since, reading.error) == (0, None, None)
    assert (reading.orders_read, reading.orders_missing) == (1, 1)


def test_store_that_keeps_failing_is_given_up_for_now(service: Service, shop: Shop) -> None:
    shop.responses = [HttpResult(status=502)] * 9
    result = catch_up(service, shop)
    assert result.error is not None
    assert render_problem(result.error) == "status 502"
    assert len(shop.requests) == 5


def test_order_that_cannot_be_read_stops_no_other(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.orders = [changed_order(service, number) for number in (1, 2, 3)]
    shop.orders[1]["line_items"] = "nothing"
    shop.orders[2]["number"] = "\u0000" * 300
    assert missing_ids(catch_up(service, shop)) == ["1", "2", "3"]
    assert missing_ids(catch_up(service, shop, since=shop.store.since)) == []
    service.drain()
    assert [(item["order_id"], item["state"], item["reason"]) for item in service.deliveries()] == [
        ("1", "delivered", None),
        ("2", "parked", "unmappable"),
    ]
    ignored = [event for event in service.api("/events").json["items"] if event["status"] == "ignored"]
    assert [event["reason"] for event in ignored] == ["The store lists it, but it cannot be read as an order."]


def test_order_that_the_database_refuses_stops_no_other(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.orders = [changed_order(service, number) for number in (1, 2)]

    def refuse(transaction: Any, events: Any) -> Any:
        if any(event.identity.order_id == "1" for event in events):
            raise ValueError("refused")
        return record_events(transaction, events)

    monkeypatch.setattr(reading, "record_events", refuse)
    result = catch_up(service, shop)
    assert (missing_ids(result), result.unrecorded, result.is_complete) == (["2"], 1, False)


def test_fault_in_identifying_an_order_is_recorded(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise MalformedWebhookError("no order")

    shop.orders = [changed_order(service, 1)]
    monkeypatch.setattr(type(STOREFRONTS["woocommerce"]), "identify_listed", fail)
    assert missing_ids(catch_up(service, shop)) == ["1"]
    assert missing_ids(catch_up(service, shop, since=shop.store.since)) == []


# Webhooks that only name the order


@pytest.fixture
def thin_service(open_service: Callable[..., Service]) -> Service:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", "{rayo}"))
    return service


def thin_order(service: Service, minutes: float = 10, **changes: Any) -> dict[str, Any]:
    return tiendanube_order(updated_at=minutes_ago(service, minutes) + "+0000", **changes)


@pytest.mark.parametrize("event", ["order/paid", "order/updated"])
def test_thin_webhook_after_the_change_is_enough(
    thin_service: Service, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    shop = open_shop(thin_service, monkeypatch)
    shop.orders = [thin_order(thin_service, minutes=-1)]
    post_thin_webhook(thin_service, "order/paid")
    thin_service.clock.forward(120)
    post_thin_webhook(thin_service, event)
    thin_service.clock.forward(600)
    result = catch_up(thin_service, shop)
    assert (result.orders, missing_ids(result)) == (1, [])


def test_thin_webhook_before_the_change_is_not(thin_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(thin_service, monkeypatch)
    post_thin_webhook(thin_service)
    thin_service.clock.forward(3_600)
    shop.orders = [thin_order(thin_service)]
    assert missing_ids(catch_up(thin_service, shop)) == ["9001"]
    assert missing_ids(catch_up(thin_service, shop, since=shop.store.since)) == []


@pytest.mark.parametrize(
    ("payment_status", "status", "missing"),
    [("paid", "open", ["9001"]), ("pending", "open", []), ("pending", "cancelled", [])],
)
def test_thin_webhook_that_says_nothing_of_the_payment_is_not_enough(
    thin_service: Service,
    monkeypatch: pytest.MonkeyPatch,
    payment_status: str,
    status: str,
    missing: list[str],
) -> None:
    shop = open_shop(thin_service, monkeypatch)
    shop.orders = [thin_order(thin_service, minutes=-1, payment_status=payment_status, status=status)]
    thin_service.clock.forward(120)
    post_thin_webhook(thin_service, "order/created")
    thin_service.clock.forward(600)
    assert missing_ids(catch_up(thin_service, shop)) == missing
    assert missing_ids(catch_up(thin_service, shop, since=shop.store.since)) == []


def test_lost_thin_cancellation_is_taken_in(thin_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(thin_service, monkeypatch)
    post_thin_webhook(thin_service)
    shop.orders = [thin_order(thin_service, minutes=-1, status="cancelled")]
    thin_service.clock.forward(120)
    post_thin_webhook(thin_service, "order/updated")
    thin_service.clock.forward(600)
    assert missing_ids(catch_up(thin_service, shop)) == ["9001"]
    assert [delivery["reason"] for delivery in thin_service.deliveries()] == ["cancelled"]
