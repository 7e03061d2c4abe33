"""Plays the APIs at which Shopify and WooCommerce answer what their webhooks leave out of an order.

Orders are put there first, whole: with `transactions`, with `barcode` in the lines, with the lines of their `refunds`.
Every shop has an address of its own there, so one is played, and an order's `store_id` does not count.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.fake_storefront_apis import FAULTS, OUTCOMES, record_call
from connector.sandbox.fault_injection import Kind
from connector.sandbox.responses import json_reply, spoil
from connector.sandbox.state import RequestOutcome, Sandbox
from mappings.storefronts.shopify import API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopApi:
    """What is told of one storefront's API."""

    storefront: str
    #: What the credentials of a request are; None where it has none.
    token: Callable[[], str | None]
    error: Callable[[int], dict[str, Any]]  # status -> body
    #: Path after the `api_url` -> (the orders put there, id in the path) -> reply. Raises `LookupError`.
    calls: Mapping[str, Callable[[list[Mapping[str, Any]], str], Any]]


def play_shops(sandbox: Sandbox) -> Blueprint:
    """Return the calls of every shop, each under its storefront's name."""
    calls = Blueprint("shops", __name__)
    for api in SHOP_APIS.values():
        for number, path in enumerate(api.calls):
            player = Player(sandbox=sandbox, api=api, path=path)
            calls.add_url_rule(f"/{api.storefront}{path}", f"{api.storefront}-{number}", player.answer)
    return calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One call of a shop's API at work."""

    sandbox: Sandbox
    api: ShopApi
    path: str

    def answer(self, asked_id: str) -> Response:
        name = self.api.storefront
        outcome: RequestOutcome
        status, reply = self._answer(asked_id)
        outcome, why = ("served", None) if status == 200 else ("refused", f"status {status}")
        answer = json_reply(status, reply)
        if fault := self.sandbox.take_fault(name, FAULTS, request.path):
            outcome, why = OUTCOMES.get(fault.kind, outcome), why or str(fault.kind)
            error = json_reply(fault.status, self.api.error(fault.status))
            if fault.retry_after_s is not None:
                # With a fraction: https://shopify.dev/docs/api/admin-rest/usage/rate-limits, read 2026-11-21.
                error.headers["Retry-After"] = f"{fault.retry_after_s:.1f}"
            answer = spoil(answer, fault, error=error, stopping=self.sandbox.stopping)
        record_call(self.sandbox, name, outcome, why)
        return answer

    def _answer(self, asked_id: str) -> tuple[int, Any]:
        name = self.api.storefront
        token = self.api.token()
        if not token or self.sandbox.take_fault(name, {Kind.REJECT_KEY}, token):
            return 401, self.api.error(401)
        orders = [kept.order for kept in self.sandbox.store_orders() if kept.storefront == name]
        try:
            return 200, self.api.calls[self.path](orders, asked_id)
        except LookupError:
            return 404, self.api.error(404)


def order_of(orders: list[Mapping[str, Any]], order_id: str) -> Mapping[str, Any]:
    for order in orders:
        if str(order["id"]) == order_id:
            return order
    raise LookupError(order_id)


# --- Shopify ---


def shopify_error(status: int) -> dict[str, Any]:
    """https://shopify.dev/docs/api/usage/response-codes, read 2026-11-21."""
    words = {
        401: "[API] Invalid API key or access token (unrecognized login or wrong password)",
        403: "[API] This action requires merchant approval for read_orders scope.",
        404: "Not Found",
        429: "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.",
    }
    return {"errors": words.get(status, "An unexpected error occurred")}


def tell_transactions(orders: list[Mapping[str, Any]], order_id: str) -> dict[str, Any]:
    return {"transactions": order_of(orders, order_id).get("transactions", [])}


def tell_variant(orders: list[Mapping[str, Any]], variant_id: str) -> dict[str, Any]:
    """https://shopify.dev/docs/api/admin-rest/latest/resources/product-variant, read 2026-11-21."""
    for line in lines_of(orders):
        if str(line.get("variant_id")) == variant_id:
            variant = {"id": line["variant_id"], "sku": line.get("sku"), "barcode": line.get("barcode")}
            wanted = request.args.get("fields", ",".join(variant)).split(",")
            return {"variant": {name: value for name, value in variant.items() if name in wanted}}
    raise LookupError(variant_id)


def lines_of(orders: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for order in orders:
        yield from order.get("line_items", [])


# --- WooCommerce ---


def woocommerce_error(status: int) -> dict[str, Any]:
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
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        text = b64decode(encoded, validate=True).decode() if kind.lower() == "basic" else ""
    except ValueError:
        return None
    key, _, secret = text.partition(":")
    return text if key and secret else None


def tell_refunds(orders: list[Mapping[str, Any]], order_id: str) -> list[Any]:
    # Unverified: the list is of posts whose parent has this id, so that an order that is not there has none.
    try:
        return list(order_of(orders, order_id).get("refunds", []))[: int(request.args.get("per_page", 10))]
    except LookupError:
        return []


SHOP_APIS = {
    api.storefront: api
    for api in [
        ShopApi(
            storefront="shopify",
            token=lambda: request.headers.get("X-Shopify-Access-Token"),
            error=shopify_error,
            calls={
                f"/admin/api/{API_VERSION}/orders/<asked_id>/transactions.json": tell_transactions,
                f"/admin/api/{API_VERSION}/variants/<asked_id>.json": tell_variant,
            },
        ),
        ShopApi(
            storefront="woocommerce",
            token=basic_credentials,
            error=woocommerce_error,
            calls={"/wp-json/wc/v3/orders/<asked_id>/refunds": tell_refunds},
        ),
    ]
}
