"""Fakes of the storefronts' APIs, from which the connector fetches what webhooks leave out.

Tests and the sandbox's web interface put orders there first: whole, with `transactions`, with `barcode` in the lines,
and with the lines of their `refunds`. Webhooks are sent by `webhook_sender`.
"""

from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import client
from typing import Any, ClassVar

from flask import Blueprint, Response, request

from connector.sandbox.fault_injection import ORDER_FAULTS, Fault, FaultKind
from connector.sandbox.responses import apply_fault, headers_without_secrets, json_response
from connector.sandbox.state import RequestOutcome, Sandbox, SeenRequest
from mappings.storefronts.shopify.api import API_VERSION

FAULT_KINDS = ORDER_FAULTS | {FaultKind.DROP_UNREAD}
#: The outcome of a request whose fault withholds the order. The other faults spoil only the response.
OUTCOME_BY_FAULT: dict[FaultKind, RequestOutcome] = {
    FaultKind.DROP_UNREAD: "dropped",
    FaultKind.DROP_AFTER_READING: "dropped",
    FaultKind.STATUS: "refused",
}


class StorefrontApiError(Exception):
    """The API refuses the request."""

    def __init__(self, status: int, reason: str, *, description: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.description = description  # in the response, where the vendor's errors have one


class OrderNotFoundError(StorefrontApiError):
    def __init__(self) -> None:
        super().__init__(404, "no such order was put here")


def create_storefronts_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the endpoints of every storefront, below its name."""
    blueprint = Blueprint("storefronts", __name__)
    for api_class in STOREFRONT_APIS.values():
        api = api_class(sandbox=sandbox)
        for path, handler in api.handlers().items():
            view = partial(api.respond, handler)
            blueprint.add_url_rule(f"/{api.storefront}{path}", f"{api.storefront}-{handler.__name__}", view)
    return blueprint


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeStorefrontApi(ABC):
    """One storefront's API."""

    sandbox: Sandbox
    storefront: ClassVar[str]

    @abstractmethod
    def handlers(self) -> Mapping[str, Callable[..., Any]]:
        """Return, by path below the store's `api_url`, the method that returns the response's JSON.

        A method takes the path's parameters, and raises `StorefrontApiError`.
        """

    @abstractmethod
    def read_credentials(self) -> str | None:
        """Return the request's credentials; None if there are none. Raises `StorefrontApiError`."""

    @abstractmethod
    def error_body(self, status: int, description: str | None) -> dict[str, Any]:
        """Return the body of an error."""

    def format_retry_after(self, seconds: int) -> str:
        return str(seconds)

    def respond(self, handler: Callable[..., Any], **params: str) -> Response:
        outcome: RequestOutcome = "served"
        reason: str | None = None
        try:
            self._check_credentials()
            response = json_response(200, handler(**params))
        except StorefrontApiError as error:
            outcome, reason = "refused", str(error)
            response = json_response(error.status, self.error_body(error.status, error.description))
        if fault := self.sandbox.consume_fault(self.storefront, FAULT_KINDS, request.path):
            outcome, reason = OUTCOME_BY_FAULT.get(fault.kind, outcome), reason or str(fault.kind)
            error_response = self._fault_response(fault)
            response = apply_fault(response, fault, error=error_response, stopping=self.sandbox.stopping)
        self.sandbox.record_request(
            SeenRequest(
                destination=self.storefront,
                method=request.method,
                path=request.path,
                query=request.args.to_dict(),
                headers=headers_without_secrets(),
                body=None,
                key=None,
                received_at=datetime.now(UTC),
                outcome=outcome,
                why=reason,
            )
        )
        return response

    def orders(self) -> list[Mapping[str, Any]]:
        """Return the orders of all of the storefront's stores."""
        return [stored.order for stored in self.sandbox.store_orders() if stored.storefront == self.storefront]

    def _check_credentials(self) -> None:
        credentials = self.read_credentials()
        if not credentials or self.sandbox.consume_fault(self.storefront, {FaultKind.REJECT_KEY}, credentials):
            raise StorefrontApiError(401, "Invalid access token", description="Invalid access token")

    def _fault_response(self, fault: Fault) -> Response:
        response = json_response(fault.status, self.error_body(fault.status, fault.code))
        if fault.retry_after_s is not None:
            response.headers["Retry-After"] = self.format_retry_after(fault.retry_after_s)
        return response


class FakeTiendanubeApi(FakeStorefrontApi):
    """Returns the order that a webhook names.

    https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-21.
    """

    storefront = "tiendanube"

    def handlers(self) -> Mapping[str, Callable[..., Any]]:
        return {"/<store_id>/orders": self.list_orders, "/<store_id>/orders/<order_id>": self.get_order}

    def list_orders(self, store_id: str) -> list[Any]:
        stored = [item.order for item in self.sandbox.store_orders() if item.store_id == store_id]
        return [{"id": order["id"]} for order in stored[:1]]

    def get_order(self, store_id: str, order_id: str) -> Mapping[str, Any]:
        try:
            return self.sandbox.store_order(self.storefront, store_id, order_id)
        except KeyError:
            raise OrderNotFoundError from None

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


class FakeShopApi(FakeStorefrontApi):
    """An API at the shop's own address: the sandbox is one shop, and ignores an order's `store_id`."""

    def find_order(self, order_id: str) -> Mapping[str, Any]:
        for order in self.orders():
            if str(order["id"]) == order_id:
                return order
        raise OrderNotFoundError


class FakeShopifyApi(FakeShopApi):
    storefront = "shopify"

    def handlers(self) -> Mapping[str, Callable[..., Any]]:
        return {
            f"/admin/api/{API_VERSION}/orders/count.json": self.count_orders,
            f"/admin/api/{API_VERSION}/orders/<order_id>/transactions.json": self.list_transactions,
            f"/admin/api/{API_VERSION}/variants/<variant_id>.json": self.get_variant,
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


class FakeWooCommerceApi(FakeShopApi):
    storefront = "woocommerce"

    def handlers(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "/wp-json/wc/v3/orders": self.list_orders,
            "/wp-json/wc/v3/orders/<order_id>/refunds": self.list_refunds,
        }

    def list_orders(self) -> list[Any]:
        return [{"id": order["id"]} for order in self.orders()[:1]]

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


_APIS: list[type[FakeStorefrontApi]] = [FakeTiendanubeApi, FakeShopifyApi, FakeWooCommerceApi]
STOREFRONT_APIS = {api_class.storefront: api_class for api_class in _APIS}
