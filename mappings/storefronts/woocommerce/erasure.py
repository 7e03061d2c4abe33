"""How WooCommerce marks orders whose customer's data it erased.

WC_Privacy_Erasers::remove_order_personal_data, and the clean-up of old orders, keep the order's status, products and
total, set the meta data `_anonymized`, and put placeholders where personal data was: "[deleted]" in the shop's
language, and deleted@site.invalid (wp_privacy_anonymize_data). https://github.com/woocommerce/woocommerce,
plugins/woocommerce/includes/class-wc-privacy-erasers.php, and
https://developer.wordpress.org/reference/functions/wp_privacy_anonymize_data/, read 2026-11-30.
"""

from collections.abc import Mapping
from typing import Any

ERASED_EMAIL = "deleted@site.invalid"
ERASED_NAME = "[deleted]"


def is_marked_erased(payload: Mapping[str, Any]) -> bool:
    """Return whether WooCommerce says that it erased the customer, in a place where no customer can write."""
    meta_data = payload.get("meta_data")
    for entry in meta_data if isinstance(meta_data, list) else ():
        if isinstance(entry, Mapping) and entry.get("key") == "_anonymized" and entry.get("value") == "yes":
            return True
    return False


def is_anonymized(payload: Any) -> bool:
    """Return whether the order says, or looks as if, its customer was erased."""
    if not isinstance(payload, Mapping):
        return False
    if is_marked_erased(payload):
        return True
    billing = payload.get("billing")
    if not isinstance(billing, Mapping):
        return False
    return billing.get("email") == ERASED_EMAIL or billing.get("first_name") == ERASED_NAME
