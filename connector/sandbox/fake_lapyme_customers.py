"""A fake of LaPyme's customer API: the search, and the call that creates a customer.

Sources: github.com/LaPyme/lapyme-ts, docs/sdks/customers/README.md, src/models/api-customer-mutation-request.ts and
api-customer-list-response.ts, read 2026-11-22. LaPyme's OpenAPI says that a tax document which exists is a 409.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.fault_injection import ORDER_FAULTS, UNPROCESSED_FAULTS, FaultKind
from connector.sandbox.responses import apply_fault, headers_without_secrets, json_response
from connector.sandbox.state import KeyConflictError, RequestOutcome, Sandbox, SeenRequest
from connector.sandbox.vendor_errors import LapymeProfile, RefusalReason
from mappings.contracts import ContractValidator

#: The name that a fault of this API is injected under.
SERVICE_NAME = "lapyme-customers"
PATH = "/lapyme/api/v1/customers"
FAULT_KINDS = ORDER_FAULTS | {FaultKind.DROP_UNREAD}

NULLABLE_TEXT = {"type": ["string", "null"]}
NEW_CUSTOMER_VALIDATOR = ContractValidator(
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
            **dict.fromkeys(["company_name", "description", "email", "phone", "tax_id"], NULLABLE_TEXT),
            **dict.fromkeys(["country", "province", "city", "address", "apartment", "postal_code"], NULLABLE_TEXT),
        },
    }
)
PROFILE = LapymeProfile()
SEARCH_PARAMS = {"cursor", "limit", "query", "is_active", "status"}


class CustomerApiError(Exception):
    """LaPyme refuses the request."""

    def __init__(self, status: int, reason: RefusalReason | int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


def create_customers_blueprint(sandbox: Sandbox) -> Blueprint:
    blueprint = Blueprint("customers", __name__)
    fake = FakeCustomerApi(sandbox=sandbox)
    blueprint.add_url_rule(PATH, "lapyme-customers", fake.handle, methods=["GET", "POST"])
    return blueprint


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCustomerApi:
    sandbox: Sandbox

    def handle(self) -> Response:
        text = request.get_data(as_text=True)
        key = request.headers.get("Idempotency-Key", "")
        fault = self.sandbox.consume_fault(
            SERVICE_NAME, FAULT_KINDS, f"{request.method} {request.query_string!r} {text} {key}"
        )
        outcome: RequestOutcome = "refused"
        reason: str | None = str(fault.kind) if fault else None
        if fault and fault.kind in UNPROCESSED_FAULTS | {FaultKind.DROP_UNREAD}:
            outcome, response = "dropped", Response()
        else:
            try:
                self._check_bearer()
                body = self._search() if request.method == "GET" else self._create(text, key)
                outcome, response = "served", json_response(200, body)
            except CustomerApiError as refusal:
                reason = refusal.message
                response = error_response(refusal.status, refusal.reason, refusal.message)
        self.sandbox.record_request(
            SeenRequest(
                destination=SERVICE_NAME,
                method=request.method,
                path=request.path,
                query=request.args.to_dict(),
                headers=headers_without_secrets(keep="Idempotency-Key"),
                body=text or None,
                key=key or None,
                received_at=datetime.now(UTC),
                outcome=outcome,
                why=reason,
            )
        )
        if fault is None:
            return response
        code = fault.code or PROFILE.code_of(fault.status)
        error = json_response(fault.status, PROFILE.error_body(fault.status, code, "played", ()))
        return apply_fault(response, fault, error=error, stopping=self.sandbox.stopping)

    def _check_bearer(self) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key or self.sandbox.consume_fault("lapyme", {FaultKind.REJECT_KEY}, key):
            raise CustomerApiError(401, 401, "a Bearer with a known API key is needed")

    def _search(self) -> Mapping[str, Any]:
        if unknown := request.args.keys() - SEARCH_PARAMS:
            raise CustomerApiError(400, 400, f"unknown parameter {sorted(unknown)[0]}")
        limit, cursor = request.args.get("limit", "50"), request.args.get("cursor", "0")
        if not (limit.isdigit() and 1 <= int(limit) <= 100 and cursor.isdigit()):
            raise CustomerApiError(400, 400, "limit must be from 1 to 100")
        search_text = request.args.get("query", "").casefold()
        matches = [
            customer
            for customer in self.sandbox.customers()
            if any(search_text in str(customer.get(field) or "").casefold() for field in ("name", "email", "tax_id"))
        ]
        start, end = int(cursor), int(cursor) + int(limit)
        has_more = end < len(matches)
        return {
            "request_id": f"req_{uuid.uuid4().hex}",
            "object": "list",
            "url": "/api/v1/customers",
            "data": matches[start:end],
            "has_more": has_more,
            "next_cursor": str(end) if has_more else None,
        }

    def _create(self, text: str, key: str) -> Mapping[str, Any]:
        if not 1 <= len(key) <= 255:
            raise CustomerApiError(400, 400, "Idempotency-Key must have 1 to 255 characters")
        try:
            values = json.loads(text)
        except ValueError:
            raise CustomerApiError(400, 400, "the body is not JSON") from None
        if request.mimetype != "application/json" or (errors := list(NEW_CUSTOMER_VALIDATOR.iter_errors(values))):
            raise CustomerApiError(
                400, RefusalReason.BODY, "; ".join(errors) if request.is_json else "not application/json"
            )
        try:
            customer, is_replay = self.sandbox.create_customer(values, key=key, content=text)
        except KeyConflictError:
            raise CustomerApiError(
                409, RefusalReason.KEY_CONFLICT, "this key was already used with a different body"
            ) from None
        except ValueError as error:
            raise CustomerApiError(409, 409, str(error)) from None
        return {
            "request_id": f"req_{uuid.uuid4().hex}",
            "data": {"customer": customer, "idempotent_replay": is_replay},
            "warnings": [],
        }


def error_response(status: int, reason: RefusalReason | int, message: str) -> Response:
    return json_response(status, PROFILE.error_body(status, PROFILE.code_of(reason), message, ()))
