"""The worker of `connector serve` with short deadlines, and an application to try it with."""

import os
import time

from flask import Flask, Response, request

from connector.web import gunicorn_worker
from connector.web.gunicorn_worker import DeadlineWorker

BIG_BYTES = 30_000_000  # more than the buffers of a connection hold
gunicorn_worker.REQUEST_TIMEOUT_S = float(os.environ.get("REQUEST_TIMEOUT_S", "2"))
gunicorn_worker.RESPONSE_TIMEOUT_S = 2.0
gunicorn_worker.STOP_TIMEOUT_S = 1.0


class QuickWorker(DeadlineWorker):
    pass


app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "ok"


@app.post("/echo")
def echo() -> bytes:
    return request.get_data()


@app.get("/big")
def big() -> Response:
    return Response(b"x" * BIG_BYTES)


@app.get("/slow")
def slow() -> str:
    time.sleep(float(os.environ.get("SLOW_PAGE_S", "1")))
    return "done"


@app.get("/environ")
def show_environ() -> dict[str, str]:
    return {"script_name": request.environ["SCRIPT_NAME"], "scheme": request.scheme, "path": request.path}
