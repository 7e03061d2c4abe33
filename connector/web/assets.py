"""Static files: compressed, with a digest of the content in the address, so that browsers cache them permanently."""

import gzip
import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request

#: Types that gzip makes smaller.
COMPRESSIBLE_TYPES = ("text/", "image/svg+xml", "application/javascript")
MAX_AGE_S = 365 * 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file, read and compressed once."""

    content: bytes
    compressed: bytes | None
    mime_type: str
    digest: str


def configure_assets(app: Flask, directory: Path) -> None:
    """Serve the files of a directory at `/assets`. `url_for("static", filename=…)` has the digest of the content."""
    assets = load_assets(directory)

    def serve(filename: str) -> Response:
        if filename not in assets:
            abort(404)
        return build_response(assets[filename])

    def add_digest(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["v"] = assets[values["filename"]].digest

    app.add_url_rule("/assets/<path:filename>", endpoint="static", view_func=serve)
    app.url_defaults(add_digest)


def load_assets(directory: Path) -> dict[str, Asset]:
    """Return the files of a directory by their path in it."""
    return {path.relative_to(directory).as_posix(): load_asset(path) for path in directory.rglob("*") if path.is_file()}


def load_asset(path: Path) -> Asset:
    content = path.read_bytes()
    mime_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_compressible = mime_type.startswith(COMPRESSIBLE_TYPES)
    return Asset(
        content=content,
        compressed=gzip.compress(content, mtime=0) if is_compressible else None,
        mime_type=mime_type,
        digest=sha256(content).hexdigest()[:16],
    )


def build_response(asset: Asset) -> Response:
    """Return the content. Only an address with its digest may be kept: another release has other content."""
    is_compressed = asset.compressed is not None and request.accept_encodings.quality("gzip") > 0
    response = Response(asset.compressed if is_compressed else asset.content, mimetype=asset.mime_type)
    response.vary.add("Accept-Encoding")
    if is_compressed:
        response.content_encoding = "gzip"
    if request.args.get("v") == asset.digest:
        response.cache_control.public = True
        response.cache_control.max_age = MAX_AGE_S
        response.cache_control.immutable = True
    else:
        response.cache_control.no_cache = True
    return response
