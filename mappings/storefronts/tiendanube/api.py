"""The request to the API that fetches the order which a Tiendanube webhook names."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mappings.storefront import Fetch
from mappings.storefronts.tiendanube.store import TiendanubeStore


def find_required_fetches(payload: Mapping[str, Any], store: TiendanubeStore) -> Sequence[Fetch]:
    """Return the request for the order."""
    if "event" not in payload:  # the payload is the order
        return ()
    order_id = str(payload.get("id"))
    return [
        Fetch(
            path=f"/{store.store_id}/orders/{quote(order_id, safe='')}",
            merge=lambda _webhook, order: order,
            is_order=True,
            is_valid_response=lambda order: str(order.get("id")) == order_id,
        )
    ]


def build_probe_path(store: TiendanubeStore) -> str:
    # https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-30.
    return f"/{store.store_id}/orders?per_page=1&fields=id"


def build_headers(store: TiendanubeStore, token: str | None) -> dict[str, str]:
    """Return both spellings of the token's header: older pages say `Authentication`, newer ones `Authorization`."""
    return {
        "Authentication": f"bearer {token}",
        "Authorization": f"Bearer {token}",
        "User-Agent": store.user_agent,
    }
