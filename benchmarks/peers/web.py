"""The web application of every peer: `take` is what the peer does with an event before it is answered 200."""

from collections.abc import Callable

from flask import Flask, request

from benchmarks.peers.common import Event, Settings, read_webhook


def create_app(settings: Settings, take: Callable[[Event], None]) -> Flask:
    """An exception of `take` is answered 500: the storefront sends the event again."""
    app = Flask("peer")

    @app.post("/webhooks/<store>")
    def receive(store: str) -> tuple[dict[str, str], int]:
        try:
            event = read_webhook(settings, dict(request.headers), request.get_data())
        except PermissionError as error:
            return {"error": str(error)}, 401
        if event is None:
            return {"status": "ignored"}, 200
        take(event)
        return {"status": "accepted"}, 200

    @app.get("/health/ready")
    def ready() -> tuple[dict[str, str], int]:
        return {"status": "ready"}, 200

    return app
