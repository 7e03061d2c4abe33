"""Settings and webhooks of invented shops, with which the sandbox, the demo and the tests try every integration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


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
