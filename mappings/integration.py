"""The facts about a spoke that are not fields: how it signs, what a webhook says, where orders go, what a reply means.

These are data and pure functions. `connector` acts on them, once for all spokes.
"""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal

from mappings.contracts import Contract
from mappings.customer_lookup import CustomerApi, CustomerMatch
from mappings.order import Order
from mappings.order_request import OrderRequest
from mappings.schema import DestinationSchema, MappingError, StorefrontSchema
from mappings.settings import Account, AccountSchema, Store, StoreSchema

#: The hub's words for what an event says. A platform's own topic stands beside them.
CANONICAL_TOPICS = frozenset({"created", "paid", "updated", "cancelled"})


def get_path(value: Any, path: str) -> Any:
    """What stands at a dotted path of objects; None where there is nothing."""
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


@cache
def schema_instance(schema_class: type[Any]) -> Any:
    """Return the one instance of a schema: to build one costs more than a load."""
    return schema_class()


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


class Outcome(StrEnum):
    """What one attempt came to."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # surely not processed; the same body would be refused again
    NOT_PROCESSED = "not_processed"  # surely not processed; worth another try
    UNAUTHORIZED = "unauthorized"  # surely not processed; every order of the account would meet the same
    TOKEN_EXPIRED = "token_expired"  # noqa: S105  # surely not processed; a new token may help
    AMBIGUOUS = "ambiguous"  # may or may not have been processed
    CONFLICT = "conflict"  # the key was used with another body: an earlier one may have been processed


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExchange:
    """A POST without a body that turns the account's API key into a short-lived token (a JWT)."""

    path: str
    key_header: str
    token_path: str  # dotted path in the reply


@dataclass(frozen=True, kw_only=True)
class Destination:
    name: str  # as in `destination = "<name>"`
    schema_class: type[DestinationSchema]
    contract: Contract
    path: str
    order_id_path: str  # dotted path in a 2xx reply to the new order's id
    settings_schema_class: type[AccountSchema] = AccountSchema
    #: Settings beside the address with which an order of every kind can go: of an invented account, to try things on.
    sample_settings: Mapping[str, Any] = field(default_factory=dict)
    request_class: type[OrderRequest] = OrderRequest
    query: Callable[[Any], Mapping[str, str]] = lambda account: {}
    probe_path: str = "/"  # a GET of this creates nothing, and shows that the account can be reached
    #: The account's template by which the vendor knows an order: two stores that route here need {store} in it.
    order_reference_setting: str | None = None
    #: What the account needs of an order that some storefronts keep out of the webhook: "payments", "barcodes".
    required_details: Callable[[Any], Set[str]] = lambda account: frozenset()
    #: The standing Bearer of an account; None: none, or one that `token` gets.
    bearer: Callable[[Any], str | None] = lambda account: None
    token: TokenExchange | None = None
    api_key: Callable[[Any], str | None] = lambda account: None  # what `token` exchanges
    idempotency_header: str | None = None  # None: an attempt without an answer is never repeated by itself
    #: What a reply means where the vendor's differs from everyone's: (status, parsed body or None) -> Outcome or None.
    classify_response: Callable[[int, Any], Outcome | None] = lambda status, body: None
    #: Where customers are found and made, of which an order names one.
    customer_api: CustomerApi | None = None

    @property
    def schema(self) -> DestinationSchema:
        schema: DestinationSchema = schema_instance(self.schema_class)
        return schema

    def schema_for(self, account: Account) -> DestinationSchema:
        """The account's own, or that of all."""
        schema_class: Any = account.schema or self.schema_class
        schema: DestinationSchema = schema_instance(schema_class)
        return schema

    def make_order_request(
        self, schema_class: Order, account: Account, store: Store, customer_match: CustomerMatch | None = None
    ) -> OrderRequest:
        """What the body is dumped from."""
        request_class = self.schema_for(account).request_class or self.request_class
        return request_class(order=schema_class, account=account, store=store, customer_match=customer_match)

    @property
    def supports_idempotency(self) -> bool:
        return self.idempotency_header is not None

    def build_request(
        self, schema_class: Order, account: Account, store: Store, *, customer_match: CustomerMatch | None = None
    ) -> "RequestBody":
        """Return the body of `order` for `account`. Raises `MappingError` naming every field at fault.

        The body has passed its schema, and the vendor's contract.

        Args:
            booked: whom the destination has the order's customer for. None: it was not asked.
        """
        order_request = self.make_order_request(schema_class, account, store, customer_match)
        body, problems = self.schema_for(account).dump_and_validate(order_request)
        ambiguities = order_request.ambiguities if store.unsure == "problem" else []
        problems = [*schema_class.blocking_problems, *ambiguities, *order_request.problems(), *problems]
        if problems:
            hints = [
                schema_class.missing_details[detail]
                for detail in sorted(self.required_details(account))
                if detail in schema_class.missing_details
            ]
            raise MappingError(list(dict.fromkeys([*problems, *hints])))
        if errors := self.contract.validate_request(body):
            raise MappingError([f"The body breaks {self.name}'s contract: {error}" for error in errors])
        return RequestBody(
            body=body,
            warnings=[*order_request.ambiguities, *order_request.data_quality_warnings, *order_request.warnings()],
        )

    def parse_created_order_id(self, response: Any) -> str | None:
        """The new order's id in a 2xx reply that keeps the contract; None where it does not."""
        if self.contract.validate_response(response):
            return None
        order_id = get_path(response, self.order_id_path)
        return None if order_id is None or order_id == "" else str(order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """A body that may leave, and what it could not say."""

    body: dict[str, Any]
    warnings: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()
