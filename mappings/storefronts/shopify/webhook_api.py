"""Shopify's webhook subscriptions in the GraphQL Admin API: those that the token's app created there.

https://shopify.dev/docs/api/admin-graphql/latest/queries/webhookSubscriptions,
https://shopify.dev/docs/api/admin-graphql/latest/mutations/webhookSubscriptionCreate and
https://shopify.dev/docs/api/admin-graphql/latest/objects/WebhookSubscription, read 2026-11-30. The address is `uri`
since version 2025-10: https://shopify.dev/changelog/consolidate-webhook-graphql-surfaces, read 2026-11-30.
"""

from collections.abc import Mapping
from typing import Any

from mappings.labels import N_
from mappings.problems import Problem, register_templates
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError
from mappings.storefronts.shopify.api import API_VERSION
from mappings.storefronts.shopify.graphql import find_error
from mappings.storefronts.shopify.store import ShopifyStore
from mappings.webhook_api import RegisteredWebhook, WebhookApi, WebhookPage, WebhookRefusedError, refusal

register_templates(
    {
        "shopify_webhooks_unseen": N_(
            "Shopify's API does not show the webhooks of Settings > Notifications, of an app's shopify.app.toml, and "
            "of other apps."
        )
    }
)

PATH = f"/admin/api/{API_VERSION}/graphql.json"
PER_PAGE = 100
LIST_WEBHOOKS = """\
query Webhooks($first: Int!, $after: String) {
  webhookSubscriptions(first: $first, after: $after) {
    nodes { id topic uri }
    pageInfo { hasNextPage endCursor }
  }
}
"""
CREATE_WEBHOOK = """\
mutation CreateWebhook($topic: WebhookSubscriptionTopic!, $webhook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhook) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""
UPDATE_WEBHOOK = """\
mutation UpdateWebhook($id: ID!, $webhook: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $webhook) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""
DELETE_WEBHOOK = """\
mutation DeleteWebhook($id: ID!) {
  webhookSubscriptionDelete(id: $id) {
    deletedWebhookSubscriptionId
    userErrors { field message }
  }
}
"""
ORDERS = "ORDERS_"


class ShopifyWebhookApi(WebhookApi[ShopifyStore]):
    base_topics = ("orders/paid", "orders/updated", "orders/cancelled", "orders/delete")
    optional_topics = {"created": "orders/create"}
    topic_pattern = r"orders/[a-z_]+"
    # "Returns only shop-scoped subscriptions, not app-scoped subscriptions configured in TOML files",
    # https://shopify.dev/docs/api/admin-graphql/2025-07/connections/WebhookSubscriptionConnection; and "If you create a
    # webhook subscription through the Shopify admin, then that subscription won't be returned in API calls",
    # https://shopify.dev/docs/api/admin-rest/latest/resources/webhook. Both read 2026-11-30.
    blind_spot = Problem(code="shopify_webhooks_unseen")

    def list_request(self, store: ShopifyStore) -> ApiRequest:
        return self._list_request(after=None)

    def read_page(self, store: ShopifyStore, request: ApiRequest, response: ApiResponse) -> WebhookPage:
        data = read_data(response)
        try:
            connection = data["webhookSubscriptions"]
            webhooks = [
                RegisteredWebhook(id=str(node["id"]), topic=from_enum(node["topic"]), url=str(node["uri"]))
                for node in connection["nodes"]
            ]
            page_info = connection["pageInfo"]
            next_request = self._list_request(after=str(page_info["endCursor"])) if page_info["hasNextPage"] else None
        except (KeyError, TypeError, AttributeError) as error:
            raise UnexpectedResponseError("a webhook lacks a field") from error
        return WebhookPage(webhooks=webhooks, next_request=next_request)

    def create_request(self, store: ShopifyStore, topic: str, url: str) -> ApiRequest:
        return build_request(CREATE_WEBHOOK, topic=to_enum(topic), webhook={"uri": url, "format": "JSON"})

    def update_request(self, store: ShopifyStore, webhook: RegisteredWebhook, url: str) -> ApiRequest:
        return build_request(UPDATE_WEBHOOK, id=webhook.id, webhook={"uri": url, "format": "JSON"})

    def delete_request(self, store: ShopifyStore, webhook: RegisteredWebhook) -> ApiRequest:
        return build_request(DELETE_WEBHOOK, id=webhook.id)

    def check_change(self, response: ApiResponse) -> None:
        result = next(iter(read_data(response).values()), None)
        if not isinstance(result, Mapping) or not isinstance(result.get("userErrors"), list):
            raise UnexpectedResponseError("no result of the mutation")
        messages = [str(error.get("message")) for error in result["userErrors"] if isinstance(error, Mapping)]
        if messages:
            raise WebhookRefusedError(refusal("; ".join(messages)))

    def _list_request(self, *, after: str | None) -> ApiRequest:
        return build_request(LIST_WEBHOOKS, first=PER_PAGE, after=after)


def build_request(query: str, **variables: Any) -> ApiRequest:
    return ApiRequest(method="POST", path=PATH, data={"query": query, "variables": variables})


def read_data(response: ApiResponse) -> Mapping[str, Any]:
    """Return the `data` of a response.

    A 200 may say that nothing was done, as when the app is throttled or lacks a scope:
    https://shopify.dev/docs/api/admin-graphql/latest#status_and_error_codes, read 2026-11-30.
    """
    body = response.data if isinstance(response.data, Mapping) else {}
    if response.is_success and (error := find_error(body)):
        raise WebhookRefusedError(refusal(error.code))
    if not response.is_success or not isinstance(body.get("data"), Mapping):
        raise UnexpectedResponseError("no data")
    data: Mapping[str, Any] = body["data"]
    return data


def to_enum(topic: str) -> str:
    """Return a topic as GraphQL names it: `orders/paid` is ORDERS_PAID."""
    return topic.upper().replace("/", "_")


def from_enum(value: str) -> str:
    """Return an order's topic as webhooks name it; others as they are, since they are only shown."""
    return f"orders/{value.removeprefix(ORDERS).lower()}" if value.startswith(ORDERS) else value
