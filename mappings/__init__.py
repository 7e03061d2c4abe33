"""Read any storefront's order into one `Order`; write any destination's request from it.

Pure: no network, no database, no clock, no environment. Nothing here imports `connector`.
A spoke is one file under `storefronts/` or `destinations/`, and one name in the list below.
"""

from mappings.destination import Destination
from mappings.destinations import centelar, lapyme, rayo
from mappings.storefront import Storefront
from mappings.storefronts import shopify, tiendanube, woocommerce

STOREFRONTS: dict[str, Storefront] = {
    storefront.name: storefront
    for storefront in [
        shopify.STOREFRONT,
        tiendanube.STOREFRONT,
        woocommerce.STOREFRONT,
    ]
}
DESTINATIONS: dict[str, Destination] = {
    destination.name: destination
    for destination in [
        rayo.DESTINATION,
        lapyme.DESTINATION,
        centelar.DESTINATION,
    ]
}
