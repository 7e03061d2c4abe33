"""WooCommerce's REST API."""

from base64 import b64decode
from typing import Any

from flask import Response, request

from connector.sandbox.storefront_apis import woocommerce_orders
from connector.sandbox.storefront_apis.base import Endpoint, FakeShopApi, OrderNotFoundError
from connector.sandbox.storefront_apis.woocommerce_webhooks import FakeWooWebhooks, check_permission


class FakeWooCommerceApi(FakeShopApi):
    storefront = "woocommerce"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(path="/wp-json/wc/v3/orders", handler=self.list_orders),
            Endpoint(path="/wp-json/wc/v3/orders/<order_id>/refunds", handler=self.list_refunds),
            *FakeWooWebhooks(sandbox=self.sandbox).endpoints(),
        ]

    def _check_credentials(self) -> None:
        super()._check_credentials()
        check_permission(self.sandbox, self.read_credentials() or "")

    def list_orders(self) -> Response:
        conditions = self.sandbox.shop_conditions
        return woocommerce_orders.list_orders(
            self.orders(), zone=conditions.woocommerce_zone, hidden_ids=conditions.hidden_order_ids
        )

    def list_refunds(self, order_id: str) -> list[Any]:
        # Unverified: the list is of posts whose parent has this id, so an order that does not exist has none.
        try:
            refunds = self.find_order(order_id).get("refunds", [])
        except OrderNotFoundError:
            return []
        return list(refunds)[: int(request.args.get("per_page", 10))]

    def read_credentials(self) -> str | None:
        """Return the key and secret of HTTP Basic; None if either is missing."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            text = b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
        except ValueError:
            return None
        key, _, secret = text.partition(":")
        return text if key and secret else None

    def error_body(self, status: int, description: str | None) -> dict[str, Any]:
        """https://woocommerce.github.io/woocommerce-rest-api-docs/#errors, read 2026-11-21."""
        codes = {
            401: ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
            403: ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
            404: ("rest_no_route", "No route was found matching the URL and request method."),
        }
        code, message = codes.get(status, ("internal_server_error", "There has been a critical error on this website."))
        return {"code": code, "message": message, "data": {"status": status}}
