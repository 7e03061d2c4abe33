"""A storefront's notices: requests about personal data, and news about the app in the shop.

Each has its own address, `/webhooks/<store>/privacy/<topic>`, because not every body says what it is about.
"""

from dataclasses import dataclass
from enum import StrEnum


class NoticeTopic(StrEnum):
    """What a notice is about: the last part of its address."""

    CUSTOMER_DATA_REQUEST = "customers-data-request"  # a customer wants to see what is kept
    CUSTOMER_REDACT = "customers-redact"  # a customer wants it erased
    STORE_REDACT = "store-redact"  # the shop left: everything of it is to be erased
    APP_UNINSTALLED = "app-uninstalled"
    APP_SUSPENDED = "app-suspended"
    APP_RESUMED = "app-resumed"


#: The topics that ask for something, which a person must see to.
REQUEST_TOPICS = frozenset({NoticeTopic.CUSTOMER_DATA_REQUEST, NoticeTopic.CUSTOMER_REDACT, NoticeTopic.STORE_REDACT})
#: Other names of topics in addresses -> the topic.
TOPIC_ALIASES = {"shop-redact": NoticeTopic.STORE_REDACT, "customers-data_request": NoticeTopic.CUSTOMER_DATA_REQUEST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a signed body says. `email` and `phone` are personal data."""

    topic: NoticeTopic
    request_id: str | None = None  # the platform's id of the request
    customer_id: str | None = None
    email: str | None = None
    phone: str | None = None
    order_ids: tuple[str, ...] = ()


def find_topic(name: str) -> NoticeTopic | None:
    """Return the topic in an address; None if there is none of this name."""
    if name in TOPIC_ALIASES:
        return TOPIC_ALIASES[name]
    return NoticeTopic(name) if name in set(NoticeTopic) else None
