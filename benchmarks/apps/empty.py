"""A Flask view that does nothing: the upper limit of any Flask application under this gunicorn."""

from flask import Flask

app = Flask(__name__, static_folder=None)


@app.post("/webhooks/<store>")
def receive(store: str) -> dict[str, str]:
    return {"status": "accepted", "event": "1"}
