"""`X-Request-Id`: the one that came, or a new one, goes into every log line of its request and out with the answer."""

import re
from collections.abc import Callable, Iterable
from random import getrandbits
from typing import Any

from connector.observability.logs import REQUEST_ID

#: What is longer, or may hold more than an id needs, is no id: it goes into log lines.
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{8,128}")

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class RequestIdMiddleware:
    """Around the whole application, so that answers of every kind carry it. Flask's own hooks would cost twice."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request_id = environ.get("HTTP_X_REQUEST_ID")
        if request_id is None or REQUEST_ID_PATTERN.fullmatch(request_id) is None:
            request_id = f"{getrandbits(64):016x}"  # no secret; to ask the system lets others go first

        def start_with_request_id(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            headers.append(("X-Request-Id", request_id))
            return start_response(status, headers, exc_info)

        token = REQUEST_ID.set(request_id)
        try:
            return self._application(environ, start_with_request_id)
        finally:
            REQUEST_ID.reset(token)
