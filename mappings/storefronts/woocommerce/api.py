"""What a WooCommerce webhook lacks, and the request to the REST API that fetches it."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from mappings.ids import numeric_id
from mappings.settings import Store
from mappings.storefront import Fetch
from mappings.storefronts.woocommerce.schema import CANCELLED_STATUSES
from mappings.text import clean_text


def find_required_fetches(payload: Mapping[str, Any], store: Store) -> Sequence[Fetch]:
    """Return the request for the lines of an order's refunds, which say what is left. Every destination needs them."""
    order_id = numeric_id(payload.get("id"))
    if not store.has_api or not payload.get("refunds") or order_id is None:
        return ()
    status = payload.get("status")
    if isinstance(status, str) and status in CANCELLED_STATUSES:  # the order is not sent
        return ()
    # https://woocommerce.github.io/woocommerce-rest-api-docs/#list-all-refunds, read 2026-11-21; the maximum is 100.
    return [Fetch(path=f"/wp-json/wc/v3/orders/{order_id}/refunds?per_page=100", merge=merge_refunds)]


def merge_refunds(payload: dict[str, Any], response: Any) -> dict[str, Any]:
    """Replace the totals of refunds with the refunds that were fetched.

    A refund that the response lacks keeps its total: the API returns an empty list for an order that it does not find.
    """
    refunds = {
        refund_id: refund
        for refund in (response if isinstance(response, list) else ())
        if isinstance(refund, Mapping) and (refund_id := clean_text(refund.get("id")))
    }
    refund_totals = payload["refunds"] if isinstance(payload["refunds"], list) else []
    remaining = [
        entry for entry in refund_totals if not (isinstance(entry, Mapping) and clean_text(entry.get("id")) in refunds)
    ]
    return {**payload, "refunds": [*refunds.values(), *remaining]}


def basic_auth(token: str | None) -> dict[str, str]:
    credentials = b64encode((token or "").encode()).decode()
    return {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
