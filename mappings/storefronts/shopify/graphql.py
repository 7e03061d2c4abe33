"""Requests to the GraphQL Admin API, and the errors in its responses.

https://shopify.dev/docs/api/admin-graphql, read 2026-11-30.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mappings.storefront import ResponseError

#: https://shopify.dev/changelog/graphql-input-objects-limited-to-250-items, read 2026-11-30.
MAX_IDS = 250
#: A variant that does not exist is null:
#: https://shopify.dev/docs/api/admin-graphql/latest/queries/nodes, read 2026-11-30.
BARCODES_QUERY = "query Barcodes($ids: [ID!]!) { nodes(ids: $ids) { ... on ProductVariant { id barcode } } }"
VARIANT_ID_PREFIX = "gid://shopify/ProductVariant/"
#: The HTTP statuses with which the REST API says the same as some error codes of a response with status 200.
STATUS_BY_CODE = {"ACCESS_DENIED": 403, "THROTTLED": 429, "INTERNAL_SERVER_ERROR": 500}
UNKNOWN_ERROR = "GRAPHQL_ERROR"


def find_error(response: Any) -> ResponseError | None:
    """Return the error that a response reports. Its data is incomplete then, or missing."""
    errors = response.get("errors") if isinstance(response, Mapping) else None
    if not errors:
        return None
    code = next(read_codes(errors), UNKNOWN_ERROR)
    return ResponseError(code=code, status=STATUS_BY_CODE.get(code))


def read_codes(errors: Any) -> Iterator[str]:
    """Yield the codes of the errors that have one. Their messages may repeat what was asked for."""
    for error in errors if isinstance(errors, list) else ():
        extensions = error.get("extensions") if isinstance(error, Mapping) else None
        code = extensions.get("code") if isinstance(extensions, Mapping) else None
        if isinstance(code, str) and re.fullmatch("[A-Z_]{1,40}", code):
            yield code


def read_nodes(response: Any) -> list[Any] | None:
    """Return what the query `nodes` returned; None if the response is not one to it."""
    data = response.get("data") if isinstance(response, Mapping) else None
    nodes = data.get("nodes") if isinstance(data, Mapping) else None
    return nodes if isinstance(nodes, list) else None
