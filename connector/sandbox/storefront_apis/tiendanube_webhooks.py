"""Tiendanube's webhooks: their management by the API, and how it sends them.

https://tiendanube.github.io/api-documentation/resources/webhook, read 2026-11-30. Unverified: the texts of faults, and
that pages are as those of orders.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request

from connector.sandbox.registered_webhooks import StoreWebhook, WebhookPlatform
from connector.sandbox.responses import json_response
from connector.sandbox.state import Sandbox
from connector.sandbox.storefront_apis.base import Endpoint, StorefrontApiError
from mappings.storefronts.tiendanube.webhook import TOPICS

STOREFRONT = "tiendanube"
#: Events besides those of orders.
OTHER_EVENTS = {"app/uninstalled", "app/suspended", "app/resumed", "product/created", "product/updated"}
MAX_PER_PAGE = 200
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
FORBIDDEN_DOMAINS = ("tiendanube.com", "nuvemshop.com.br")


class TiendanubeWebhookPlatform(WebhookPlatform):
    """It repeats a failed delivery for 48 hours, which is not played here."""

    storefront = STOREFRONT
    timeout_s = 40.0

    def topics(self, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Sequence[str]:
        was_paid = old is not None and old.get("payment_status") == "paid"
        was_cancelled = old is not None and old.get("status") == "cancelled"
        return [
            "order/created" if old is None else "order/updated",
            *(["order/paid"] if new.get("payment_status") == "paid" and not was_paid else []),
            *(["order/cancelled"] if new.get("status") == "cancelled" and not was_cancelled else []),
        ]

    def headers(self, webhook: StoreWebhook, order: Mapping[str, Any]) -> dict[str, str]:
        return {}

    def body(self, webhook: StoreWebhook, order: Mapping[str, Any]) -> bytes:
        data = {"store_id": int(webhook.store_id), "event": webhook.topic, "id": order["id"]}
        return json.dumps(data, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeTiendanubeWebhooks:
    """The endpoints."""

    sandbox: Sandbox

    def endpoints(self) -> list[Endpoint]:
        path = "/<store_id>/webhooks"
        return [
            Endpoint(path=path, handler=self.list_webhooks),
            Endpoint(path=path, handler=self.create_webhook, method="POST"),
            Endpoint(path=f"{path}/<int:id_>", handler=self.get_webhook),
            Endpoint(path=f"{path}/<int:id_>", handler=self.update_webhook, method="PUT"),
            Endpoint(path=f"{path}/<int:id_>", handler=self.delete_webhook, method="DELETE"),
        ]

    def list_webhooks(self, store_id: str) -> Response:
        page, per_page = read_int("page", 1), read_int("per_page", 30)
        if page < 1 or not 1 <= per_page <= MAX_PER_PAGE:
            raise unprocessable({"per_page": [f"must be between 1 and {MAX_PER_PAGE}"]})
        webhooks = [
            webhook
            for webhook in self.sandbox.webhooks.find_all(STOREFRONT, store_id)
            if request.args.get("event", webhook.topic) == webhook.topic
            and request.args.get("url", webhook.url) == webhook.url
        ]
        last_page = ceil(len(webhooks) / per_page)
        if page > last_page:
            raise StorefrontApiError(404, "no such page", description=f"Last page is {last_page}")
        start = (page - 1) * per_page
        response = json_response(200, [serialize(webhook) for webhook in webhooks[start : start + per_page]])
        response.headers["x-total-count"] = str(len(webhooks))
        return response

    def get_webhook(self, store_id: str, id_: int) -> dict[str, Any]:
        return serialize(self._find(store_id, id_))

    def create_webhook(self, store_id: str) -> Response:
        data = read_object()
        check(data, {"event", "url"})
        webhook = self.sandbox.webhooks.add(STOREFRONT, store_id, topic=data["event"], url=data["url"])
        return json_response(201, serialize(webhook))

    def update_webhook(self, store_id: str, id_: int) -> dict[str, Any]:
        webhook, data = self._find(store_id, id_), read_object()
        check(data, data.keys() & {"event", "url"})
        webhook.topic, webhook.url = data.get("event", webhook.topic), data.get("url", webhook.url)
        webhook.modified_at = datetime.now(UTC)
        return serialize(webhook)

    def delete_webhook(self, store_id: str, id_: int) -> dict[str, Any]:
        self.sandbox.webhooks.remove(self._find(store_id, id_))
        return {}

    def _find(self, store_id: str, id_: int) -> StoreWebhook:
        webhook = self.sandbox.webhooks.get(STOREFRONT, id_)
        if webhook is None or webhook.store_id != store_id:
            raise StorefrontApiError(404, "no such webhook", description="Webhook not found")
        return webhook


def check(data: Mapping[str, Any], names: set[str]) -> None:
    """Raises `StorefrontApiError` with the faults of the fields."""
    faults = {}
    if "event" in names and data.get("event") not in TOPICS.keys() | OTHER_EVENTS:
        faults["event"] = ["is not a valid event"]
    if "url" in names and not is_allowed_url(data.get("url")):
        faults["url"] = ["must be a valid https url"]
    if faults:
        raise unprocessable(faults)


def is_allowed_url(url: Any) -> bool:
    """Only https is taken, and no domain of its own; the sandbox also takes http on this machine, where it runs."""
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host in LOOPBACK or (parts.scheme == "https" and "." in host and not host.endswith(FORBIDDEN_DOMAINS))


def unprocessable(faults: Mapping[str, list[str]]) -> StorefrontApiError:
    """https://github.com/TiendaNube/api-docs, README.md, "Unprocessable entity", read 2026-11-30."""
    body = {"code": 422, "message": "Unprocessable Entity", "description": "Validation error", **faults}
    return StorefrontApiError(422, f"invalid: {', '.join(faults)}", body=body)


def read_int(name: str, default: int) -> int:
    value = request.args.get(name, str(default))
    if not value.isascii() or not value.isdigit():
        raise unprocessable({name: ["must be a number"]})
    return int(value)


def read_object() -> Mapping[str, Any]:
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        raise StorefrontApiError(400, "the body is not JSON", description="Problems parsing JSON")
    return data


def serialize(webhook: StoreWebhook) -> dict[str, Any]:
    modified_at = webhook.modified_at or webhook.created_at
    return {
        "id": webhook.id,
        "event": webhook.topic,
        "url": webhook.url,
        "created_at": f"{webhook.created_at:%Y-%m-%dT%H:%M:%S+0000}",
        "updated_at": f"{modified_at:%Y-%m-%dT%H:%M:%S+0000}",
    }
