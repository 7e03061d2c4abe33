"""How each destination rejects a request, and what it checks beyond its contract.

A destination without an entry in `VENDOR_PROFILES` behaves as `VendorProfile` does.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar


class RefusalReason(StrEnum):
    """Why a request is refused."""

    API_KEY = "api_key"
    BEARER = "bearer"
    NOT_JSON = "not_json"
    BODY = "body"  # JSON that breaks the contract, or a rule beyond it
    KEY_MISSING = "key_missing"
    KEY_CONFLICT = "key_conflict"
    UNKNOWN_PATH = "unknown_path"


DEFAULT_STATUSES = {
    RefusalReason.API_KEY: 401,
    RefusalReason.BEARER: 401,
    RefusalReason.NOT_JSON: 400,
    RefusalReason.BODY: 400,
    RefusalReason.KEY_MISSING: 400,
    RefusalReason.KEY_CONFLICT: 409,
    RefusalReason.UNKNOWN_PATH: 404,
}


class VendorProfile:
    """What a fake destination does as its vendor would."""

    #: The statuses that differ from `DEFAULT_STATUSES`.
    statuses: ClassVar[Mapping[RefusalReason, int]] = {}
    #: The vendor's error codes, by reason and by status.
    codes: ClassVar[Mapping[RefusalReason | int, str]] = {}

    def status_of(self, reason: RefusalReason) -> int:
        return self.statuses.get(reason, DEFAULT_STATUSES[reason])

    def code_of(self, reason_or_status: RefusalReason | int) -> str:
        return self.codes.get(reason_or_status, "unexpected" if isinstance(reason_or_status, int) else reason_or_status)

    def error_body(self, status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
        """Return the body of an error. `details` are the rules that the request breaks."""
        return {"error": message, "code": code, "details": list(details)}

    def body_errors(self, body: Mapping[str, Any]) -> list[str]:
        """Return the rules that a body breaks although it keeps the contract, as JSON path, blank, rule."""
        return []

    def query_errors(self, query: Mapping[str, str]) -> list[str]:
        """Return the rules that the query of the URL breaks."""
        return []

    def success_body(self, response: dict[str, Any], body: Mapping[str, Any], is_replay: bool) -> dict[str, Any]:
        """Return the response to an order, from the contract's example and the order's body."""
        return response


class RayoProfile(VendorProfile):
    """Rayo responds as Hasura does: an invalid token is a 400.

    github.com/hasura/graphql-engine/issues/8659, read 2026-11-21.
    """

    statuses: ClassVar[Mapping[RefusalReason, int]] = {RefusalReason.BEARER: 400}
    codes: ClassVar[Mapping[RefusalReason | int, str]] = {
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
    }

    def error_body(self, status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
        """https://docs.techrayo.com/operation/operation-createorder, read 2026-11-21."""
        return {"error": "; ".join(details) or message, "code": code, "path": "$"}


class LapymeProfile(VendorProfile):
    codes: ClassVar[Mapping[RefusalReason | int, str]] = {
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
    }

    def error_body(self, status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
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

    def body_errors(self, body: Mapping[str, Any]) -> list[str]:
        """LaPyme compares the totals with the lines, and rejects an order where they differ.

        github.com/LaPyme/lapyme-ts docs/models/api-order-create-request.md, read 2026-11-21. Prices include tax, as its
        sales say (https://docs.lapyme.com.ar/api-reference/api/crear-venta). Discounts are not considered.
        """
        totals = body["totals"]
        lines_total = sum(line["ordered_quantity"] * line["unit_price"] for line in body["lines"])
        errors = []
        if lines_total != totals["total"]:
            errors.append(f"$.totals.total is {totals['total']}, and the lines add up to {lines_total}")
        if totals["subtotal"] + totals["tax_amount"] != totals["total"]:
            errors.append("$.totals.tax_amount and subtotal do not add up to total")
        return errors

    def success_body(self, response: dict[str, Any], body: Mapping[str, Any], is_replay: bool) -> dict[str, Any]:
        order = response["data"]["order"] | dict(body["totals"]) | {"customer_id": body["customer_id"]}
        data = response["data"] | {"order": order, "idempotent_replay": is_replay}
        return response | {"request_id": _lapyme_request_id(), "data": data, "warnings": []}


def _lapyme_detail(detail: str) -> dict[str, str]:
    path, _, message = detail.partition(" ")
    return {"field": path.removeprefix("$").removeprefix("."), "code": "invalid", "message": message}


def _lapyme_request_id() -> str:
    return f"req_{uuid.uuid4().hex}"


class CentelarProfile(VendorProfile):
    #: Unverified: that Centelar rejects an order in a 200. Its `success` suggests it.
    statuses: ClassVar[Mapping[RefusalReason, int]] = {RefusalReason.BODY: 200}

    def error_body(self, status: int, code: str, message: str, details: Sequence[str]) -> dict[str, Any]:
        # Unverified: no page shows an error; every response that a page shows has `success`.
        return {"success": False, "error": "; ".join(details) or message}

    def query_errors(self, query: Mapping[str, str]) -> list[str]:
        """https://developer.centelar.com/v1_1/order/create, read 2026-11-21: required, in the URL, an integer."""
        return [] if re.fullmatch("[0-9]+", query.get("connection_id", "")) else ["connection_id must be an integer"]


DEFAULT_PROFILE = VendorProfile()
VENDOR_PROFILES = {"rayo": RayoProfile(), "lapyme": LapymeProfile(), "centelar": CentelarProfile()}
