"""Tiendanube, called Nuvemshop in Brazil: its signatures, and the request for the order that a webhook names."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from mappings.fields import parse_datetime
from mappings.notices import Notice, NoticeTopic
from mappings.store_api import ApiResponse
from mappings.storefront import Fetch, OrderTimes, Signature, Storefront, WebhookIdentity
from mappings.storefronts.tiendanube.api import build_headers, build_probe_path, find_required_fetches
from mappings.storefronts.tiendanube.authorization import TiendanubeAuthorization
from mappings.storefronts.tiendanube.listing import TiendanubeOrderListing, is_beyond_last_page
from mappings.storefronts.tiendanube.notices import TOPICS, read_notice
from mappings.storefronts.tiendanube.sample import SampleTiendanubeStore
from mappings.storefronts.tiendanube.schema import TiendanubeOrderSchema
from mappings.storefronts.tiendanube.setup import SETUP_PLAN
from mappings.storefronts.tiendanube.store import TiendanubeStore, TiendanubeStoreSchema
from mappings.storefronts.tiendanube.webhook import (
    build_listed_body,
    identify_listed_order,
    identify_webhook,
    is_of_shop,
)
from mappings.storefronts.tiendanube.webhook_api import TiendanubeWebhookApi


class Tiendanube(Storefront[TiendanubeStore]):
    name = "tiendanube"
    order_schema = TiendanubeOrderSchema
    settings_schema = TiendanubeStoreSchema
    # "Some frameworks will change the header to HTTP_X_LINKEDSTORE_HMAC_SHA256", says its page.
    signature = Signature(headers=("X-Linkedstore-HMAC-SHA256", "HTTP-X-Linkedstore-HMAC-SHA256"), encoding="hex")
    document_from = ("contact_identification", "customer.identification")
    has_thin_webhooks = True
    app_authorization = TiendanubeAuthorization()
    order_listing = TiendanubeOrderListing()
    webhook_api = TiendanubeWebhookApi()
    notice_topics = TOPICS
    setup_plan = SETUP_PLAN
    sample = SampleTiendanubeStore()

    def identify(self, headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
        return identify_webhook(payload, body)

    def identify_listed(self, payload: Mapping[str, Any], *, is_new: bool) -> WebhookIdentity:
        return identify_listed_order(payload, is_new=is_new)

    def listed_body(self, payload: Mapping[str, Any], store: TiendanubeStore) -> bytes:
        return build_listed_body(payload, store.store_id)

    def shop_names(self, store: TiendanubeStore) -> list[str]:
        return [store.store_id]

    def belongs_to_store(self, headers: Mapping[str, str], payload: Mapping[str, Any], store: TiendanubeStore) -> bool:
        return is_of_shop(payload, store.store_id)

    def read_notice(self, payload: Mapping[str, Any], topic: NoticeTopic | None = None) -> Notice | None:
        return read_notice(payload)

    def order_times(self, payload: Mapping[str, Any]) -> OrderTimes:
        return OrderTimes(
            placed_at=parse_datetime(payload.get("created_at")), paid_at=parse_datetime(payload.get("paid_at"))
        )

    def required_fetches(
        self, payload: Mapping[str, Any], store: TiendanubeStore, required_details: Set[str]
    ) -> Sequence[Fetch]:
        return find_required_fetches(payload, store)

    def probe_path(self, store: TiendanubeStore) -> str:
        return build_probe_path(store)

    def is_probe_response(self, response: ApiResponse) -> bool:
        return super().is_probe_response(response) or is_beyond_last_page(response)  # a shop without orders

    def api_headers(self, store: TiendanubeStore, token: str | None) -> dict[str, str]:
        return build_headers(store, token)
