"""Plays LaPyme's customers: the search, and the call that makes one.

As github.com/LaPyme/lapyme-ts has them, docs/sdks/customers/README.md, src/models/api-customer-mutation-request.ts and
api-customer-list-response.ts, read 2026-11-22. That a document that exists is a 409 is in LaPyme's OpenAPI.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.fault_injection import ON_ORDERS, UNPROCESSED, Kind
from connector.sandbox.responses import json_reply, open_headers, spoil
from connector.sandbox.state import KeyConflictError, RequestOutcome, Sandbox, SeenRequest
from connector.sandbox.vendor_errors import LAPYME, Cause
from mappings.contracts import Rules

#: The name by which these calls are made to misbehave.
SERVICE = "lapyme-customers"
PATH = "/lapyme/api/v1/customers"
FAULTS = ON_ORDERS | {Kind.DROP_UNREAD}

TEXT = {"type": ["string", "null"]}
NEW_CUSTOMER = Rules(
    {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "tax_id_type": {"enum": ["CUIL/CUIT", "DNI", None]},
            "tax_category": {
                "enum": [
                    "registered_vat_taxpayer",
                    "final_consumer",
                    "monotributo_taxpayer",
                    "vat_exempt",
                    "vat_not_applicable",
                    None,
                ]
            },
            "is_active": {"type": "boolean"},
            **dict.fromkeys(["company_name", "description", "email", "phone", "tax_id"], TEXT),
            **dict.fromkeys(["country", "province", "city", "address", "apartment", "postal_code"], TEXT),
        },
    }
)
SEARCH = {"cursor", "limit", "query", "is_active", "status"}


class RefusedError(Exception):
    """LaPyme will not do this."""

    def __init__(self, status: int, cause: Cause | int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.cause = cause
        self.message = message


def play_customers(sandbox: Sandbox) -> Blueprint:
    calls = Blueprint("customers", __name__)
    player = CustomersPlayer(sandbox=sandbox)
    calls.add_url_rule(PATH, "lapyme-customers", player.answer, methods=["GET", "POST"])
    return calls


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersPlayer:
    sandbox: Sandbox

    def answer(self) -> Response:
        text = request.get_data(as_text=True)
        key = request.headers.get("Idempotency-Key", "")
        fault = self.sandbox.take_fault(SERVICE, FAULTS, f"{request.method} {request.query_string!r} {text} {key}")
        outcome: RequestOutcome = "refused"
        why: str | None = str(fault.kind) if fault else None
        if fault and fault.kind in UNPROCESSED | {Kind.DROP_UNREAD}:
            outcome, reply = "dropped", Response()
        else:
            try:
                self._check_bearer()
                body = self._search() if request.method == "GET" else self._make(text, key)
                outcome, reply = "served", json_reply(200, body)
            except RefusedError as refusal:
                why = refusal.message
                reply = error_reply(refusal.status, refusal.cause, refusal.message)
        self.sandbox.record_request(
            SeenRequest(
                destination=SERVICE,
                method=request.method,
                path=request.path,
                query=request.args.to_dict(),
                headers=open_headers(keep="Idempotency-Key"),
                body=text or None,
                key=key or None,
                received_at=datetime.now(UTC),
                outcome=outcome,
                why=why,
            )
        )
        if fault is None:
            return reply
        code = fault.code or LAPYME.code_of(fault.status)
        error = json_reply(fault.status, LAPYME.error(fault.status, code, "played", ()))
        return spoil(reply, fault, error=error, stopping=self.sandbox.stopping)

    def _check_bearer(self) -> None:
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not key or self.sandbox.take_fault("lapyme", {Kind.REJECT_KEY}, key):
            raise RefusedError(401, 401, "a Bearer with a known API key is needed")

    def _search(self) -> Mapping[str, Any]:
        if unknown := request.args.keys() - SEARCH:
            raise RefusedError(400, 400, f"unknown parameter {sorted(unknown)[0]}")
        limit, cursor = request.args.get("limit", "50"), request.args.get("cursor", "0")
        if not (limit.isdigit() and 1 <= int(limit) <= 100 and cursor.isdigit()):
            raise RefusedError(400, 400, "limit must be from 1 to 100")
        wanted = request.args.get("query", "").casefold()
        found = [
            one
            for one in self.sandbox.customers()
            if any(wanted in str(one.get(field) or "").casefold() for field in ("name", "email", "tax_id"))
        ]
        first, after = int(cursor), int(cursor) + int(limit)
        has_more = after < len(found)
        return {
            "request_id": f"req_{uuid.uuid4().hex}",
            "object": "list",
            "url": "/api/v1/customers",
            "data": found[first:after],
            "has_more": has_more,
            "next_cursor": str(after) if has_more else None,
        }

    def _make(self, text: str, key: str) -> Mapping[str, Any]:
        if not 1 <= len(key) <= 255:
            raise RefusedError(400, 400, "Idempotency-Key must have 1 to 255 characters")
        try:
            new = json.loads(text)
        except ValueError:
            raise RefusedError(400, 400, "the body is not JSON") from None
        if request.mimetype != "application/json" or (faults := list(NEW_CUSTOMER.find_faults(new))):
            raise RefusedError(400, Cause.BODY, "; ".join(faults) if request.is_json else "not application/json")
        try:
            customer, is_replay = self.sandbox.make_customer(new, key=key, content=text)
        except KeyConflictError:
            raise RefusedError(409, Cause.KEY_CONFLICT, "this key was already used with a different body") from None
        except ValueError as error:
            raise RefusedError(409, 409, str(error)) from None
        return {
            "request_id": f"req_{uuid.uuid4().hex}",
            "data": {"customer": customer, "idempotent_replay": is_replay},
            "warnings": [],
        }


def error_reply(status: int, cause: Cause | int, message: str) -> Response:
    return json_reply(status, LAPYME.error(status, LAPYME.code_of(cause), message, ()))
