"""`/health/live`: the process answers. `/health/ready`: it can store. Open to all, silent on the rest."""

from flask import Blueprint, Response, current_app, jsonify

from connector.runtime import Runtime

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
def live() -> Response:
    return jsonify(status="ok")


@blueprint.get("/health/ready")
def ready() -> Response:
    runtime: Runtime = current_app.extensions["runtime"]
    runtime.database.require_migrated()
    return jsonify(status="ok")
