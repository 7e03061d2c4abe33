"""Shopify's Admin API."""

from functools import partial
from typing import Any

from flask import Response, request

from connector.sandbox.fault_injection import Fault
from connector.sandbox.responses import json_response
from connector.sandbox.storefront_apis import shopify_orders
from connector.sandbox.storefront_apis.base import Endpoint, FakeShopApi, oauth_error
from connector.sandbox.storefront_apis.shopify_graphql import GraphqlError, Resolver, execute, resolve_nodes
from connector.sandbox.storefront_apis.shopify_webhooks import build_webhook_resolvers
from mappings.storefronts.shopify.api import API_VERSION
from mappings.storefronts.shopify.graphql import BARCODES_QUERY


class FakeShopifyApi(FakeShopApi):
    storefront = "shopify"

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                path="/admin/oauth/access_token", handler=self.grant_token, method="POST", needs_credentials=False
            ),
            Endpoint(path=f"/admin/api/{API_VERSION}/orders.json", handler=self.list_orders),
            Endpoint(path=f"/admin/api/{API_VERSION}/orders/count.json", handler=self.count_orders),
            Endpoint(
                path=f"/admin/api/{API_VERSION}/orders/<order_id>/transactions.json", handler=self.list_transactions
            ),
            Endpoint(path=f"/admin/api/{API_VERSION}/graphql.json", handler=self.execute_graphql, method="POST"),
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

    def list_orders(self) -> Response:
        return shopify_orders.list_orders(self.orders())

    def count_orders(self) -> dict[str, int]:
        return {"count": len(self.orders())}

    def list_transactions(self, order_id: str) -> dict[str, Any]:
        return {"transactions": self.find_order(order_id).get("transactions", [])}

    def execute_graphql(self) -> dict[str, Any]:
        resolvers: dict[str, tuple[str, Resolver]] = {
            "nodes": (BARCODES_QUERY, partial(resolve_nodes, self.orders())),
            **build_webhook_resolvers(self.sandbox.webhooks),
        }
        return execute(request.get_json(silent=True), resolvers)

    def rate_headers(self) -> dict[str, str]:
        """https://shopify.dev/docs/api/admin-rest/usage/rate-limits, read 2026-11-30."""
        bucket = self.sandbox.shop_conditions.buckets.get(self.storefront)
        if bucket is None:
            return {}
        headers = {"X-Shopify-Shop-Api-Call-Limit": f"{bucket.level}/{bucket.size}"}
        return headers | ({"Retry-After": "2.0"} if bucket.level >= bucket.size else {})

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

    def _fault_response(self, fault: Fault) -> Response:
        """An error with a code, such as THROTTLED, has the status 200 if it is of GraphQL."""
        if request.path.endswith("/graphql.json") and fault.code:
            return json_response(200, GraphqlError(fault.code, "Injected").body())
        return super()._fault_response(fault)

    def format_retry_after(self, seconds: int) -> str:
        # With a fraction: https://shopify.dev/docs/api/admin-rest/usage/rate-limits, read 2026-11-21.
        return f"{seconds:.1f}"
