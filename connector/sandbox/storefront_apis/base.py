"""What the fakes of the storefronts' APIs share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import Response, request

from connector.sandbox.fault_injection import ORDER_FAULTS, Fault, FaultKind
from connector.sandbox.responses import apply_fault, headers_without_secrets, json_response
from connector.sandbox.state import RequestOutcome, Sandbox, SeenRequest

FAULT_KINDS = ORDER_FAULTS | {FaultKind.DROP_UNREAD}
#: The outcome of a request whose fault withholds the order. The other faults spoil only the response.
OUTCOME_BY_FAULT: dict[FaultKind, RequestOutcome] = {
    FaultKind.DROP_UNREAD: "dropped",
    FaultKind.DROP_AFTER_READING: "dropped",
    FaultKind.STATUS: "refused",
}


class StorefrontApiError(Exception):
    """The API refuses the request.

    Args:
        description: in the response, where the vendor's errors have one.
        body: the whole response, if it is not the vendor's usual one for `status`.
    """

    def __init__(
        self, status: int, reason: str, *, description: str | None = None, body: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.description = description
        self.body = body


class OrderNotFoundError(StorefrontApiError):
    def __init__(self) -> None:
        super().__init__(404, "no such order was put here")


def oauth_error(code: str, *, status: int = 400) -> StorefrontApiError:
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.2."""
    return StorefrontApiError(status, code, body={"error": code})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    path: str  # below the store's `api_url`
    #: Takes the path's parameters, and returns the response or its JSON. Raises `StorefrontApiError`.
    handler: Callable[..., Any]
    method: str = "GET"
    needs_credentials: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeStorefrontApi(ABC):
    """One storefront's API."""

    sandbox: Sandbox
    storefront: ClassVar[str]

    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint]:
        """Return what the API offers."""

    @abstractmethod
    def read_credentials(self) -> str | None:
        """Return the request's credentials; None if there are none. Raises `StorefrontApiError`."""

    @abstractmethod
    def error_body(self, status: int, description: str | None) -> dict[str, Any]:
        """Return the body of an error."""

    def format_retry_after(self, seconds: int) -> str:
        return str(seconds)

    def rate_headers(self) -> dict[str, str]:
        """Return the headers of a response that tell how many more requests the API takes."""
        return {}

    def respond(self, endpoint: Endpoint, **params: str) -> Response:
        outcome: RequestOutcome = "served"
        reason: str | None = None
        try:
            self._check_rate()
            if endpoint.needs_credentials:
                self._check_credentials()
            result = endpoint.handler(**params)
            response = result if isinstance(result, Response) else json_response(200, result)
        except StorefrontApiError as error:
            outcome, reason = "refused", str(error)
            response = json_response(error.status, error.body or self.error_body(error.status, error.description))
        response.headers.update(self.rate_headers())
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

    def _check_rate(self) -> None:
        bucket = self.sandbox.shop_conditions.buckets.get(self.storefront)
        if bucket is not None and not bucket.add():
            raise StorefrontApiError(429, "too many requests")

    def _check_credentials(self) -> None:
        """Accept any credentials but a token that was issued here and is not valid (any more)."""
        credentials = self.read_credentials()
        is_rejected = not credentials or self.sandbox.consume_fault(
            self.storefront, {FaultKind.REJECT_KEY}, credentials
        )
        if not credentials or is_rejected or not self.sandbox.store_tokens.may_be_valid(self.storefront, credentials):
            raise StorefrontApiError(401, "Invalid access token", description="Invalid access token")

    def check_app(self, data: Mapping[str, Any], *, grant_type: str, rejection: int) -> None:
        """Check what every request for a token has. Raises `StorefrontApiError`.

        Args:
            rejection: the status for wrong credentials.
        """
        if fault := self.sandbox.consume_fault(self.storefront, {FaultKind.TOKEN_STATUS}):
            raise StorefrontApiError(fault.status, str(fault.kind), body={"error": fault.code or "server_error"})
        if data.get("grant_type") != grant_type:
            raise oauth_error("unsupported_grant_type")
        secret = data.get("client_secret")
        if not data.get("client_id") or not secret:
            raise oauth_error("invalid_request")
        if self.sandbox.consume_fault(self.storefront, {FaultKind.REJECT_KEY}, secret):
            raise oauth_error("invalid_client", status=rejection)
        self.sandbox.webhooks.app_secrets[self.storefront] = secret  # it signs the app's webhooks

    def _fault_response(self, fault: Fault) -> Response:
        response = json_response(fault.status, self.error_body(fault.status, fault.code))
        if fault.retry_after_s is not None:
            response.headers["Retry-After"] = self.format_retry_after(fault.retry_after_s)
        return response


class FakeShopApi(FakeStorefrontApi):
    """An API at the shop's own address: the sandbox is one shop, and ignores an order's `store_id`."""

    def find_order(self, order_id: str) -> Mapping[str, Any]:
        for order in self.orders():
            if str(order["id"]) == order_id:
                return order
        raise OrderNotFoundError
