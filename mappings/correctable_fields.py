"""The fields of an order that a person can enter, and what merchants call them.

A field is named by its place in the canonical order: `ship_to.district`, `customer.last_name`, `lines[11].sku` (the
line that the storefront calls 11), `payments[bacs].gateway` (the payments of that gateway).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mappings.labels import LABELS, N_, Translate, render_path, untranslated
from mappings.text import clean_text

Path = tuple[str | int, ...]

#: The parts of an address that can be entered.
ADDRESS_PARTS = ("name", "street", "number", "unit", "district", "postal_code", "city", "state", "country")
#: The fields that are no part of an address or an item -> their path in `LABELS`.
SINGLE_FIELDS: Mapping[str, Path] = {
    "phone": ("ship_to", "phone"),
    "email": ("email",),
    "document": ("document",),
    "customer.first_name": ("customer", "first_name"),
    "customer.last_name": ("customer", "last_name"),
    "pickup_name": ("pickup_id",),
    "payments.gateway": ("payments", "gateway"),  # of an order whose storefront names no payment
}
#: Every field that is none of an item -> its path in `LABELS`.
LABEL_PATHS: Mapping[str, Path] = {
    **{f"{address}.{part}": (address, part) for address in ("ship_to", "bill_to") for part in ADDRESS_PARTS},
    **SINGLE_FIELDS,
}
#: The fields of the items of a list. A product's identifiers stay exactly as they are entered.
ITEM_FIELD = re.compile(r"(?P<items>lines|payments)\[(?P<key>.*)\]\.(?P<attribute>sku|barcode|name|gateway)", re.DOTALL)
VERBATIM_ATTRIBUTES = {"sku", "barcode"}
ITEM_ATTRIBUTES = {"lines": ("sku", "barcode", "name"), "payments": ("gateway",)}
#: What merchants call a field of an item.
ITEM_PHRASES = {"lines": N_("Products > %(field)s (%(key)s)"), "payments": N_("Payments > %(field)s (%(key)s)")}
#: How fields of items look, for messages.
ITEM_FORMS = ("lines[ID].sku", "lines[ID].barcode", "lines[ID].name", "payments[GATEWAY].gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A field of a product or of a payment."""

    items: str  # "lines" or "payments"
    key: str  # the line's id, or the payment's gateway
    attribute: str


def parse_item(field: str) -> Item | None:
    """Return which item's field it is; None if it is none of an item."""
    match = ITEM_FIELD.fullmatch(field)
    if match is None or match["attribute"] not in ITEM_ATTRIBUTES[match["items"]]:
        return None
    return Item(items=match["items"], key=match["key"], attribute=match["attribute"])


def is_correctable(field: str) -> bool:
    return field in LABEL_PATHS or parse_item(field) is not None


def render_field(field: str, translate: Translate = untranslated) -> str:
    """Return what merchants call a field: "Shipping address > neighbourhood", "Products > SKU (11)"."""
    item = parse_item(field)
    if item is None:
        return render_path(LABEL_PATHS.get(field, (field,)), translate)
    return translate(ITEM_PHRASES[item.items]) % {"field": translate(LABELS[item.attribute]), "key": item.key}


def clean_value(field: str, text: str) -> str | None:
    """Return a value without stray blanks and unseen characters; None if nothing is left."""
    item = parse_item(field)
    return clean_text(text, is_verbatim=item is not None and item.attribute in VERBATIM_ATTRIBUTES)
