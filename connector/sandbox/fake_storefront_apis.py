"""Plays the APIs at which storefronts answer an order that their webhooks only name. Orders are put there first.

It posts no webhooks: `storefronts` does.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import client

from flask import Blueprint, Response, request

from connector.sandbox.fault_injection import ON_ORDERS, Fault, Kind
from connector.sandbox.responses import json_reply, open_headers, spoil
from connector.sandbox.state import RequestOutcome, Sandbox, SeenRequest

#: Where each answers an order, after the `api_url` of a store.
#: https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-21.
ORDER_PATHS = {"tiendanube": "/<store_id>/orders/<order_id>"}

FAULTS = ON_ORDERS | {Kind.DROP_UNREAD}
#: What becomes of a request by a fault that leaves it without the order; others spoil only the answer.
OUTCOMES: dict[Kind, RequestOutcome] = {
    Kind.DROP_UNREAD: "dropped",
    Kind.DROP_AFTER_READING: "dropped",
    Kind.STATUS: "refused",
}


class RefusedError(Exception):
    """The storefront will not answer this request."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


def play_storefronts(sandbox: Sandbox) -> Blueprint:
    """Return the calls of every storefront, each under its own name."""
    calls = Blueprint("storefronts", __name__)
    for name, path in ORDER_PATHS.items():
        api = OrderApi(sandbox=sandbox, storefront=name)
        calls.add_url_rule(f"/{name}{path}", f"{name}-order", api.answer_order)
    return calls


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderApi:
    """One storefront's API at work, strict about who asks."""

    sandbox: Sandbox
    storefront: str

    def answer_order(self, store_id: str, order_id: str) -> Response:
        outcome: RequestOutcome
        why: str | None
        try:
            self._check_headers()
            order = self.sandbox.store_order(self.storefront, store_id, order_id)
        except RefusedError as refusal:
            reply, outcome, why = error_reply(refusal.status, refusal.description), "refused", refusal.description
        except LookupError:
            reply, outcome, why = error_reply(404, None), "refused", "no such order was put here"
        else:
            reply, outcome, why = json_reply(200, order), "served", None
        if fault := self.sandbox.take_fault(self.storefront, FAULTS, request.path):
            outcome, why = OUTCOMES.get(fault.kind, outcome), why or str(fault.kind)
            reply = spoil(reply, fault, error=error_of(fault), stopping=self.sandbox.stopping)
        record_call(self.sandbox, self.storefront, outcome, why)
        return reply

    def _check_headers(self) -> None:
        """Raises `RefusedError` as Tiendanube refuses: github.com/TiendaNube/api-docs, README.md, read 2026-11-21."""
        if not request.headers.get("User-Agent", "").strip():
            raise RefusedError(400, "Missing User-Agent header")
        kind, _, token = request.headers.get("Authentication", "").partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not token or self.sandbox.take_fault(self.storefront, {Kind.REJECT_KEY}, token):
            raise RefusedError(401, "Invalid access token")


def record_call(sandbox: Sandbox, storefront: str, outcome: RequestOutcome, why: str | None) -> None:
    """Keep the request that is being answered, without its secrets."""
    sandbox.record_request(
        SeenRequest(
            destination=storefront,
            method=request.method,
            path=request.path,
            query=request.args.to_dict(),
            headers=open_headers(),
            body=None,
            key=None,
            received_at=datetime.now(UTC),
            outcome=outcome,
            why=why,
        )
    )


def error_reply(status: int, description: str | None) -> Response:
    """https://github.com/TiendaNube/api-docs, resources/abandoned_checkout.md, read 2026-11-21."""
    message = client.responses.get(status, "Error")
    return json_reply(status, {"code": status, "message": message, "description": description})


def error_of(fault: Fault) -> Response:
    reply = error_reply(fault.status, fault.code)
    if fault.retry_after_s is not None:
        reply.headers["Retry-After"] = str(fault.retry_after_s)
    return reply
