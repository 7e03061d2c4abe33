"""WooCommerce: its signatures, and the requests for what a webhook lacks."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from mappings.fields import parse_datetime
from mappings.storefront import Fetch, OrderTimes, Signature, Storefront, WebhookIdentity
from mappings.storefronts.woocommerce.api import basic_auth, find_required_fetches
from mappings.storefronts.woocommerce.erasure import is_anonymized
from mappings.storefronts.woocommerce.listing import WooOrderListing
from mappings.storefronts.woocommerce.sample import SampleWooStore
from mappings.storefronts.woocommerce.schema import WooOrderSchema
from mappings.storefronts.woocommerce.setup import SETUP_PLAN
from mappings.storefronts.woocommerce.store import WooStore, WooStoreSchema
from mappings.storefronts.woocommerce.webhook import (
    decode_secret,
    identify_listed_order,
    identify_webhook,
    is_of_shop,
    is_ping_body,
)
from mappings.storefronts.woocommerce.webhook_api import WooWebhookApi


class WooCommerce(Storefront[WooStore]):
    name = "woocommerce"
    order_schema = WooOrderSchema
    settings_schema = WooStoreSchema
    signature = Signature(headers=("X-WC-Webhook-Signature",), encoding="base64")
    # Where plugins put the tax document: https://github.com/mobbexco/woocommerce (Observer/Checkout.php),
    # https://github.com/fedealvz/Woo-iFactura, EBANX's and Mexican invoicing plugins, read 2026-11-21.
    document_from = (
        "meta_data:_billing_dni",
        "meta_data:billing_dni",
        "meta_data:billing_dni_ifactura",
        "meta_data:ebanx_billing_argentina_document",
        "meta_data:_billing_rfc",
    )
    # It cancels orders that are unpaid after the minutes of "hold stock", and a payment that comes later makes such an
    # order "processing" (WC_Order::payment_complete); an order comes back from the trash.
    # https://github.com/woocommerce/woocommerce, includes/class-wc-order.php, wc_cancel_unpaid_orders in
    # includes/wc-order-functions.php, read 2026-11-30.
    can_undo_cancellation = True
    order_listing = WooOrderListing()
    webhook_api = WooWebhookApi()
    setup_plan = SETUP_PLAN
    sample = SampleWooStore()

    def identify(self, headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
        return identify_webhook(headers, payload, body)

    def identify_listed(self, payload: Mapping[str, Any], *, is_new: bool) -> WebhookIdentity:
        return identify_listed_order(payload, is_new=is_new)

    def signing_key(self, secret: str) -> str:
        return decode_secret(secret)

    def is_ping(self, body: bytes) -> bool:
        return is_ping_body(body)

    def is_customer_erased(self, payload: Mapping[str, Any]) -> bool:
        return is_anonymized(payload)

    def order_times(self, payload: Mapping[str, Any]) -> OrderTimes:
        return OrderTimes(
            placed_at=parse_datetime(payload.get("date_created_gmt"), is_utc=True),
            paid_at=parse_datetime(payload.get("date_paid_gmt"), is_utc=True),
        )

    def belongs_to_store(self, headers: Mapping[str, str], payload: Mapping[str, Any], store: WooStore) -> bool:
        return is_of_shop(headers, payload, store.shop_domain)

    def required_fetches(
        self, payload: Mapping[str, Any], store: WooStore, required_details: Set[str]
    ) -> Sequence[Fetch]:
        return find_required_fetches(payload, store)

    def probe_path(self, store: WooStore) -> str:
        # https://woocommerce.github.io/woocommerce-rest-api-docs/#list-all-orders, read 2026-11-30.
        return "/wp-json/wc/v3/orders?per_page=1&_fields=id"

    def api_headers(self, store: WooStore, token: str | None) -> dict[str, str]:
        return basic_auth(token)
