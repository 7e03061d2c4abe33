"""Plays the APIs at which Shopify and WooCommerce answer what their webhooks leave out of an order.

Orders are put there first, whole: with `transactions`, with `barcode` in the lines, with the lines of their `refunds`.
Every shop has an address of its own there, so one is played, and an order's `store_id` does not count.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.fake_storefront_apis import FAULT_KINDS, OUTCOME_BY_FAULT, record_api_request
from connector.sandbox.fault_injection import FaultKind
from connector.sandbox.responses import apply_fault, json_response
from connector.sandbox.state import RequestOutcome, Sandbox
from mappings.storefronts.shopify.api import API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopApi:
    """What is told of one storefront's API."""

    storefront: str
    #: What the credentials of a request are; None where it has none.
    read_credentials: Callable[[], str | None]
    error_body: Callable[[int], dict[str, Any]]  # status -> body
    #: Path after the `api_url` -> (the orders put there, id in the path) -> reply. Raises `LookupError`.
    handlers: Mapping[str, Callable[[list[Mapping[str, Any]], str], Any]]


def create_shops_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the calls of every shop, each under its storefront's name."""
    blueprint = Blueprint("shops", __name__)
    for api in SHOP_APIS.values():
        for number, path in enumerate(api.handlers):
            fake = FakeShopEndpoint(sandbox=sandbox, api=api, path=path)
            blueprint.add_url_rule(f"/{api.storefront}{path}", f"{api.storefront}-{number}", fake.handle)
    return blueprint


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeShopEndpoint:
    """One call of a shop's API at work."""

    sandbox: Sandbox
    api: ShopApi
    path: str

    def handle(self, asked_id: str) -> Response:
        name = self.api.storefront
        outcome: RequestOutcome
        status, body = self._respond(asked_id)
        outcome, reason = ("served", None) if status == 200 else ("refused", f"status {status}")
        response = json_response(status, body)
        if fault := self.sandbox.consume_fault(name, FAULT_KINDS, request.path):
            outcome, reason = OUTCOME_BY_FAULT.get(fault.kind, outcome), reason or str(fault.kind)
            error = json_response(fault.status, self.api.error_body(fault.status))
            if fault.retry_after_s is not None:
                # With a fraction: https://shopify.dev/docs/api/admin-rest/usage/rate-limits, read 2026-11-21.
                error.headers["Retry-After"] = f"{fault.retry_after_s:.1f}"
            response = apply_fault(response, fault, error=error, stopping=self.sandbox.stopping)
        record_api_request(self.sandbox, name, outcome, reason)
        return response

    def _respond(self, asked_id: str) -> tuple[int, Any]:
        name = self.api.storefront
        token = self.api.read_credentials()
        if not token or self.sandbox.consume_fault(name, {FaultKind.REJECT_KEY}, token):
            return 401, self.api.error_body(401)
        orders = [store_order.order for store_order in self.sandbox.store_orders() if store_order.storefront == name]
        try:
            return 200, self.api.handlers[self.path](orders, asked_id)
        except LookupError:
            return 404, self.api.error_body(404)


def find_order(orders: list[Mapping[str, Any]], order_id: str) -> Mapping[str, Any]:
    for order in orders:
        if str(order["id"]) == order_id:
            return order
    raise LookupError(order_id)


# --- Shopify ---


def shopify_error_body(status: int) -> dict[str, Any]:
    """https://shopify.dev/docs/api/usage/response-codes, read 2026-11-21."""
    messages = {
        401: "[API] Invalid API key or access token (unrecognized login or wrong password)",
        403: "[API] This action requires merchant approval for read_orders scope.",
        404: "Not Found",
        429: "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.",
    }
    return {"errors": messages.get(status, "An unexpected error occurred")}


def list_transactions(orders: list[Mapping[str, Any]], order_id: str) -> dict[str, Any]:
    return {"transactions": find_order(orders, order_id).get("transactions", [])}


def get_variant(orders: list[Mapping[str, Any]], variant_id: str) -> dict[str, Any]:
    """https://shopify.dev/docs/api/admin-rest/latest/resources/product-variant, read 2026-11-21."""
    for line in iter_lines(orders):
        if str(line.get("variant_id")) == variant_id:
            variant = {"id": line["variant_id"], "sku": line.get("sku"), "barcode": line.get("barcode")}
            field_names = request.args.get("fields", ",".join(variant)).split(",")
            return {"variant": {name: value for name, value in variant.items() if name in field_names}}
    raise LookupError(variant_id)


def iter_lines(orders: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for order in orders:
        yield from order.get("line_items", [])


# --- WooCommerce ---


def woocommerce_error_body(status: int) -> dict[str, Any]:
    """https://woocommerce.github.io/woocommerce-rest-api-docs/#errors, read 2026-11-21."""
    codes = {
        401: ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
        403: ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
        404: ("rest_no_route", "No route was found matching the URL and request method."),
    }
    code, message = codes.get(status, ("internal_server_error", "There has been a critical error on this website."))
    return {"code": code, "message": message, "data": {"status": status}}


def basic_credentials() -> str | None:
    """Return the key and secret of HTTP Basic; None where one is missing."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        text = b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        return None
    key, _, secret = text.partition(":")
    return text if key and secret else None


def list_refunds(orders: list[Mapping[str, Any]], order_id: str) -> list[Any]:
    # Unverified: the list is of posts whose parent has this id, so that an order that is not there has none.
    try:
        return list(find_order(orders, order_id).get("refunds", []))[: int(request.args.get("per_page", 10))]
    except LookupError:
        return []


SHOP_APIS = {
    api.storefront: api
    for api in [
        ShopApi(
            storefront="shopify",
            read_credentials=lambda: request.headers.get("X-Shopify-Access-Token"),
            error_body=shopify_error_body,
            handlers={
                f"/admin/api/{API_VERSION}/orders/<asked_id>/transactions.json": list_transactions,
                f"/admin/api/{API_VERSION}/variants/<asked_id>.json": get_variant,
            },
        ),
        ShopApi(
            storefront="woocommerce",
            read_credentials=basic_credentials,
            error_body=woocommerce_error_body,
            handlers={"/wp-json/wc/v3/orders/<asked_id>/refunds": list_refunds},
        ),
    ]
}
