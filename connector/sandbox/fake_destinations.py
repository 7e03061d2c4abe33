"""Fakes of the destinations, built from what each `Destination` declares: path, token exchange, key and contract.

`vendor_errors` adds what a vendor does beyond that.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import client
from typing import Any, NoReturn

from flask import Blueprint, Response, request

from connector.sandbox.fault_injection import ORDER_FAULTS, PROCESSED_FAULTS, Fault, FaultKind
from connector.sandbox.responses import apply_fault, headers_without_secrets, json_response
from connector.sandbox.state import AcceptedOrder, KeyConflictError, RequestOutcome, Sandbox, SeenRequest
from connector.sandbox.vendor_errors import DEFAULT_PROFILE, VENDOR_PROFILES, RefusalReason, VendorProfile
from mappings.destination import Destination


class DestinationApiError(Exception):
    """The destination refuses the request."""

    def __init__(self, reason: RefusalReason, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.details = details


def create_destinations_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the endpoints of every destination, below its name."""
    blueprint = Blueprint("destinations", __name__)
    for name, destination in sandbox.destinations.items():
        fake = FakeDestination(sandbox=sandbox, destination=destination)
        blueprint.add_url_rule(f"/{name}{destination.path}", f"{name}-order", fake.receive_order, methods=["POST"])
        if destination.token_exchange:
            blueprint.add_url_rule(
                f"/{name}{destination.token_exchange.path}", f"{name}-token", fake.issue_token, methods=["POST"]
            )
        blueprint.add_url_rule(f"/{name}/<path:path>", f"{name}-unknown", fake.handle_other_request, methods=_METHODS)
    return blueprint


