"""`GET /metrics`, for Prometheus. It shows stores, accounts and counts, so it needs a token as `/api` does."""

import hmac

from flask import Blueprint, Response, current_app, request

from connector.runtime import Runtime
from connector.web.api.operation import Description, described
from connector.web.errors import problem
from connector.web.rejections import Rejected

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@described(Description(answers={200: None}, content_type="text/plain"))
def get_metrics() -> Response:
    """Show the figures of the whole service, whichever process answers."""
    runtime: Runtime = current_app.extensions["runtime"]
    environment = runtime.settings.environment
    tokens = [token for token in (environment.metrics_token, environment.admin_token) if token is not None]
    if not tokens:
        return problem(404, "the metrics are off: neither METRICS_TOKEN nor ADMIN_TOKEN is set")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_known = any(hmac.compare_digest(given.strip().encode(), token.encode()) for token in tokens)
    if scheme.lower() != "bearer" or not is_known:
        return problem(401, "a Bearer of METRICS_TOKEN or ADMIN_TOKEN is needed", {"WWW-Authenticate": "Bearer"})
    rejected: Rejected = current_app.extensions["rejected"]
    rejected.keep()
    from connector.web.prometheus import write_metrics  # six megabytes that only this needs

    text, content_type = write_metrics(runtime, request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)
