"""Tiendanube's API."""

from collections.abc import Mapping
from http import client
from typing import Any

from flask import Response, request

from connector.sandbox.storefront_apis import tiendanube_orders
from connector.sandbox.storefront_apis.base import (
    Endpoint,
    FakeStorefrontApi,
    OrderNotFoundError,
    StorefrontApiError,
    oauth_error,
)
from connector.sandbox.storefront_apis.tiendanube_webhooks import FakeTiendanubeWebhooks
from mappings.storefronts.tiendanube.sample import SampleTiendanubeStore


class FakeTiendanubeApi(FakeStorefrontApi):
    """Returns the order that a webhook names.

    https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-21.
    """

    storefront = "tiendanube"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(path="/apps/<app_id>/authorize", handler=self.install_app, needs_credentials=False),
            Endpoint(path="/apps/authorize/token", handler=self.grant_token, method="POST", needs_credentials=False),
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

    def install_app(self, app_id: str) -> Response:
        """Install an app at once, in the shop `?store_id=`, and show the code with which the real page redirects."""
        store_id = request.args.get("store_id") or next(
            (stored.store_id for stored in self.sandbox.store_orders() if stored.storefront == self.storefront),
            str(SampleTiendanubeStore.settings["store_id"]),
        )
        code = self.sandbox.store_tokens.issue_code(f"{app_id}@{store_id}")
        return Response(f"code={code}\n", content_type="text/plain; charset=utf-8")

    def grant_token(self) -> dict[str, Any]:
        """Exchange a code for a token, which ends the one before.

        https://tiendanube.github.io/api-documentation/authentication, read 2026-11-30. Unverified: the errors.
        """
        data = request.get_json(silent=True) or request.form.to_dict()
        if not isinstance(data, dict):
            raise oauth_error("invalid_request")
        self.check_app(data, grant_type="authorization_code", rejection=401)
        owner = self.sandbox.store_tokens.redeem_code(str(data.get("code")))
        app_id, _, store_id = (owner or "").partition("@")
        if owner is None or app_id != data["client_id"]:
            raise oauth_error("invalid_grant")
        token = self.sandbox.store_tokens.issue(self.storefront, owner=owner, expires=False, replaces=True)
        scope = "read_orders,read_customers"
        return {"access_token": token, "token_type": "bearer", "scope": scope, "user_id": store_id}

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
