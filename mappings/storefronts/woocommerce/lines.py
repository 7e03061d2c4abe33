"""Builds the lines of a WooCommerce order, and finds which of them are the parts of a kit."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mappings.order import Line
from mappings.payload_paths import pick_text
from mappings.storefronts.woocommerce.money import RefundItem, subtract_refunds

#: Fields that name the line of the kit which a line is a part of: Product Bundles
#: (https://woocommerce.com/document/bundles-rest-api-reference/), Composite Products
#: (https://woocommerce.com/document/composite-products/composite-products-rest-api-reference/) and Mix and Match
#: (https://woocommerce.com/products/woocommerce-mix-and-match-products/). Read 2026-11-30.
KIT_LINE_FIELDS = ("bundled_by", "composite_parent", "mnm_child_of")
#: Meta data that names the kit's product: WPC Product Bundles and WPC Composite Products
#: (https://wordpress.org/plugins/woo-product-bundle/, https://wordpress.org/plugins/wpc-composite-products/). Read
#: 2026-11-30.
KIT_PRODUCT_PATHS = (
    "meta_data:_woosb_parent_id",
    "meta_data:woosb_parent_id",
    "meta_data:_wooco_parent_id",
    "meta_data:wooco_parent_id",
)
#: Fields of a line that only say what it belongs to.
RELATION_FIELDS = {*KIT_LINE_FIELDS, "product_id", "meta_data"}


def build_lines(entries: Sequence[Mapping[str, Any]], refund_items: Iterable[RefundItem]) -> list[Line]:
    """Return what is left of each line after refunds, without empty lines."""
    refund_items = list(refund_items)
    lines = []
    for index, entry in enumerate(entries):
        own_fields = {name: value for name, value in entry.items() if name not in RELATION_FIELDS}
        remaining = subtract_refunds(own_fields, refund_items)
        if remaining["quantity"]:
            kit_line_id = find_kit_line(entry, entries[:index])
            lines.append(Line(**remaining, line_id=entry.get("item_id"), kit_line_id=kit_line_id))
    return lines


def find_kit_line(entry: Mapping[str, Any], previous: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the id of the line of the kit that a line is a part of; None if it is a product of its own.

    Where a plug-in names only the kit's product, its line is the last one before the part.
    """
    named = next((line_id for name in KIT_LINE_FIELDS if (line_id := entry.get(name)) not in (None, "0")), None)
    product_id = None if named else pick_text(entry, KIT_PRODUCT_PATHS)
    if product_id is None:
        return named
    kits = [other.get("item_id") for other in previous if other.get("product_id") == product_id]
    return kits[-1] if kits else None
