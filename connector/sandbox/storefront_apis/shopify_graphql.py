"""Shopify's GraphQL Admin API, of which only the connector's own queries are understood.

Errors have the status 200: https://shopify.dev/docs/api/admin-graphql, read 2026-11-30. Unverified: their texts, and
the codes of those about arguments.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.sandbox.storefront_apis.base import StorefrontApiError
from mappings.storefronts.shopify.graphql import MAX_IDS, VARIANT_ID_PREFIX

#: Takes the variables of a query.
Resolver = Callable[[Mapping[str, Any]], Any]
ROOT_FIELD = re.compile(r"(?:query|mutation)[^{]*\{\s*(\w+)")


class GraphqlError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def body(self) -> dict[str, Any]:
        return {"errors": [{"message": str(self), "extensions": {"code": self.code}}]}


def execute(data: Any, resolvers: Mapping[str, tuple[str, Resolver]]) -> dict[str, Any]:
    """Return the response to a request's body. Raises `StorefrontApiError`.

    Args:
        resolvers: by root field, the query and what answers it.
    """
    query = data.get("query") if isinstance(data, Mapping) else None
    variables = data.get("variables", {}) if isinstance(data, Mapping) else None
    if not isinstance(query, str) or not isinstance(variables, Mapping):
        error = {"errors": {"query": "Required parameter missing or invalid"}}
        raise StorefrontApiError(400, "a GraphQL request without a query", body=error)
    match = ROOT_FIELD.match(query)
    root_field = match[1] if match else ""
    try:
        if root_field not in resolvers or query.split() != resolvers[root_field][0].split():
            raise GraphqlError("undefinedField", "The sandbox does not understand this query.")
        return {"data": {root_field: resolvers[root_field][1](variables)}}
    except GraphqlError as error:
        return error.body()


def resolve_nodes(orders: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> list[dict[str, Any] | None]:
    """Return the variants of the orders' lines: https://shopify.dev/docs/api/admin-graphql/latest/queries/nodes."""
    ids = variables.get("ids")
    if not isinstance(ids, list) or variables.keys() != {"ids"}:
        raise GraphqlError("INVALID_VARIABLE", "Variable $ids of type [ID!]! was provided invalid value")
    if len(ids) > MAX_IDS:
        message = f"The input array size of {len(ids)} is greater than the maximum allowed of {MAX_IDS}."
        raise GraphqlError("MAX_INPUT_SIZE_EXCEEDED", message)
    if not all(isinstance(item, str) and re.fullmatch(rf"{VARIANT_ID_PREFIX}\d+", item) for item in ids):
        raise GraphqlError("INVALID_VARIABLE", "Invalid global id")
    lines = (line for order in orders for line in order.get("line_items", []))
    barcodes = {f"{VARIANT_ID_PREFIX}{line.get('variant_id')}": line.get("barcode") for line in lines}
    return [{"id": item, "barcode": barcodes[item]} if item in barcodes else None for item in ids]
