"""Headers of every response."""

from typing import TypeVar

from werkzeug.wrappers import Response

AnyResponse = TypeVar("AnyResponse", bound=Response)

DEFAULT_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def protect_response(response: AnyResponse) -> AnyResponse:
    """Let nothing keep or reinterpret a response, except those that say otherwise, as the documentation's files do."""
    for name, value in DEFAULT_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
