"""WooCommerce."""

from mappings.storefront import Signature, Storefront
from mappings.storefronts.woocommerce.api import basic_auth, required_fetches
from mappings.storefronts.woocommerce.schema import WooOrderSchema
from mappings.storefronts.woocommerce.store import WooStoreSchema
from mappings.storefronts.woocommerce.webhook import decode_secret, identify, is_ping, sample_headers

#: Where plugins put the tax document: https://github.com/mobbexco/woocommerce (Observer/Checkout.php),
#: https://github.com/fedealvz/Woo-iFactura, EBANX's and Mexican invoicing plugins, read 2026-11-21.
DOCUMENT_FROM = (
    "meta_data:_billing_dni",
    "meta_data:billing_dni",
    "meta_data:billing_dni_ifactura",
    "meta_data:ebanx_billing_argentina_document",
    "meta_data:_billing_rfc",
)


STOREFRONT = Storefront(
    name="woocommerce",
    schema_class=WooOrderSchema,
    signature=Signature(headers=("X-WC-Webhook-Signature",), encoding="base64"),
    identify=identify,
    signing_key=decode_secret,
    is_ping=is_ping,
    settings_schema_class=WooStoreSchema,
    required_fetches=required_fetches,
    api_headers=basic_auth,
    sample_headers=sample_headers,
    sample_topic="order.updated",
    document_from=DOCUMENT_FROM,
)
