"""WooCommerce's webhooks: their management by the REST API, and how it sends them.

Unless another source is named: seen on WooCommerce 10.0.2 and 10.5.0, 2026-11-30.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any
from urllib.parse import urlsplit

import httpx
from flask import Response, request

from connector.sandbox.registered_webhooks import StoreWebhook, WebhookPlatform, send_ping
from connector.sandbox.responses import json_response
from connector.sandbox.state import Sandbox
from connector.sandbox.storefront_apis.base import Endpoint, StorefrontApiError

STOREFRONT = "woocommerce"
PATH = "/wp-json/wc/v3/webhooks"
STATUSES = ("active", "paused", "disabled")
MAX_PER_PAGE = 100
#: The hooks of each topic that carries an order.
HOOKS = {
    "order.created": ["woocommerce_new_order"],
    "order.updated": ["woocommerce_update_order", "woocommerce_order_refunded"],
    "order.deleted": ["wp_trash_post", "woocommerce_trash_order"],
    "order.restored": ["untrashed_post", "woocommerce_untrash_order"],
}
#: Other topics that it takes.
OTHER_TOPICS = {
    f"{resource}.{event}"
    for resource in ("coupon", "customer", "product")
    for event in ("created", "updated", "deleted", "restored")
    if (resource, event) != ("customer", "restored")
}
TRASH = "trash"


class WooWebhookPlatform(WebhookPlatform):
    storefront = STOREFRONT
    timeout_s = 60.0
    sends_current_order = True

    def topics(self, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Sequence[str]:
        """An order that the REST API makes comes as created, then as updated."""
        is_trash, was_trash = new.get("status") == TRASH, old is not None and old.get("status") == TRASH
        if is_trash != was_trash and old is not None:
            return ["order.deleted"] if is_trash else ["order.restored"]
        return ["order.created", "order.updated"] if old is None else ["order.updated"]

    def headers(self, webhook: StoreWebhook, order: Mapping[str, Any]) -> dict[str, str]:
        resource, _, event = webhook.topic.partition(".")
        return {
            "User-Agent": "WooCommerce/10.5.0 Hookshot (WordPress/6.9.4)",
            "X-WC-Webhook-Source": "https://sandbox.example/",
            "X-WC-Webhook-Topic": webhook.topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-ID": str(webhook.id),
            "X-WC-Webhook-Delivery-ID": secrets.token_hex(16),
        }

    def body(self, webhook: StoreWebhook, order: Mapping[str, Any]) -> bytes:
        """`wp_json_encode` escapes slashes and what is not ASCII. A deletion carries the id alone."""
        data = {"id": order["id"]} if webhook.topic == "order.deleted" else order
        return json.dumps(data, separators=(",", ":")).replace("/", r"\/").encode()

    def is_success(self, status: int) -> bool:
        """A redirect counts as delivered, although nobody follows it."""
        return 200 <= status <= 302

    def count_failure(self, webhook: StoreWebhook) -> bool:
        """The seventh failure in a row disables the webhook, and is not counted."""
        webhook.modified_at = datetime.now(UTC)
        if webhook.failures > 5:
            webhook.status = "disabled"
        else:
            webhook.failures += 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeWooWebhooks:
    """The endpoints. A change of a webhook does not reset its count of failures: only a delivery does."""

    sandbox: Sandbox

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(path=PATH, handler=self.list_webhooks),
            Endpoint(path=PATH, handler=self.create_webhook, method="POST"),
            Endpoint(path=f"{PATH}/<int:id_>", handler=self.get_webhook),
            Endpoint(path=f"{PATH}/<int:id_>", handler=self.update_webhook, method="PUT"),
            Endpoint(path=f"{PATH}/<int:id_>", handler=self.delete_webhook, method="DELETE"),
        ]

    def list_webhooks(self) -> Response:
        """Newest first. The failure count, the secret and whether a ping is pending are not shown."""
        status = request.args.get("status", "all")
        if status not in ("all", *STATUSES):
            raise rest_error(400, "rest_invalid_param", "Invalid parameter(s): status")
        per_page, page = read_int("per_page", 10), read_int("page", 1)
        if not 1 <= per_page <= MAX_PER_PAGE or page < 1:
            raise rest_error(400, "rest_invalid_param", "Invalid parameter(s): per_page")
        webhooks = [item for item in self.sandbox.webhooks.find_all(STOREFRONT) if status in ("all", item.status)][::-1]
        start = (page - 1) * per_page
        response = json_response(200, [serialize(webhook) for webhook in webhooks[start : start + per_page]])
        response.headers["X-WP-Total"] = str(len(webhooks))
        response.headers["X-WP-TotalPages"] = str(ceil(len(webhooks) / per_page))
        return response

    def get_webhook(self, id_: int) -> dict[str, Any]:
        return serialize(self._find(id_))

    def create_webhook(self) -> Response:
        """Create a webhook, and ping its address. The outcome of the ping changes nothing in the response."""
        data = read_object()
        topic = data.get("topic")
        if not isinstance(topic, str) or topic not in HOOKS.keys() | OTHER_TOPICS:
            raise rest_error(400, "woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic is required.")
        webhook = self.sandbox.webhooks.add(
            STOREFRONT,
            "",
            topic=topic,
            url=read_url(data.get("delivery_url")),
            name=str(data.get("name") or "Webhook created on sandbox"),
            secret=str(data.get("secret") or secrets.token_hex(25)),  # a random one, which is never shown
            status=read_status(data.get("status", "active")),
            is_ping_pending=True,
        )
        self._ping(webhook)
        return json_response(201, serialize(webhook))

    def update_webhook(self, id_: int) -> dict[str, Any]:
        """Change a webhook, and ping its address if that changed or a ping is pending."""
        webhook, data = self._find(id_), read_object()
        if "delivery_url" in data:
            url = read_url(data["delivery_url"])
            webhook.is_ping_pending = webhook.is_ping_pending or url != webhook.url
            webhook.url = url
        if "status" in data:
            webhook.status = read_status(data["status"])
        if data.get("secret"):
            webhook.secret = str(data["secret"])
        webhook.name = str(data.get("name") or webhook.name)
        webhook.modified_at = datetime.now(UTC)
        if webhook.is_ping_pending:
            self._ping(webhook)
        return serialize(webhook)

    def delete_webhook(self, id_: int) -> dict[str, Any]:
        webhook = self._find(id_)
        if request.args.get("force", "false").lower() not in ("true", "1"):
            raise rest_error(501, "woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.")
        self.sandbox.webhooks.remove(webhook)
        return serialize(webhook)

    def _find(self, id_: int) -> StoreWebhook:
        webhook = self.sandbox.webhooks.get(STOREFRONT, id_)
        if webhook is None:
            raise rest_error(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
        return webhook

    def _ping(self, webhook: StoreWebhook) -> None:
        """The API answers when the ping is over."""
        with httpx.Client(trust_env=False) as client:
            send_ping(client, webhook)


def check_permission(sandbox: Sandbox, credentials: str) -> None:
    """Refuse what a key may not do. A key may read and write unless `Sandbox.limit_key` said otherwise.

    A user who is no shop manager gets a 403 for webhooks, whatever the key may.
    """
    permission = sandbox.key_permissions.get(credentials, "read_write")
    is_read = request.method == "GET"
    if permission == "no_manager":
        if request.path.endswith(PATH) or f"{PATH}/" in request.path:
            code = "woocommerce_rest_cannot_view" if is_read else "woocommerce_rest_cannot_create"
            raise rest_error(403, code, "Sorry, you cannot list resources.")
    elif permission != "read_write" and (permission == "read") is not is_read:
        needed = "read" if is_read else "write"
        message = f"The API key provided does not have {needed} permissions."
        raise rest_error(401, "woocommerce_rest_authentication_error", message)


def rest_error(status: int, code: str, message: str) -> StorefrontApiError:
    return StorefrontApiError(status, message, body={"code": code, "message": message, "data": {"status": status}})


def read_int(name: str, default: int) -> int:
    value = request.args.get(name, str(default))
    if not value.isascii() or not value.isdigit():
        raise rest_error(400, "rest_invalid_param", f"Invalid parameter(s): {name}")
    return int(value)


def read_object() -> Mapping[str, Any]:
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        raise rest_error(400, "rest_invalid_json", "Invalid JSON body passed.")
    return data


def read_url(value: Any) -> str:
    if not isinstance(value, str) or urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
        message = "Webhook delivery URL must be a valid URL starting with http:// or https://."
        raise rest_error(400, "woocommerce_rest_shop_webhook_invalid_delivery_url", message)
    return value


def read_status(value: Any) -> str:
    if value not in STATUSES:
        raise rest_error(400, "rest_invalid_param", "Invalid parameter(s): status")
    return str(value)


def serialize(webhook: StoreWebhook) -> dict[str, Any]:
    resource, _, event = webhook.topic.partition(".")
    modified_at = webhook.modified_at
    return {
        "id": webhook.id,
        "name": webhook.name,
        "status": webhook.status,
        "topic": webhook.topic,
        "resource": resource,
        "event": event,
        "hooks": HOOKS.get(webhook.topic, []),
        "delivery_url": webhook.url,
        "date_created": f"{webhook.created_at:%Y-%m-%dT%H:%M:%S}",
        "date_created_gmt": f"{webhook.created_at:%Y-%m-%dT%H:%M:%S}",
        "date_modified": f"{modified_at:%Y-%m-%dT%H:%M:%S}" if modified_at else None,
        "date_modified_gmt": f"{modified_at:%Y-%m-%dT%H:%M:%S}" if modified_at else None,
    }
