"""Webhooks by API without a network: which are ours, what is wrong with them, and what the responses say."""

from typing import Any

import pytest

from connector.settings import build_store
from mappings import STOREFRONTS
from mappings.store_api import ApiResponse, UnexpectedResponseError
from mappings.webhook_api import (
    RegisteredWebhook,
    WebhookApi,
    WebhookRefusedError,
    WebhookState,
    compare_webhooks,
    is_same_url,
    plan_sync,
    public_address,
)

URL = "https://connector.example/webhooks/tienda"


def webhook_api(name: str) -> WebhookApi[Any]:
    api = STOREFRONTS[name].webhook_api
    assert api is not None
    return api


def respond(data: Any, status: int = 200, **headers: str) -> ApiResponse:
    return ApiResponse(status=status, headers=headers, data=data)


def compare(*webhooks: RegisteredWebhook) -> list[tuple[str, WebhookState]]:
    statuses = compare_webhooks(webhooks, needed_topics=["order.updated"], url=URL, store_path="/webhooks/tienda")
    return [(status.webhook.id if status.webhook else "", status.state) for status in statuses]


def webhook(id_: str, url: str = URL, topic: str = "order.updated", **values: Any) -> RegisteredWebhook:
    return RegisteredWebhook(id=id_, topic=topic, url=url, **values)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("https://connector.example/webhooks/tienda/", True),
        ("https://CONNECTOR.example/webhooks/tienda", True),
        ("https://connector.example:443/webhooks/tienda", True),
        ("https://connector.example/webhooks/Tienda", False),
        ("https://connector.example/webhooks/tienda?a=1", False),
        ("https://connector.example:8443/webhooks/tienda", False),
        ("http://connector.example/webhooks/tienda", False),
        ("https://connector.example/webhooks/tienda-2", False),
        ("https://[broken", False),
    ],
)
def test_addresses_are_compared_as_a_browser_would(other: str, is_same: bool) -> None:
    assert is_same_url(URL, other) is is_same


def test_webhook_that_works_is_preferred_to_one_that_does_not() -> None:
    dead = webhook("1", state=WebhookState.DISABLED)
    assert compare(dead, webhook("2")) == [("2", WebhookState.OK), ("1", WebhookState.DUPLICATE)]
    assert compare(dead) == [("1", WebhookState.DISABLED)]


def test_old_host_counts_only_while_there_is_no_webhook_here() -> None:
    old = webhook("1", "https://old.example/connector/webhooks/tienda")
    assert compare(old) == [("1", WebhookState.ELSEWHERE)]
    assert compare(old, webhook("2")) == [("2", WebhookState.OK), ("1", WebhookState.FOREIGN)]
    assert compare(old, webhook("2", "https://older.example/webhooks/tienda")) == [
        ("1", WebhookState.ELSEWHERE),
        ("2", WebhookState.FOREIGN),
    ]


def test_topic_that_no_route_needs_is_left_alone() -> None:
    statuses = compare_webhooks(
        [webhook("1", topic="order.created")], needed_topics=[], url=URL, store_path="/webhooks/tienda"
    )
    assert [status.state for status in statuses] == [WebhookState.UNNEEDED]
    assert plan_sync(statuses, webhook_api("woocommerce")) == []


def test_store_without_a_route_needs_no_webhook() -> None:
    assert [
        storefront.webhook_api.needed_topics(()) for storefront in STOREFRONTS.values() if storefront.webhook_api
    ] == [
        [],
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example/services/T00/B00/ficha?clave=1", "https://hooks.example/…"),
        ("https://ana:clave@Hooks.example/a", "https://hooks.example/…"),
        ("https://[broken", "https://…/…"),
    ],
)
def test_address_of_another_tool_is_shown_without_its_secrets(url: str, shown: str) -> None:
    [_, foreign] = compare_webhooks(
        [webhook("1", url)], needed_topics=["order.updated"], url=URL, store_path="/webhooks/tienda"
    )
    assert public_address(foreign) == shown


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("woocommerce", {"code": "rest_no_route"}),
        ("woocommerce", [{"id": 1}]),
        ("woocommerce", [{"id": "uno", "topic": "order.updated", "delivery_url": URL, "status": "active"}]),
        ("tiendanube", {"id": 1}),
        ("tiendanube", [{"id": 1, "event": "order/paid"}]),
        ("shopify", {}),
        ("shopify", {"data": {"webhookSubscriptions": None}}),
        ("shopify", {"data": {"webhookSubscriptions": {"nodes": [{"id": "1"}], "pageInfo": {"hasNextPage": False}}}}),
        ("shopify", ["<html>"]),
    ],
)
def test_unexpected_list_is_no_list(name: str, data: Any) -> None:
    api, store = webhook_api(name), build_store(name, {})
    with pytest.raises(UnexpectedResponseError):
        api.read_page(store, api.list_request(store), respond(data))


def test_empty_list_of_tiendanube_is_a_404() -> None:
    api, store = webhook_api("tiendanube"), build_store("tiendanube", {})
    request = api.list_request(store)
    empty = respond({"code": 404, "message": "Not Found", "description": "Last page is 0"}, 404)
    assert api.read_page(store, request, empty).webhooks == []
    with pytest.raises(UnexpectedResponseError):
        api.read_page(store, request, respond({"code": 404, "message": "Not Found"}, 404))


@pytest.mark.parametrize("count", [199, 200])
def test_full_page_of_tiendanube_has_a_next_one(count: int) -> None:
    api, store = webhook_api("tiendanube"), build_store("tiendanube", {})
    items = [{"id": number, "event": "order/paid", "url": URL} for number in range(count)]
    page = api.read_page(store, api.list_request(store), respond(items))
    assert (page.next_request is not None) is (count == 200)


@pytest.mark.parametrize(
    ("name", "response", "text"),
    [
        (
            "tiendanube",
            respond({"url": ["must be https"], "description": "Validation error"}, 422),
            "url: must be https; Validation error",
        ),
        (
            "woocommerce",
            respond({"code": "woocommerce_rest_shop_webhook_invalid_topic"}, 400),
            "woocommerce_rest_shop_webhook_invalid_topic",
        ),
        ("shopify", respond({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}), "THROTTLED"),
        (
            "shopify",
            respond(
                {
                    "data": {
                        "webhookSubscriptionCreate": {"userErrors": [{"field": None, "message": "Address is taken"}]}
                    }
                }
            ),
            "Address is taken",
        ),
    ],
)
def test_refusal_says_why(name: str, response: ApiResponse, text: str) -> None:
    with pytest.raises(WebhookRefusedError) as refused:
        webhook_api(name).check_change(response)
    assert refused.value.problem.params == {"error": text}


@pytest.mark.parametrize("status", [401, 403])
def test_key_of_woocommerce_that_may_only_read_is_named(status: int) -> None:
    with pytest.raises(WebhookRefusedError) as refused:
        webhook_api("woocommerce").check_change(respond({"code": "woocommerce_rest_authentication_error"}, status))
    assert refused.value.problem.code == "webhook_key_read_only"


@pytest.mark.parametrize("name", ["shopify", "tiendanube", "woocommerce"])
def test_other_responses_to_a_change_are_failures(name: str) -> None:
    for response in (respond(None, 500), respond(None, 302)):
        with pytest.raises(UnexpectedResponseError):
            webhook_api(name).check_change(response)
