"""The web application of every peer."""

from collections.abc import Callable

from flask import Flask, request

from benchmarks.peers.common import Event, Settings, read_webhook


def create_app(settings: Settings, accept: Callable[[Event], None]) -> Flask:
    """Return the application.

    Args:
        accept: enqueues (or sends) an event, before the response with 200. If it raises, the response is 500, and the
            storefront repeats the event.
    """
    app = Flask("peer")

    @app.post("/webhooks/<store>")
    def receive(store: str) -> tuple[dict[str, str], int]:
        try:
            event = read_webhook(settings, dict(request.headers), request.get_data())
        except PermissionError as error:
            return {"error": str(error)}, 401
        if event is None:
            return {"status": "ignored"}, 200
        accept(event)
        return {"status": "accepted"}, 200

    @app.get("/health/ready")
    def ready() -> tuple[dict[str, str], int]:
        return {"status": "ready"}, 200

    return app
