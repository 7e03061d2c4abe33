"""Fakes of the storefronts' APIs, from which the connector fetches what webhooks leave out.

Tests and the sandbox's web interface put orders there first: whole, with `transactions`, with `barcode` in the lines,
and with the lines of their `refunds`. The webhooks that are registered by the API are sent then, too.
"""

from functools import partial

from flask import Blueprint

from connector.sandbox.state import Sandbox
from connector.sandbox.storefront_apis.base import FakeStorefrontApi
from connector.sandbox.storefront_apis.shopify import FakeShopifyApi
from connector.sandbox.storefront_apis.shopify_webhooks import ShopifyWebhookPlatform
from connector.sandbox.storefront_apis.tiendanube import FakeTiendanubeApi
from connector.sandbox.storefront_apis.tiendanube_webhooks import TiendanubeWebhookPlatform
from connector.sandbox.storefront_apis.woocommerce import FakeWooCommerceApi
from connector.sandbox.storefront_apis.woocommerce_webhooks import WooWebhookPlatform

_APIS: list[type[FakeStorefrontApi]] = [FakeTiendanubeApi, FakeShopifyApi, FakeWooCommerceApi]
WEBHOOK_PLATFORMS = (TiendanubeWebhookPlatform(), ShopifyWebhookPlatform(), WooWebhookPlatform())
STOREFRONT_APIS = {api_class.storefront: api_class for api_class in _APIS}


def create_storefronts_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the endpoints of every storefront, below its name."""
    blueprint = Blueprint("storefronts", __name__)
    for api_class in STOREFRONT_APIS.values():
        api = api_class(sandbox=sandbox)
        for endpoint in api.endpoints():
            blueprint.add_url_rule(
                f"/{api.storefront}{endpoint.path}",
                f"{api.storefront}-{endpoint.handler.__name__}",
                partial(api.respond, endpoint),
                methods=[endpoint.method],
            )
    return blueprint
