"""`/docs`: the API's description in Swagger UI. It is public, as the description is."""

from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, make_response, render_template

from connector.web.assets import Asset, build_response, load_assets

blueprint = Blueprint("docs", __name__)

DIRECTORY = Path(__file__).parent.parent / "static" / "docs"
#: Swagger UI runs scripts and styles from its own files only, and connects only to this host.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@blueprint.get("/docs")
def show() -> Response:
    return make_response(render_template("docs.html", assets=load_files()))


@blueprint.get("/docs/<path:name>")
def show_file(name: str) -> Response:
    return build_response(load_files().get(name) or abort(404))


@blueprint.after_request
def protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@cache
def load_files() -> dict[str, Asset]:
    """Read and compress the files when the first of them is requested: the service starts without them."""
    return load_assets(DIRECTORY)
