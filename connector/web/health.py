"""`/health/live`: the process answers. `/health/ready`: it can store. Open to all, silent on the rest."""

from flask import Blueprint, Response, current_app, jsonify

from connector.runtime import Runtime
from connector.web.api.operation import Operation, documented
from connector.web.api.responses import HealthSchema

blueprint = Blueprint("health", __name__)


HEALTH_SCHEMA = HealthSchema()


@blueprint.get("/health/live")
@documented(Operation(responses={200: HEALTH_SCHEMA}, is_public=True))
def live() -> Response:
    """Say that the process answers."""
    return jsonify(status="ok")


@blueprint.get("/health/ready")
@documented(Operation(responses={200: HEALTH_SCHEMA}, is_public=True))
def ready() -> Response:
    """Say that it can store what comes in."""
    runtime: Runtime = current_app.extensions["runtime"]
    runtime.database.require_migrated()
    return jsonify(status="ok")
