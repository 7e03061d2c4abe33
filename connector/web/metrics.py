"""`GET /metrics`, for Prometheus. It shows stores, accounts and counts, so it needs a token as `/api` does."""

import hmac

from flask import Blueprint, Response, current_app, request

from connector.runtime import Runtime
from connector.web.api.operation import Operation, documented
from connector.web.errors import problem_response
from connector.web.rejections import RejectionCounter

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@documented(Operation(responses={200: None}, content_type="text/plain"))
def get_metrics() -> Response:
    """Show the figures of the whole service, whichever process answers."""
    runtime: Runtime = current_app.extensions["runtime"]
    environment = runtime.settings.environment
    tokens = [token for token in (environment.metrics_token, environment.admin_token) if token is not None]
    if not tokens:
        return problem_response(404, "the metrics are off: neither METRICS_TOKEN nor ADMIN_TOKEN is set")
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    is_valid = any(hmac.compare_digest(credentials.strip().encode(), token.encode()) for token in tokens)
    if scheme.lower() != "bearer" or not is_valid:
        return problem_response(
            401, "a Bearer of METRICS_TOKEN or ADMIN_TOKEN is needed", {"WWW-Authenticate": "Bearer"}
        )
    rejections: RejectionCounter = current_app.extensions["rejected"]
    rejections.flush()
    from connector.web.prometheus import render_metrics  # six megabytes that only this needs

    text, content_type = render_metrics(runtime, request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)
