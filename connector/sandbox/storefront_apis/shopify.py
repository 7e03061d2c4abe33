"""Shopify's REST Admin API."""

from typing import Any

from flask import request

from connector.sandbox.storefront_apis.base import Endpoint, FakeShopApi, OrderNotFoundError, oauth_error
from mappings.storefronts.shopify.api import API_VERSION


class FakeShopifyApi(FakeShopApi):
    storefront = "shopify"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                path="/admin/oauth/access_token", handler=self.grant_token, method="POST", needs_credentials=False
            ),
            Endpoint(path=f"/admin/api/{API_VERSION}/orders/count.json", handler=self.count_orders),
            Endpoint(
                path=f"/admin/api/{API_VERSION}/orders/<order_id>/transactions.json", handler=self.list_transactions
            ),
            Endpoint(path=f"/admin/api/{API_VERSION}/variants/<variant_id>.json", handler=self.get_variant),
        ]

    def grant_token(self) -> dict[str, Any]:
        """Exchange an app's credentials for a token.

        https://shopify.dev/docs/apps/build/authentication-authorization/client-credentials-grant, read 2026-11-30.
        Unverified: the errors, and that tokens from before stay valid.
        """
        if request.mimetype != "application/x-www-form-urlencoded":
            raise oauth_error("invalid_request")
        data = request.form.to_dict()
        self.check_app(data, grant_type="client_credentials", rejection=400)
        store_tokens = self.sandbox.store_tokens
        token = store_tokens.issue(self.storefront, owner=data["client_id"])
        return {
            "access_token": token,
            "scope": "read_orders,read_products",
            "expires_in": round(store_tokens.life.total_seconds()),
        }

    def count_orders(self) -> dict[str, int]:
        return {"count": len(self.orders())}

    def list_transactions(self, order_id: str) -> dict[str, Any]:
        return {"transactions": self.find_order(order_id).get("transactions", [])}

    def get_variant(self, variant_id: str) -> dict[str, Any]:
        """https://shopify.dev/docs/api/admin-rest/latest/resources/product-variant, read 2026-11-21."""
        for line in (line for order in self.orders() for line in order.get("line_items", [])):
            if str(line.get("variant_id")) == variant_id:
                variant = {"id": line["variant_id"], "sku": line.get("sku"), "barcode": line.get("barcode")}
                field_names = request.args.get("fields", ",".join(variant)).split(",")
                return {"variant": {name: value for name, value in variant.items() if name in field_names}}
        raise OrderNotFoundError

    def read_credentials(self) -> str | None:
        return request.headers.get("X-Shopify-Access-Token")

    def error_body(self, status: int, description: str | None) -> dict[str, Any]:
        """https://shopify.dev/docs/api/usage/response-codes, read 2026-11-21."""
        messages = {
            401: "[API] Invalid API key or access token (unrecognized login or wrong password)",
            403: "[API] This action requires merchant approval for read_orders scope.",
            404: "Not Found",
            429: "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.",
        }
        return {"errors": messages.get(status, "An unexpected error occurred")}

    def format_retry_after(self, seconds: int) -> str:
        # With a fraction: https://shopify.dev/docs/api/admin-rest/usage/rate-limits, read 2026-11-21.
        return f"{seconds:.1f}"
