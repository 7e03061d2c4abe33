"""Every error as `application/problem+json` (RFC 9457): what is wrong, and nothing of what was sent."""

import json
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from connector.core.exceptions import (
    ConflictError,
    DatabaseUnavailableError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    MigrationNeededError,
    NotFoundError,
    SignatureError,
    StoreUnavailableError,
)
from connector.observability.logs import get_logger

#: Seconds after which a storefront may try again. Those that retry by themselves wait longer anyway.
RETRY_AFTER_S = 5

HTTP_STATUSES: dict[type[Exception], int] = {
    InvalidRequestError: 400,
    SignatureError: 401,
    NotFoundError: 404,
    ConflictError: 409,
    IdempotencyKeyReusedError: 422,
    StoreUnavailableError: 502,
    DatabaseUnavailableError: 503,
    MigrationNeededError: 503,
}


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def register_error_handlers(app: Flask) -> None:
    def handle_known_error(error: Exception) -> Response:
        status = next(status for error_type, status in HTTP_STATUSES.items() if isinstance(error, error_type))
        return problem_response(status, str(error), {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None)

    for error_type in HTTP_STATUSES:
        app.register_error_handler(error_type, handle_known_error)

    @app.errorhandler(HTTPException)
    def handle_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        allow = {"Allow": ", ".join(error.valid_methods or ())} if isinstance(error, MethodNotAllowed) else None
        return problem_response(status, error.description or HTTPStatus(status).phrase, allow)

    @app.errorhandler(Exception)
    def handle_unexpected_error(error: Exception) -> Response:
        get_logger().error("request_failed", error=type(error).__name__)
        return problem_response(500, "the connector failed to answer: a fault of ours")
