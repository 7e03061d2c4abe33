"""Maps any storefront's payload to a canonical `Order`, and an `Order` to any destination's request.

Pure: no network, no database, no clock, no environment. Nothing here imports `connector`.
An integration is a module under `storefronts/` or `destinations/`, and a name in the lists below.
"""

from typing import Any

from mappings.destination import Destination
from mappings.destinations.centelar import Centelar
from mappings.destinations.lapyme import Lapyme
from mappings.destinations.rayo import Rayo
from mappings.storefront import Storefront
from mappings.storefronts.shopify import Shopify
from mappings.storefronts.tiendanube import Tiendanube
from mappings.storefronts.woocommerce import WooCommerce

_STOREFRONTS: list[Storefront[Any]] = [Shopify(), Tiendanube(), WooCommerce()]
_DESTINATIONS: list[Destination[Any]] = [Rayo(), Lapyme(), Centelar()]

STOREFRONTS = {storefront.name: storefront for storefront in _STOREFRONTS}
DESTINATIONS = {destination.name: destination for destination in _DESTINATIONS}
