"""Shopify's requests about personal data, and the notice that the app was uninstalled.

https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance, read 2026-11-30. An app has one address for all
three requests, so the body says which it is; the header with the topic is not signed.
"""

from collections.abc import Mapping
from typing import Any

from mappings.customer_notices import read_customer_notice
from mappings.notices import Notice, NoticeTopic
from mappings.settings import shop_address
from mappings.storefronts.shopify.store import ShopifyStore, is_permanent_domain

TOPICS = frozenset(
    {
        NoticeTopic.CUSTOMER_DATA_REQUEST,
        NoticeTopic.CUSTOMER_REDACT,
        NoticeTopic.STORE_REDACT,
        NoticeTopic.APP_UNINSTALLED,
    }
)
STORE_REDACT_FIELDS = {"shop_id", "shop_domain"}


def read_notice(payload: Mapping[str, Any], topic: NoticeTopic | None) -> Notice | None:
    """Return what a body says; None if it is no notice.

    The body of `app/uninstalled` is the shop, as that of `shop/update` is, so only its address tells them apart.
    """
    if "shop_domain" in payload and "id" not in payload:
        if payload.keys() == STORE_REDACT_FIELDS:
            return Notice(topic=NoticeTopic.STORE_REDACT)
        return read_customer_notice(payload)
    if topic is NoticeTopic.APP_UNINSTALLED and "myshopify_domain" in payload:
        return Notice(topic=topic)
    return None


def is_notice_of_shop(payload: Mapping[str, Any], store: ShopifyStore) -> bool:
    """Return whether a notice is of the store's shop, by the domain in its body.

    A store whose settings do not name its shop takes every notice with its secret.
    """
    address = shop_address(store.api_url)
    domains = store.shop_domain or ([address] if address and is_permanent_domain(address) else [])
    domain = shop_address(payload.get("shop_domain") or payload.get("myshopify_domain"))
    return not domains or domain in domains
