"""What a Shopify webhook lacks, and the requests to the REST Admin API that fetch it."""

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

from mappings.ids import numeric_id
from mappings.storefront import Fetch
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
        requests += [
            # One request per variant: the REST API cannot list variants by id.
            # https://shopify.dev/docs/api/admin-rest/latest/resources/product-variant, read 2026-11-21.
            Fetch(
                path=f"/admin/api/{API_VERSION}/variants/{variant_id}.json?fields=id,barcode",
                merge=partial(merge_barcode, variant_id=variant_id),
            )
            for variant_id in dict.fromkeys(variant_ids_without_barcode(payload))
        ]
    return requests


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


def merge_barcode(payload: dict[str, Any], response: Any, *, variant_id: str) -> dict[str, Any]:
    variant = response.get("variant") if isinstance(response, Mapping) else None
    barcode = variant.get("barcode") if isinstance(variant, Mapping) else None
    lines = [
        {**line, "barcode": barcode}
        if isinstance(line, Mapping) and numeric_id(line.get("variant_id")) == variant_id
        else line
        for line in payload["line_items"]
    ]
    return {**payload, "line_items": lines}
