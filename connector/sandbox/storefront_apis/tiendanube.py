"""Tiendanube's API."""

from collections.abc import Mapping
from http import client
from typing import Any

from flask import Response, request

from connector.sandbox.storefront_apis import tiendanube_orders
from connector.sandbox.storefront_apis.base import Endpoint, FakeStorefrontApi, OrderNotFoundError, StorefrontApiError
from connector.sandbox.storefront_apis.tiendanube_webhooks import FakeTiendanubeWebhooks


class FakeTiendanubeApi(FakeStorefrontApi):
    """Returns the order that a webhook names.

    https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-21.
    """

    storefront = "tiendanube"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(path="/<store_id>/orders", handler=self.list_orders),
            Endpoint(path="/<store_id>/orders/<order_id>", handler=self.get_order),
            *FakeTiendanubeWebhooks(sandbox=self.sandbox).endpoints(),
        ]

    def list_orders(self, store_id: str) -> Response:
        orders = [
            stored.order
            for stored in self.sandbox.store_orders()
            if (stored.storefront, stored.store_id) == (self.storefront, store_id)
        ]
        return tiendanube_orders.list_orders(orders)

    def get_order(self, store_id: str, order_id: str) -> Mapping[str, Any]:
        try:
            return self.sandbox.store_order(self.storefront, store_id, order_id)
        except KeyError:
            raise OrderNotFoundError from None

    def rate_headers(self) -> dict[str, str]:
        """https://github.com/TiendaNube/api-docs, README.md, "Rate limiting", read 2026-11-30."""
        bucket = self.sandbox.shop_conditions.buckets.get(self.storefront)
        if bucket is None:
            return {}
        return {
            "X-Rate-Limit-Limit": str(bucket.size),
            "X-Rate-Limit-Remaining": str(bucket.size - bucket.level),
            "X-Rate-Limit-Reset": str(round(1000 * bucket.level / bucket.leak_per_s)),
        }

    def read_credentials(self) -> str | None:
        """Check the headers as github.com/TiendaNube/api-docs, README.md, describes them, read 2026-11-21."""
        if not request.headers.get("User-Agent", "").strip():
            message = "Missing User-Agent header"
            raise StorefrontApiError(400, message, description=message)
        scheme, _, token = request.headers.get("Authentication", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def error_body(self, status: int, description: str | None) -> dict[str, Any]:
        """https://github.com/TiendaNube/api-docs, resources/abandoned_checkout.md, read 2026-11-21."""
        return {"code": status, "message": client.responses.get(status, "Error"), "description": description}
