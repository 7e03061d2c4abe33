"""A storefront: how it signs its webhooks, what a webhook is about, and what has to be fetched for it.

These are data and pure functions. `connector` acts on them, once for all storefronts.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mappings.order import Order
from mappings.schema import StorefrontSchema, schema_instance
from mappings.settings import Store, StoreSchema

#: The hub's words for what an event says. A platform's own topic stands beside them.
CANONICAL_TOPICS = frozenset({"created", "paid", "updated", "cancelled"})


class MalformedWebhookError(Exception):
    """The request is signed, but is not what this storefront sends. The text says why, without the payload's data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookIdentity:
    """What a webhook is about, found without mapping it."""

    topic: str  # the platform's own word
    topics: frozenset[str]  # that word, and every hub word that fits
    event_key: str  # unique per store; the same when the storefront sends the event again
    order_id: str | None = None
    order_number: str | None = None
    source_updated_at: datetime | None = None  # the source's own time of the change; None: when it arrived
    has_order: bool = True  # False: no order can be read from it, nor fetched by it (deleted)
    ignore_reason: str | None = None  # why this is recorded and never forwarded
    #: The platform sends the same bytes for a new change as for a repeat: a repeat makes the forwarder fetch again.
    refetch_on_duplicate: bool = False

    @property
    def is_cancellation(self) -> bool:
        return "cancelled" in self.topics


#: (headers with lower-case names, payload, raw body) -> Identity. Raises `MalformedWebhookError`.
IdentifyWebhook = Callable[[Mapping[str, str], Mapping[str, Any], bytes], WebhookIdentity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """HMAC-SHA256 over the raw body, keyed with the store's secret."""

    headers: tuple[str, ...]  # any of these carries it
    encoding: Literal["base64", "hex"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One GET at the storefront's API for what a webhook does not carry."""

    path: str  # after the store's `api_url`
    merge: Callable[[dict[str, Any], Any], dict[str, Any]]  # (payload, parsed reply) -> payload
    is_order: bool = False  # the order itself: without it nothing can be read
    is_valid_response: Callable[[Any], bool] = lambda reply: True  # whether a reply is about what was asked


@dataclass(frozen=True, kw_only=True)
class Storefront:
    name: str  # as in `storefront = "<name>"`
    schema_class: type[StorefrontSchema]
    signature: Signature
    identify: IdentifyWebhook
    settings_schema_class: type[StoreSchema] = StoreSchema
    #: Settings beside the secrets without which there is no store: of an invented shop, to try things on.
    sample_settings: Mapping[str, Any] = field(default_factory=dict)
    #: The secret as the platform keys its HMAC with it, from the secret as the merchant sees it.
    signing_key: Callable[[str], str] = str
    #: A call that proves nothing and carries nothing, such as a test of the address: answered 200, not recorded.
    is_ping: Callable[[bytes], bool] = lambda body: False
    #: The headers and topic with which a sample is posted, as the platform would: (payload, topic) -> headers.
    sample_headers: Callable[[Mapping[str, Any], str], dict[str, str]]
    #: The topic of a sample of a paid order.
    sample_topic: str
    #: The webhook about an order, where it does not carry the order: (order, topic, store) -> body.
    thin_payload: Callable[[Mapping[str, Any], str, Any], dict[str, Any]] | None = None
    document_from: tuple[str, ...] = ()
    #: Whether a signed payload is this store's: one app's secret may sign for every shop.
    belongs_to_store: Callable[[Mapping[str, Any], Any], bool] = lambda payload, store: True
    #: What is to be fetched before a payload is read, given what the destination `needs`: (payload, store, needs).
    required_fetches: Callable[[Mapping[str, Any], Any, Set[str]], Sequence[Fetch]] = lambda payload, store, needs: ()
    #: The headers of those GETs, with the store's token.
    api_headers: Callable[[Any], dict[str, str]] = lambda store: {}

    @property
    def schema(self) -> StorefrontSchema:
        schema: StorefrontSchema = schema_instance(self.schema_class)
        return schema

    def schema_for(self, store: Store) -> StorefrontSchema:
        """The store's own, or that of all."""
        schema_class: Any = store.schema or self.schema_class
        schema: StorefrontSchema = schema_instance(schema_class)
        return schema

    def parse_order(self, payload: Mapping[str, Any], store: Store) -> Order:
        """Return the order in `payload`. Raises `MappingError` naming every field at fault."""
        paths = store.document_from if store.document_from is not None else self.document_from
        return self.schema_for(store).parse_order(payload, store=store, document_from=paths)
