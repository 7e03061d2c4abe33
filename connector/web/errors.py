"""Returns every error as `application/problem+json` (RFC 9457). No response repeats a value that was sent."""

import json
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from connector.core.exceptions import ConnectorError, DatabaseUnavailableError
from connector.observability.logs import get_logger

#: Seconds, as `Retry-After`. Storefronts that retry on their own schedule wait longer anyway.
RETRY_AFTER_S = 5


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def register_error_handlers(app: Flask) -> None:
    @app.errorhandler(ConnectorError)
    def handle_connector_error(error: ConnectorError) -> Response:
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return handle_unexpected_error(error)
        is_temporary = error.status == HTTPStatus.SERVICE_UNAVAILABLE
        headers = {"Retry-After": str(RETRY_AFTER_S)} if is_temporary else None
        detail = error.public_message if isinstance(error, DatabaseUnavailableError) else str(error)
        return problem_response(error.status, detail, headers)

    @app.errorhandler(HTTPException)
    def handle_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        allow = {"Allow": ", ".join(error.valid_methods or ())} if isinstance(error, MethodNotAllowed) else None
        return problem_response(status, error.description or HTTPStatus(status).phrase, allow)

    @app.errorhandler(Exception)
    def handle_unexpected_error(error: Exception) -> Response:
        get_logger().error("request_failed", error=type(error).__name__)
        return problem_response(500, "internal error")