_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDestination:
    """One destination."""

    sandbox: Sandbox
    destination: Destination[Any]

    @property
    def profile(self) -> VendorProfile:
        return VENDOR_PROFILES.get(self.destination.name, DEFAULT_PROFILE)

    def receive_order(self) -> Response:
        if fault := self.sandbox.consume_fault(self.destination.name, {FaultKind.DROP_UNREAD}):
            self._record("dropped", body=None, reason=fault.kind)
            return self._apply_fault(fault, Response())
        content = request.get_data()
        text = content.decode("utf-8", "replace")
        fault = self.sandbox.consume_fault(self.destination.name, ORDER_FAULTS, f"{text}\n{self._key()}")
        if fault and fault.kind is FaultKind.DROP_AFTER_READING:
            self._record("dropped", body=text, reason=fault.kind)
            return self._apply_fault(fault, Response())
        if fault and fault.kind is FaultKind.STATUS:
            self._record("refused", body=text, reason=f"{fault.kind} {fault.status}")
            return self._apply_fault(fault, Response())
        try:
            order, is_replay = self._accept_order(content)
        except DestinationApiError as refusal:
            if fault and fault.kind in PROCESSED_FAULTS:
                self.sandbox.restore_fault(fault)
                fault = None
            response = self._refuse(refusal, body=text)
        else:
            self._record(
                "replayed" if is_replay else "accepted", body=text, reason=fault.kind if fault else None, order=order
            )
            response = json_response(200, self._success_body(order, is_replay=is_replay))
        return self._apply_fault(fault, response) if fault else response

    def issue_token(self) -> Response:
        token = self.destination.token_exchange
        assert token is not None  # noqa: S101  # else there is no route to this view
        if fault := self.sandbox.consume_fault(self.destination.name, {FaultKind.TOKEN_STATUS}):
            self._record("refused", body=None, reason=f"{fault.kind} {fault.status}")
            return self._apply_fault(fault, Response())
        api_key = request.headers.get(token.key_header, "").strip()
        if not api_key or self._rejects(api_key):
            return self._refuse(DestinationApiError(RefusalReason.API_KEY, "unknown API key"), body=None)
        self._record("token", body=None)
        return json_response(200, _with_value({}, token.token_path, self.sandbox.issue_token(self.destination.name)))

    def handle_other_request(self, path: str) -> Response:
        """Respond to the GET that only tests whether the account can be reached; refuse everything else."""
        try:
            if request.method != "GET" or f"/{path}" != self.destination.probe_path:
                raise DestinationApiError(RefusalReason.UNKNOWN_PATH, "no such call")
            self._check_bearer()
        except DestinationApiError as refusal:
            return self._refuse(refusal, body=request.get_data().decode("utf-8", "replace"))
        return json_response(200, {})

    def _accept_order(self, content: bytes) -> tuple[AcceptedOrder, bool]:
        """Return the order that `content` creates, and whether an earlier request created it.

        Raises `DestinationApiError`.
        """
        destination = self.destination
        self._check_bearer()
        key = self._check_key()
        body = _read_json(content)
        errors = [*self.profile.query_errors(request.args), *destination.contract.validate_request(body)]
        if errors or (errors := self.profile.body_errors(body)):
            raise DestinationApiError(RefusalReason.BODY, "the body breaks the contract", errors)

        def build(number: int) -> AcceptedOrder:
            return AcceptedOrder(
                destination=destination.name,
                remote_id=self._new_remote_id(number),
                key=key,
                body=body,
                headers=headers_without_secrets(keep=self.destination.idempotency_header),
                received_at=datetime.now(UTC),
            )

        try:
            return self.sandbox.accept_order(
                destination.name,
                # A key belongs to the organization whose credentials are sent: another one may use the same key.
                owner=request.headers.get("Authorization", ""),
                content=content,
                key=key,
                build=build,
            )
        except KeyConflictError as error:
            raise DestinationApiError(
                RefusalReason.KEY_CONFLICT, "this key was already used with a different body"
            ) from error

    def _check_bearer(self) -> None:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        bearer = bearer.strip() if scheme.lower() == "bearer" else ""
        if self.destination.token_exchange:
            if not self.sandbox.is_valid_token(self.destination.name, bearer):
                raise DestinationApiError(RefusalReason.BEARER, "Could not verify JWT")
        elif self._takes_bearer_token() and (not bearer or self._rejects(bearer)):
            raise DestinationApiError(RefusalReason.BEARER, "a Bearer with a known API key is needed")

    def _takes_bearer_token(self) -> bool:
        has_own_token = type(self.destination).bearer_token is not Destination.bearer_token
        return has_own_token or "api_key" in self.destination.settings_schema().fields

    def _check_key(self) -> str | None:
        header = self.destination.idempotency_header
        if header is None:
            return None
        key = self._key()
        # 1 to 255 characters: https://docs.lapyme.com.ar/api-reference/api/crear-lista-de-precios, read 2026-11-21.
        if not 1 <= len(key) <= 255:
            raise DestinationApiError(RefusalReason.KEY_MISSING, f"{header} must have 1 to 255 characters")
        return key

    def _key(self) -> str:
        header = self.destination.idempotency_header
        return request.headers.get(header, "") if header else ""

    def _rejects(self, api_key: str) -> bool:
        return self.sandbox.consume_fault(self.destination.name, {FaultKind.REJECT_KEY}, api_key) is not None

    def _new_remote_id(self, number: int) -> int | str:
        """Return an id of the same type as in the vendor's example."""
        example: Any = self.destination.contract.response_example
        for step in self.destination.order_id_path.split("."):
            example = example[step]
        return number if isinstance(example, int) else str(uuid.uuid4())

    def _success_body(self, order: AcceptedOrder, *, is_replay: bool) -> dict[str, Any]:
        example = self.destination.contract.response_example
        body = _with_value(example, self.destination.order_id_path, order.remote_id)
        return self.profile.success_body(body, order.body, is_replay)

    def _refuse(self, refusal: DestinationApiError, *, body: str | None) -> Response:
        status = self.profile.status_of(refusal.reason)
        self._record("refused", body=body, reason="; ".join([refusal.message, *refusal.details]))
        code = self.profile.code_of(refusal.reason)
        return json_response(status, self.profile.error_body(status, code, refusal.message, refusal.details))

    def _fault_response(self, fault: Fault) -> Response:
        code = fault.code or self.profile.code_of(fault.status)
        message = "internal error" if fault.status >= 500 else client.responses.get(fault.status, "error")
        response = json_response(fault.status, self.profile.error_body(fault.status, code, message, ()))
        if fault.retry_after_s is not None:
            response.headers["Retry-After"] = str(fault.retry_after_s)
        return response

    def _apply_fault(self, fault: Fault, response: Response) -> Response:
        return apply_fault(response, fault, error=self._fault_response(fault), stopping=self.sandbox.stopping)

    def _record(
        self,
        outcome: RequestOutcome,
        *,
        body: str | None,
        reason: str | None = None,
        order: AcceptedOrder | None = None,
    ) -> None:
        self.sandbox.record_request(
            SeenRequest(
                destination=self.destination.name,
                method=request.method,
                path=request.path,
                query=request.args.to_dict(),
                headers=headers_without_secrets(keep=self.destination.idempotency_header),
                body=body,
                key=self._key() or None,
                received_at=datetime.now(UTC),
                outcome=outcome,
                why=reason,
                remote_id=order.remote_id if order else None,
            )
        )


def _read_json(content: bytes) -> Any:
    if request.mimetype != "application/json":
        raise DestinationApiError(RefusalReason.NOT_JSON, "Content-Type must be application/json")
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DestinationApiError(RefusalReason.NOT_JSON, "the body is not JSON") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _with_value(body: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return `body` with `value` at the dotted `path`."""
    first, _, rest = path.partition(".")
    return {**body, first: _with_value(body.get(first, {}), rest, value) if rest else value}
