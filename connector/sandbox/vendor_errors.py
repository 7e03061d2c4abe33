"""How each destination says no, and what it checks that neither its contract nor its facts say.

A destination without an entry is played with the plain manners.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class RefusalReason(StrEnum):
    """Why a request is refused."""

    API_KEY = "api_key"
    BEARER = "bearer"
    NOT_JSON = "not_json"
    BODY = "body"  # JSON that breaks the contract, or a rule beyond it
    KEY_MISSING = "key_missing"
    KEY_CONFLICT = "key_conflict"
    UNKNOWN_PATH = "unknown_path"


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorProfile:
    #: (status, code, message, what is wrong in detail) -> the body of an error.
    error_body: Callable[[int, str, str, Sequence[str]], dict[str, Any]]
    statuses: Mapping[RefusalReason, int] = field(default_factory=dict)  # where it differs from `STATUSES`
    codes: Mapping[RefusalReason | int, str] = field(default_factory=dict)  # the vendor's word, by cause and by status
    #: What is wrong with a body that keeps the contract, as the contract would say it: JSON path, blank, rule.
    body_errors: Callable[[Mapping[str, Any]], list[str]] = lambda body: []
    #: What is wrong with the address that the body was posted to: its query.
    query_errors: Callable[[Mapping[str, str]], list[str]] = lambda query: []
    #: (reply in the example's shape, order's body, replayed) -> the reply with what the vendor would say of the order.
    success_body: Callable[[dict[str, Any], Mapping[str, Any], bool], dict[str, Any]] = (
        lambda success_body, body, replayed: success_body
    )

    def status_of(self, reason: RefusalReason) -> int:
        return self.statuses.get(reason, DEFAULT_STATUSES[reason])

    def code_of(self, reason_or_status: RefusalReason | int) -> str:
        return self.codes.get(reason_or_status, "unexpected" if isinstance(reason_or_status, int) else reason_or_status)


DEFAULT_STATUSES = {
    RefusalReason.API_KEY: 401,
    RefusalReason.BEARER: 401,
    RefusalReason.NOT_JSON: 400,
    RefusalReason.BODY: 400,
    RefusalReason.KEY_MISSING: 400,
    RefusalReason.KEY_CONFLICT: 409,
    RefusalReason.UNKNOWN_PATH: 404,
}


def _default_error_body(status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
    return {"error": message, "code": code, "details": list(details)}


def _rayo_error_body(status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
    """https://docs.techrayo.com/operation/operation-createorder, read 2026-11-21."""
    return {"error": "; ".join(details) or message, "code": code, "path": "$"}


#: Rayo answers as Hasura does: a bad token is a 400 (github.com/hasura/graphql-engine/issues/8659, read 2026-11-21).
RAYO_PROFILE = VendorProfile(
    error_body=_rayo_error_body,
    statuses={RefusalReason.BEARER: 400},
    codes={
        RefusalReason.API_KEY: "access-denied",
        RefusalReason.BEARER: "invalid-jwt",
        RefusalReason.NOT_JSON: "invalid-json",
        RefusalReason.BODY: "validation-failed",
        RefusalReason.UNKNOWN_PATH: "not-found",
        400: "constraint-violation",
        401: "access-denied",
        403: "permission-error",
        404: "not-found",
        409: "conflict",
        # Unverified: no page shows a 429; Cloudflare's would be HTML.
        429: "rate-limit-exceeded",
    },
)


def _lapyme_error_body(status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
    """`ApiErrorEnvelope` of LaPyme's OpenAPI; its examples say `invalid_request_error` for nearly everything."""
    types = {
        401: "authentication_error",
        403: "authorization_error",
        409: "idempotency_error",
        429: "rate_limit_error",
    }
    error = {
        "type": "api_error" if status >= 500 else types.get(status, "invalid_request_error"),
        "code": code,
        "message": message,
        "retryable": status == 429,
        "details": [_lapyme_detail(detail) for detail in details],
    }
    return {"request_id": _lapyme_request_id(), "error": error}


def _lapyme_detail(detail: str) -> dict[str, str]:
    path, _, message = detail.partition(" ")
    return {"field": path.removeprefix("$").removeprefix("."), "code": "invalid", "message": message}


def _lapyme_request_id() -> str:
    return f"req_{uuid.uuid4().hex}"


def _lapyme_body_errors(body: Mapping[str, Any]) -> list[str]:
    """LaPyme checks the totals against the lines, and a difference refuses the order.

    github.com/LaPyme/lapyme-ts docs/models/api-order-create-request.md, read 2026-11-21. That prices hold the tax is
    what its sales say (https://docs.lapyme.com.ar/api-reference/api/crear-venta). Discounts are not reckoned.
    """
    totals = body["totals"]
    lines_total = sum(line["ordered_quantity"] * line["unit_price"] for line in body["lines"])
    errors = []
    if lines_total != totals["total"]:
        errors.append(f"$.totals.total is {totals['total']}, and the lines add up to {lines_total}")
    if totals["subtotal"] + totals["tax_amount"] != totals["total"]:
        errors.append("$.totals.tax_amount and subtotal do not add up to total")
    return errors


def _lapyme_success_body(response: dict[str, Any], body: Mapping[str, Any], is_replay: bool) -> dict[str, Any]:
    order = response["data"]["order"] | dict(body["totals"]) | {"customer_id": body["customer_id"]}
    data = response["data"] | {"order": order, "idempotent_replay": is_replay}
    return response | {"request_id": _lapyme_request_id(), "data": data, "warnings": []}


LAPYME_PROFILE = VendorProfile(
    error_body=_lapyme_error_body,
    codes={
        RefusalReason.API_KEY: "AUTHENTICATION_REQUIRED",
        RefusalReason.BEARER: "AUTHENTICATION_REQUIRED",
        RefusalReason.NOT_JSON: "INVALID_REQUEST",
        RefusalReason.BODY: "VALIDATION_ERROR",
        RefusalReason.KEY_MISSING: "INVALID_REQUEST",
        RefusalReason.KEY_CONFLICT: "IDEMPOTENCY_CONFLICT",
        RefusalReason.UNKNOWN_PATH: "NOT_FOUND",
        400: "INVALID_REQUEST",
        401: "AUTHENTICATION_REQUIRED",
        403: "FORBIDDEN",
        404: "NOT_FOUND",
        409: "CONFLICT",
        412: "PRECONDITION_FAILED",
        422: "VALIDATION_ERROR",
        429: "RATE_LIMITED",
        500: "INTERNAL_ERROR",
    },
    body_errors=_lapyme_body_errors,
    success_body=_lapyme_success_body,
)


def _centelar_error_body(status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
    # Unverified: no page shows an error; every reply that one shows has `success`.
    return {"success": False, "error": "; ".join(details) or message}


def _centelar_query_errors(query: Mapping[str, str]) -> list[str]:
    """https://developer.centelar.com/v1_1/order/create, read 2026-11-21: required, in the URL, an integer."""
    return [] if re.fullmatch("[0-9]+", query.get("connection_id", "")) else ["connection_id must be an integer"]


#: Unverified: that Centelar says no in a reply of 200. It is what its `success` would be for.
CENTELAR_PROFILE = VendorProfile(
    error_body=_centelar_error_body, statuses={RefusalReason.BODY: 200}, query_errors=_centelar_query_errors
)

DEFAULT_PROFILE = VendorProfile(error_body=_default_error_body)
VENDOR_PROFILES = {"rayo": RAYO_PROFILE, "lapyme": LAPYME_PROFILE, "centelar": CENTELAR_PROFILE}
