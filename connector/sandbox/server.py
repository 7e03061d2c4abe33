"""The sandbox's web server: the fake services, what they received, and the faults to inject.

It is a development tool without a password. By default it only listens on the loopback address.
"""

import json
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Self

from flask import Flask, Response, abort, jsonify, render_template, request
from flask.json.provider import DefaultJSONProvider
from marshmallow import ValidationError
from werkzeug.serving import make_server

from connector.sandbox.broken_responses import LoggingHandler, QuietHandler
from connector.sandbox.fake_destinations import create_destinations_blueprint
from connector.sandbox.fake_lapyme_customers import SERVICE_NAME as CUSTOMERS
from connector.sandbox.fake_lapyme_customers import create_customers_blueprint
from connector.sandbox.fault_injection import DESCRIPTIONS
from connector.sandbox.registered_webhooks import DEFAULT_APP_SECRET
from connector.sandbox.state import AcceptedOrder, Sandbox, SeenRequest
from connector.sandbox.storefront_apis import STOREFRONT_APIS, WEBHOOK_PLATFORMS, create_storefronts_blueprint
from mappings import DESTINATIONS
from mappings.destination import Destination


class SandboxServer(Sandbox):
    """A sandbox that listens from its creation until `close`, or as long as its `with` block lasts."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,  # 0: a free one
        destinations: Mapping[str, Destination[Any]] = DESTINATIONS,
        token_life_s: float = 300.0,
        store_token_life_s: float = 86_399.0,
        log_requests: bool = False,
    ) -> None:
        super().__init__(
            destinations=destinations,
            storefronts=STOREFRONT_APIS.keys(),
            services={CUSTOMERS},
            webhook_platforms=WEBHOOK_PLATFORMS,
            token_life_s=token_life_s,
            store_token_life_s=store_token_life_s,
        )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # werkzeug would end the process over a port in use; this raises OSError.
        with socket.create_server((host, port), family=family, backlog=128) as listener:
            self._server = make_server(
                host,
                port,
                create_app(self),
                threaded=True,
                request_handler=LoggingHandler if log_requests else QuietHandler,
                fd=listener.fileno(),
            )
        self._host = f"[{host}]" if ":" in host else host
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="sandbox", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.stopping.set()  # ends the delays of late responses
        self.webhooks.close()
        self._server.shutdown()
        self._thread.join()

    def url(self, service: str = "") -> str:
        """Return the `base_url` of an account, or the `api_url` of a store, at `service`; without one, the page's."""
        return f"http://{self._host}:{self._server.port}/{service}"


def serve(
    host: str = "127.0.0.1",
    port: int = 8900,
    *,
    log_requests: bool = False,
    on_start: Callable[[SandboxServer], None] = lambda _sandbox: None,
) -> None:
    """Run the sandbox until Ctrl-C or SIGTERM. Raises `OSError` if the port is in use."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), SandboxServer(host=host, port=port, log_requests=log_requests) as sandbox:
        on_start(sandbox)
        threading.Event().wait()


def create_app(sandbox: Sandbox) -> Flask:
    app = Flask("connector.sandbox")
    app.json = DefaultJSONProvider(app)
    app.json.sort_keys = False
    app.add_template_filter(_pretty)
    app.register_blueprint(create_destinations_blueprint(sandbox))
    app.register_blueprint(create_customers_blueprint(sandbox))
    app.register_blueprint(create_storefronts_blueprint(sandbox))

    def requested_destination() -> str | None:
        name = request.args.get("destination")
        if name is not None and name not in {*sandbox.destinations, *sandbox.storefronts, CUSTOMERS}:
            abort(404, f"No destination “{name}” is played here.")
        return name

    @app.get("/")
    def index() -> Response:
        page = render_template(
            "page.html",
            destinations=sandbox.destinations,
            meanings=DESCRIPTIONS,
            faults=[fault.serialize() for fault in sandbox.faults()],
            storefronts=[
                (name, endpoint)
                for name, api_class in STOREFRONT_APIS.items()
                for endpoint in api_class(sandbox=sandbox).endpoints()
            ],
            orders=sandbox.orders()[::-1],
            store_orders=sandbox.store_orders()[::-1],
            webhooks=sandbox.webhooks.all(),
            app_secret=DEFAULT_APP_SECRET,
            turned_away=[
                seen_request
                for seen_request in sandbox.requests()[::-1]
                if seen_request.outcome in {"refused", "dropped"}
            ],
            here=request.host_url,
        )
        return Response(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})

    @app.get("/sandbox/orders")
    def list_orders() -> Response:
        return jsonify(items=[_serialize(order) for order in sandbox.orders(requested_destination())])

    @app.delete("/sandbox/orders")
    def clear_orders() -> tuple[str, int]:
        sandbox.clear_orders()
        return "", 204

    @app.get("/sandbox/requests")
    def list_requests() -> Response:
        return jsonify(items=[_serialize(seen_request) for seen_request in sandbox.requests(requested_destination())])

    @app.post("/sandbox/storefront-orders")
    def put_store_order() -> tuple[Response, int]:
        """Take `{"storefront": …, "store_id": …, "order": {…}}`; with `"is_webhook_lost": true` no webhook is sent."""
        data = request.get_json()
        try:
            is_webhook_lost = data.get("is_webhook_lost") is True
            store_order = sandbox.put_order(
                data["storefront"], data["store_id"], dict(data["order"]), is_webhook_lost=is_webhook_lost
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return jsonify(error=f"This takes a storefront, a store_id and an order with its id: {error}."), 400
        return jsonify(asdict(store_order)), 201

    @app.get("/sandbox/storefront-orders")
    def list_store_orders() -> Response:
        return jsonify(items=[asdict(store_order) for store_order in sandbox.store_orders()])

    @app.get("/sandbox/faults")
    def list_faults() -> Response:
        return jsonify(items=[fault.serialize() for fault in sandbox.faults()])

    @app.post("/sandbox/faults")
    def add_fault() -> tuple[Response, int]:
        try:
            fault = sandbox.add_fault(request.get_json())
        except ValidationError as error:
            return jsonify(errors=error.messages), 400
        return jsonify(fault.serialize()), 201

    @app.delete("/sandbox/faults")
    def clear_faults() -> tuple[str, int]:
        sandbox.clear_faults()
        return "", 204

    return app


def _pretty(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)


def _serialize(record: AcceptedOrder | SeenRequest) -> dict[str, Any]:
    return asdict(record) | {"received_at": record.received_at.isoformat().replace("+00:00", "Z")}
