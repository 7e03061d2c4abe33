"""Returns every error as `application/problem+json` (RFC 9457). No response repeats a value that was sent."""

import json
from http import HTTPStatus

from flask import Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from connector.core.exceptions import ConnectorError
from connector.observability.logs import get_logger

#: Seconds, as `Retry-After`. Storefronts that retry on their own schedule wait longer anyway.
RETRY_AFTER_S = 5


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def respond_to_error(error: Exception) -> Response:
    """Return the response to an exception that is being handled."""
    if isinstance(error, ConnectorError) and error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
        is_temporary = error.status == HTTPStatus.SERVICE_UNAVAILABLE
        return problem_response(error.status, str(error), {"Retry-After": str(RETRY_AFTER_S)} if is_temporary else None)
    if isinstance(error, HTTPException):
        status = error.code or 500
        allow = {"Allow": ", ".join(error.valid_methods or ())} if isinstance(error, MethodNotAllowed) else None
        return problem_response(status, error.description or HTTPStatus(status).phrase, allow)
    get_logger().error("request_failed", error=type(error).__name__)
    return problem_response(500, "internal error")
