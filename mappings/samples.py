"""Settings and webhooks of invented shops, with which the sandbox, the demo and the tests try every integration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mappings.notices import NoticeTopic

#: The customer of invented requests about personal data.
SAMPLE_CUSTOMER: Mapping[str, Any] = {"id": 191167, "email": "ximena@example.mx", "phone": "+523312345678"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAccount:
    """An invented account at a destination."""

    #: What the account needs besides `base_url` so that an order of every kind can be sent.
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: The only country whose orders it takes, by its code.
    country: str | None = None


class SampleStore:
    """An invented shop on a storefront, and how the platform would post a webhook for it."""

    #: What the store needs besides `secrets`.
    settings: ClassVar[Mapping[str, Any]] = {}
    #: The topic of a paid order.
    topic: ClassVar[str]

    def build_headers(self, payload: Mapping[str, Any], topic: str, store: Any) -> dict[str, str]:
        """Return the platform's headers for a webhook of `store`, except the signature."""
        return {}

    def build_payload(self, order: Mapping[str, Any], topic: str, store: Any) -> Mapping[str, Any]:
        """Return the payload of a webhook about `order`: the order, unless the platform's webhooks only name it."""
        return order

    def build_notice(self, topic: NoticeTopic, store: Any, order_ids: tuple[int, ...] = ()) -> dict[str, Any]:
        """Return the body of a request about personal data, or of a notice about the app. `ValueError` for no such."""
        raise ValueError(f"the platform sends no {topic}")


def build_customer_notice(topic: NoticeTopic, order_ids: tuple[int, ...]) -> dict[str, Any]:
    """Return what Shopify and Tiendanube write alike of a request about the sample customer."""
    if topic is NoticeTopic.CUSTOMER_DATA_REQUEST:
        return {"customer": {**SAMPLE_CUSTOMER}, "orders_requested": list(order_ids), "data_request": {"id": 9999}}
    if topic is NoticeTopic.CUSTOMER_REDACT:
        return {"customer": {**SAMPLE_CUSTOMER}, "orders_to_redact": list(order_ids)}
    return {}
