"""Every error as `application/problem+json` (RFC 9457): what is wrong, and nothing of what was sent."""

import json
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from connector.core.exceptions import (
    ConflictError,
    DatabaseUnavailableError,
    InvalidRequestError,
    KeyReusedError,
    MigrationNeededError,
    NotFoundError,
    SignatureError,
    StoreUnavailableError,
)
from connector.observability.logs import get_logger

#: Seconds after which a storefront may try again. Those that retry by themselves wait longer anyway.
RETRY_AFTER_S = 5

STATUSES: dict[type[Exception], int] = {
    InvalidRequestError: 400,
    SignatureError: 401,
    NotFoundError: 404,
    ConflictError: 409,
    KeyReusedError: 422,
    StoreUnavailableError: 502,
    DatabaseUnavailableError: 503,
    MigrationNeededError: 503,
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def register_problems(app: Flask) -> None:
    def answer(error: Exception) -> Response:
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        return problem(status, str(error), {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None)

    for kind in STATUSES:
        app.register_error_handler(kind, answer)

    @app.errorhandler(HTTPException)
    def answer_http(error: HTTPException) -> Response:
        status = error.code or 500
        allow = {"Allow": ", ".join(error.valid_methods or ())} if isinstance(error, MethodNotAllowed) else None
        return problem(status, error.description or HTTPStatus(status).phrase, allow)

    @app.errorhandler(Exception)
    def answer_fault(error: Exception) -> Response:
        get_logger().error("request_failed", error=type(error).__name__)
        return problem(500, "the connector failed to answer: a fault of ours")
