"""Plays every destination from its spoke's facts: path, token, key, contract, and where a reply keeps the order's id.

What a single vendor does beyond those stands in `manners`.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from http import client
from typing import Any, NoReturn

from flask import Blueprint, Response, request

from connector.sandbox.fault_injection import ON_ORDERS, PROCESSED, Fault, Kind
from connector.sandbox.responses import json_reply, open_headers, spoil
from connector.sandbox.state import AcceptedOrder, KeyConflictError, RequestOutcome, Sandbox, SeenRequest
from connector.sandbox.vendor_errors import MANNERS, PLAIN, Cause
from mappings.integration import Destination

#: A destination that keeps this default has no standing Bearer; what another's is worth only its account knows.
_NO_BEARER = next(field.default for field in fields(Destination) if field.name == "bearer")


class RefusedError(Exception):
    """The destination will not take this request."""

    def __init__(self, cause: Cause, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.details = details


def play_destinations(sandbox: Sandbox) -> Blueprint:
    """Return the calls of every destination, each under its own name."""
    calls = Blueprint("destinations", __name__)
    for name, destination in sandbox.destinations.items():
        player = Player(sandbox=sandbox, destination=destination)
        calls.add_url_rule(f"/{name}{destination.path}", f"{name}-order", player.receive_order, methods=["POST"])
        if destination.token:
            calls.add_url_rule(f"/{name}{destination.token.path}", f"{name}-token", player.give_token, methods=["POST"])
        calls.add_url_rule(f"/{name}/<path:path>", f"{name}-unknown", player.answer_other, methods=_METHODS)
    return calls


_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One destination at work."""

    sandbox: Sandbox
    destination: Destination

    def receive_order(self) -> Response:
        if fault := self.sandbox.take_fault(self.destination.name, {Kind.DROP_UNREAD}):
            self._record("dropped", body=None, why=fault.kind)
            return self._after(fault, Response())
        content = request.get_data()
        text = content.decode("utf-8", "replace")
        fault = self.sandbox.take_fault(self.destination.name, ON_ORDERS, f"{text}\n{self._key()}")
        if fault and fault.kind is Kind.DROP_AFTER_READING:
            self._record("dropped", body=text, why=fault.kind)
            return self._after(fault, Response())
        if fault and fault.kind is Kind.STATUS:
            self._record("refused", body=text, why=f"{fault.kind} {fault.status}")
            return self._after(fault, Response())
        try:
            order, replayed = self._take_order(content)
        except RefusedError as refusal:
            if fault and fault.kind in PROCESSED:
                self.sandbox.give_back(fault)
                fault = None
            reply = self._refuse(refusal, body=text)
        else:
            self._record(
                "replayed" if replayed else "accepted", body=text, why=fault.kind if fault else None, order=order
            )
            reply = json_reply(200, self._success(order, replayed=replayed))
        return self._after(fault, reply) if fault else reply

    def give_token(self) -> Response:
        token = self.destination.token
        assert token is not None  # noqa: S101  # no rule leads here without one
        if fault := self.sandbox.take_fault(self.destination.name, {Kind.TOKEN_STATUS}):
            self._record("refused", body=None, why=f"{fault.kind} {fault.status}")
            return self._after(fault, Response())
        api_key = request.headers.get(token.key_header, "").strip()
        if not api_key or self._rejects(api_key):
            return self._refuse(RefusedError(Cause.API_KEY, "unknown API key"), body=None)
        self._record("token", body=None)
        return json_reply(200, _with_value({}, token.token_at, self.sandbox.issue_token(self.destination.name)))

    def answer_other(self, path: str) -> Response:
        """Let the call pass that only shows that the account is reached; there is no other."""
        try:
            if request.method != "GET" or f"/{path}" != self.destination.probe_path:
                raise RefusedError(Cause.UNKNOWN_PATH, "no such call")
            self._check_bearer()
        except RefusedError as refusal:
            return self._refuse(refusal, body=request.get_data().decode("utf-8", "replace"))
        return json_reply(200, {})

    def _take_order(self, content: bytes) -> tuple[AcceptedOrder, bool]:
        """Return the order that `content` makes, and whether an earlier request had made it. Raises `RefusedError`."""
        destination = self.destination
        self._check_bearer()
        key = self._check_key()
        body = _read_json(content)
        manners = MANNERS.get(destination.name, PLAIN)
        faults = [*manners.query_faults(request.args), *destination.contract.request_faults(body)]
        if faults or (faults := manners.body_faults(body)):
            raise RefusedError(Cause.BODY, "the body breaks the contract", faults)

        def build(number: int) -> AcceptedOrder:
            return AcceptedOrder(
                destination=destination.name,
                remote_id=self._new_remote_id(number),
                key=key,
                body=body,
                headers=open_headers(keep=self.destination.idempotency_header),
                received_at=datetime.now(UTC),
            )

        try:
            return self.sandbox.accept_order(
                destination.name,
                # The same key from another of the merchant's organisations is another order.
                owner=request.headers.get("Authorization", ""),
                content=content,
                key=key,
                build=build,
            )
        except KeyConflictError as error:
            raise RefusedError(Cause.KEY_CONFLICT, "this key was already used with a different body") from error

    def _check_bearer(self) -> None:
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        bearer = bearer.strip() if kind.lower() == "bearer" else ""
        if self.destination.token:
            if not self.sandbox.is_good_token(self.destination.name, bearer):
                raise RefusedError(Cause.BEARER, "Could not verify JWT")
        elif self.destination.bearer is not _NO_BEARER and (not bearer or self._rejects(bearer)):
            raise RefusedError(Cause.BEARER, "a Bearer with a known API key is needed")

    def _check_key(self) -> str | None:
        header = self.destination.idempotency_header
        if header is None:
            return None
        key = self._key()
        # 1 to 255 characters: https://docs.lapyme.com.ar/api-reference/api/crear-lista-de-precios, read 2026-11-21.
        if not 1 <= len(key) <= 255:
            raise RefusedError(Cause.KEY_MISSING, f"{header} must have 1 to 255 characters")
        return key

    def _key(self) -> str:
        header = self.destination.idempotency_header
        return request.headers.get(header, "") if header else ""

    def _rejects(self, api_key: str) -> bool:
        return self.sandbox.take_fault(self.destination.name, {Kind.REJECT_KEY}, api_key) is not None

    def _new_remote_id(self, number: int) -> int | str:
        """Return an id of the type that the vendor's example has."""
        example: Any = self.destination.contract.response_example
        for step in self.destination.remote_id.split("."):
            example = example[step]
        return number if isinstance(example, int) else str(uuid.uuid4())

    def _success(self, order: AcceptedOrder, *, replayed: bool) -> dict[str, Any]:
        example = self.destination.contract.response_example
        reply = _with_value(example, self.destination.remote_id, order.remote_id)
        return MANNERS.get(self.destination.name, PLAIN).reply(reply, order.body, replayed)

    def _refuse(self, refusal: RefusedError, *, body: str | None) -> Response:
        manners = MANNERS.get(self.destination.name, PLAIN)
        status = manners.status_of(refusal.cause)
        self._record("refused", body=body, why="; ".join([refusal.message, *refusal.details]))
        code = manners.code_of(refusal.cause)
        return json_reply(status, manners.error(status, code, refusal.message, refusal.details))

    def _error_of(self, fault: Fault) -> Response:
        manners = MANNERS.get(self.destination.name, PLAIN)
        code = fault.code or manners.code_of(fault.status)
        message = "internal error" if fault.status >= 500 else client.responses.get(fault.status, "error")
        reply = json_reply(fault.status, manners.error(fault.status, code, message, ()))
        if fault.retry_after_s is not None:
            reply.headers["Retry-After"] = str(fault.retry_after_s)
        return reply

    def _after(self, fault: Fault, reply: Response) -> Response:
        return spoil(reply, fault, error=self._error_of(fault), stopping=self.sandbox.stopping)

    def _record(
        self,
        outcome: RequestOutcome,
        *,
        body: str | None,
        why: str | None = None,
        order: AcceptedOrder | None = None,
    ) -> None:
        self.sandbox.record_request(
            SeenRequest(
                destination=self.destination.name,
                method=request.method,
                path=request.path,
                query=request.args.to_dict(),
                headers=open_headers(keep=self.destination.idempotency_header),
                body=body,
                key=self._key() or None,
                received_at=datetime.now(UTC),
                outcome=outcome,
                why=why,
                remote_id=order.remote_id if order else None,
            )
        )


def _read_json(content: bytes) -> Any:
    if request.mimetype != "application/json":
        raise RefusedError(Cause.NOT_JSON, "Content-Type must be application/json")
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedError(Cause.NOT_JSON, "the body is not JSON") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _with_value(reply: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return `reply` with `value` at the dotted `path`."""
    first, _, rest = path.partition(".")
    return {**reply, first: _with_value(reply.get(first, {}), rest, value) if rest else value}
