"""A service that listens on a real socket, with stores whose webhooks the sandbox manages and sends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, redirect
from werkzeug import Response
from werkzeug.serving import make_server

from connector.runtime import Runtime
from connector.sandbox.demo_process import find_free_port
from connector.web.app import create_app

STORES = """
public_url = "PUBLIC_URL"

[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]
since = "2026-01-01T00:00:00Z"
api_url = "SANDBOX/shopify"
api_token = "ficha-mx"

[stores.nube]
storefront = "tiendanube"
secrets = ["nube-secreto"]
since = "2026-01-01T00:00:00Z"
store_id = 4410733
api_url = "SANDBOX/tiendanube"
api_token = "ficha-nube"

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-01-01T00:00:00Z"
api_url = "SANDBOX/woocommerce"
api_token = "ck_clave:cs_secreto"

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"
timeout_s = {timeout_s}

[accounts.erp]
destination = "lapyme"
api_key = "lapyme-key"
base_url = "{lapyme}"
customer_id = "{uuid}"
assigned_warehouse_id = "{uuid}"
timeout_s = {timeout_s}

[[routes]]
from = "tienda-mx"
to = ["bodega"]

[[routes]]
from = "nube"
to = ["bodega"]

[[routes]]
from = "tienda-ar"
to = ["erp"]
{more}
"""


def configuration(sandbox_url: str, public_url: str) -> str:
    """Return the text for `configure`."""
    return STORES.replace("SANDBOX", sandbox_url.rstrip("/")).replace("PUBLIC_URL", public_url)


def free_url() -> str:
    """Return an address at which nothing listens."""
    return f"http://127.0.0.1:{find_free_port()}"


@contextmanager
def serve(runtime: Runtime) -> Iterator[None]:
    """Serve the runtime's application at its `public_url`."""
    with listen(create_app(runtime), runtime.settings.public_url or ""):
        yield


@contextmanager
def redirect_to(target: str, url: str) -> Iterator[None]:
    """Serve redirects at `url` to the same path of `target`."""
    app = Flask("redirects")

    @app.route("/<path:path>", methods=["GET", "POST"])
    def move(path: str) -> Response:
        return redirect(f"{target}/{path}", 301)

    with listen(app, url):
        yield


@contextmanager
def answer_everything(url: str) -> Iterator[None]:
    """Serve at `url` what answers any request with 200."""
    app = Flask("page")

    @app.route("/<path:path>", methods=["GET", "POST"])
    def show(path: str) -> dict[str, str]:
        return {"status": "ok"}

    with listen(app, url):
        yield


@contextmanager
def listen(app: Flask, url: str) -> Iterator[None]:
    server = make_server("127.0.0.1", int(url.rpartition(":")[2]), app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
