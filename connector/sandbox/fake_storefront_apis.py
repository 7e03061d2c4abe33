"""Plays the APIs at which storefronts answer an order that their webhooks only name. Orders are put there first.

It posts no webhooks: `storefronts` does.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import client

from flask import Blueprint, Response, request

from connector.sandbox.fault_injection import ORDER_FAULTS, Fault, FaultKind
from connector.sandbox.responses import apply_fault, headers_without_secrets, json_response
from connector.sandbox.state import RequestOutcome, Sandbox, SeenRequest

#: Where each answers an order, after the `api_url` of a store.
#: https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-21.
ORDER_PATHS = {"tiendanube": "/<store_id>/orders/<order_id>"}

FAULT_KINDS = ORDER_FAULTS | {FaultKind.DROP_UNREAD}
#: What becomes of a request by a fault that leaves it without the order; others spoil only the answer.
OUTCOME_BY_FAULT: dict[FaultKind, RequestOutcome] = {
    FaultKind.DROP_UNREAD: "dropped",
    FaultKind.DROP_AFTER_READING: "dropped",
    FaultKind.STATUS: "refused",
}


class StorefrontApiError(Exception):
    """The storefront will not answer this request."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


def create_storefronts_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the calls of every storefront, each under its own name."""
    blueprint = Blueprint("storefronts", __name__)
    for name, path in ORDER_PATHS.items():
        api = FakeOrderApi(sandbox=sandbox, storefront=name)
        blueprint.add_url_rule(f"/{name}{path}", f"{name}-order", api.get_order)
    return blueprint


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeOrderApi:
    """One storefront's API at work, strict about who asks."""

    sandbox: Sandbox
    storefront: str

    def get_order(self, store_id: str, order_id: str) -> Response:
        outcome: RequestOutcome
        reason: str | None
        try:
            self._check_headers()
            order = self.sandbox.store_order(self.storefront, store_id, order_id)
        except StorefrontApiError as refusal:
            response, outcome, reason = (
                error_response(refusal.status, refusal.description),
                "refused",
                refusal.description,
            )
        except LookupError:
            response, outcome, reason = error_response(404, None), "refused", "no such order was put here"
        else:
            response, outcome, reason = json_response(200, order), "served", None
        if fault := self.sandbox.consume_fault(self.storefront, FAULT_KINDS, request.path):
            outcome, reason = OUTCOME_BY_FAULT.get(fault.kind, outcome), reason or str(fault.kind)
            response = apply_fault(response, fault, error=fault_response(fault), stopping=self.sandbox.stopping)
        record_api_request(self.sandbox, self.storefront, outcome, reason)
        return response

    def _check_headers(self) -> None:
        """Raises `RefusedError` as Tiendanube refuses: github.com/TiendaNube/api-docs, README.md, read 2026-11-21."""
        if not request.headers.get("User-Agent", "").strip():
            raise StorefrontApiError(400, "Missing User-Agent header")
        scheme, _, token = request.headers.get("Authentication", "").partition(" ")
        token = token.strip()
        if (
            scheme.lower() != "bearer"
            or not token
            or self.sandbox.consume_fault(self.storefront, {FaultKind.REJECT_KEY}, token)
        ):
            raise StorefrontApiError(401, "Invalid access token")


def record_api_request(sandbox: Sandbox, storefront: str, outcome: RequestOutcome, reason: str | None) -> None:
    """Keep the request that is being answered, without its secrets."""
    sandbox.record_request(
        SeenRequest(
            destination=storefront,
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


def error_response(status: int, description: str | None) -> Response:
    """https://github.com/TiendaNube/api-docs, resources/abandoned_checkout.md, read 2026-11-21."""
    message = client.responses.get(status, "Error")
    return json_response(status, {"code": status, "message": message, "description": description})


def fault_response(fault: Fault) -> Response:
    response = error_response(fault.status, fault.code)
    if fault.retry_after_s is not None:
        response.headers["Retry-After"] = str(fault.retry_after_s)
    return response
