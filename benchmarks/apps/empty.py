"""A Flask view that does nothing: the most that any Flask application can take under this gunicorn."""

from flask import Flask

app = Flask(__name__, static_folder=None)


@app.post("/webhooks/<store>")
def receive(store: str) -> dict[str, str]:
    return {"status": "accepted", "event": "1"}
