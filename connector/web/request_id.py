"""`X-Request-Id`: taken from the request or generated, written to every log line, and returned with the response."""

import re
from random import getrandbits

from flask import Flask, Response, g, request

from connector.observability.logs import REQUEST_ID

REQUEST_ID_HEADER = "X-Request-Id"
#: Anything longer, or with other characters, is ignored: the id goes into log lines.
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{8,128}")


def configure_request_ids(app: Flask) -> None:
    @app.before_request
    def set_request_id() -> None:
        request_id = request.headers.get(REQUEST_ID_HEADER)
        if request_id is None or REQUEST_ID_PATTERN.fullmatch(request_id) is None:
            request_id = f"{getrandbits(64):016x}"  # not a secret
        g.request_id_token = REQUEST_ID.set(request_id)

    @app.after_request
    def add_request_id(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = REQUEST_ID.get()
        return response

    @app.teardown_request
    def clear_request_id(_error: BaseException | None) -> None:
        token = g.pop("request_id_token", None)
        if token is not None:
            REQUEST_ID.reset(token)
