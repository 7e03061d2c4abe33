"""What the fakes' lists of orders share."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from connector.sandbox.responses import json_response
from mappings.fields import parse_datetime


def read_number(value: str | None, default: int) -> int | None:
    """Return the whole number in a parameter; None if it is none."""
    if value is None:
        return default
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def is_within(order: Mapping[str, Any], field: str, minimum: datetime | None, maximum: datetime | None) -> bool:
    """Return whether a time of an order lies between two others, or is one of them. An order without it does not."""
    if minimum is None and maximum is None:
        return True
    instant = parse_datetime(order.get(field))
    if instant is None:
        return False
    return (minimum is None or minimum <= instant) and (maximum is None or instant <= maximum)


def select_fields(order: Mapping[str, Any], names: str | None) -> Mapping[str, Any]:
    if not names:
        return order
    wanted = {name.strip() for name in names.split(",")}
    return {name: value for name, value in order.items() if name in wanted}


def find_unknown(allowed: Collection[str]) -> str | None:
    """Return a parameter of the request that the fake does not play. The real APIs ignore such a parameter."""
    return next((name for name in request.args if name not in allowed), None)


def list_response(orders: Sequence[Mapping[str, Any]], *, root: str | None = None, **headers: str | int) -> Response:
    """Return a page of orders.

    Args:
        root: the key of the list in the response's object; None if the response is the list.
        headers: with underscores for hyphens.
    """
    response = json_response(200, list(orders) if root is None else {root: list(orders)})
    for name, value in headers.items():
        if value != "":
            response.headers[name.replace("_", "-")] = str(value)
    return response


def link(rel: str, query: Mapping[str, Any]) -> str:
    """Return an entry of a `Link` header that points to the same path."""
    return f'<{request.base_url}?{urlencode(query)}>; rel="{rel}"'
