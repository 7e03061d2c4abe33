"""What a Shopify webhook lacks, and the requests to the Admin API that fetch it."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from mappings.ids import numeric_id
from mappings.storefront import Fetch
from mappings.storefronts.shopify.graphql import BARCODES_QUERY, MAX_IDS, VARIANT_ID_PREFIX, find_error, read_nodes
from mappings.storefronts.shopify.money import IS_PAID_BY_FINANCIAL_STATUS, sole_gateway
from mappings.storefronts.shopify.store import ShopifyStore
from mappings.text import clean_text

#: A version is supported for at least a year: https://shopify.dev/docs/api/usage/versioning, read 2026-11-21.
API_VERSION = "2026-10"


def find_required_fetches(
    payload: Mapping[str, Any], store: ShopifyStore, required_details: Set[str]
) -> Sequence[Fetch]:
    """Return the requests for what the order lacks and the destination needs."""
    if not store.has_api or payload.get("cancelled_at"):
        return ()
    requests: list[Fetch] = []
    order_id = numeric_id(payload.get("id"))
    if "payments" in required_details and order_id and lacks_payments(payload):
        path = f"/admin/api/{API_VERSION}/orders/{order_id}/transactions.json"
        if store.money == "shop":  # the default is the customer's currency
            path += "?in_shop_currency=true"
        requests.append(Fetch(path=path, merge=merge_transactions))
    if "barcodes" in required_details:
        requests += fetch_barcodes(list(dict.fromkeys(variant_ids_without_barcode(payload))))
    return requests


def fetch_barcodes(variant_ids: Sequence[str]) -> Iterator[Fetch]:
    """Yield one request for each `MAX_IDS` variants, by GraphQL: the REST API has them one by one."""
    for start in range(0, len(variant_ids), MAX_IDS):
        ids = [f"{VARIANT_ID_PREFIX}{variant_id}" for variant_id in variant_ids[start : start + MAX_IDS]]
        yield Fetch(
            path=f"/admin/api/{API_VERSION}/graphql.json",
            method="POST",
            data={"query": BARCODES_QUERY, "variables": {"ids": ids}},
            merge=merge_barcodes,
            is_valid_response=lambda response: read_nodes(response) is not None,
            find_error=find_error,
        )


def lacks_payments(payload: Mapping[str, Any]) -> bool:
    status = payload.get("financial_status")
    is_paid = IS_PAID_BY_FINANCIAL_STATUS.get(status) if isinstance(status, str) else None
    has_single_gateway = is_paid and sole_gateway(payload.get("payment_gateway_names")) is not None
    is_free = not str(payload.get("current_total_price", payload.get("total_price"))).strip("0.")
    return is_paid is not False and not has_single_gateway and not is_free


def variant_ids_without_barcode(payload: Mapping[str, Any]) -> Iterator[str]:
    lines = payload.get("line_items")
    for line in lines if isinstance(lines, list) else ():
        if not isinstance(line, Mapping) or clean_text(line.get("barcode")):
            continue
        is_shipped = line.get("requires_shipping") is not False and 0 not in (
            line.get("current_quantity"),
            line.get("fulfillable_quantity"),
        )
        if is_shipped and (variant_id := numeric_id(line.get("variant_id"))):
            yield variant_id


def merge_transactions(payload: dict[str, Any], response: Any) -> dict[str, Any]:
    transactions = response.get("transactions") if isinstance(response, Mapping) else None
    return {**payload, "transactions": transactions} if isinstance(transactions, list) else payload


def merge_barcodes(payload: dict[str, Any], response: Any) -> dict[str, Any]:
    barcodes = {node.get("id"): node.get("barcode") for node in read_nodes(response) or () if isinstance(node, Mapping)}
    lines = [
        {**line, "barcode": barcodes[variant_id]}
        if isinstance(line, Mapping)
        and (variant_id := f"{VARIANT_ID_PREFIX}{numeric_id(line.get('variant_id'))}") in barcodes
        else line
        for line in payload["line_items"]
    ]
    return {**payload, "line_items": lines}
