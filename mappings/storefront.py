"""A storefront: how it signs its webhooks, what a webhook is about, and what has to be fetched for it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal

from mappings.access_tokens import AppAuthorization, TokenRequest
from mappings.corrections import Correction, apply_corrections
from mappings.notices import Notice, NoticeTopic
from mappings.order import Order
from mappings.order_listing import OrderListing
from mappings.problems import MappingError, Problem
from mappings.samples import SampleStore
from mappings.schema import StorefrontSchema, schema_instance
from mappings.settings import StoreSchema, StoreT
from mappings.setup_questions import SetupPlan
from mappings.store_api import ApiResponse
from mappings.webhook_api import WebhookApi

#: What an event says, on any platform. An event also has the platform's own topic.
CANONICAL_TOPICS = frozenset({"created", "paid", "updated", "cancelled"})
#: What an unsigned topic may claim and only a signed body can prove -> the warning if the body does not.
UNPROVEN_CLAIMS = {
    "paid": Problem(code="topic_says_paid"),
    "cancelled": Problem(code="topic_says_cancelled"),
    "deleted": Problem(code="topic_says_deleted"),
}


class MalformedWebhookError(Exception):
    """The request is signed, but is not a webhook of this storefront. The text says why, without the payload's data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreError:
    """An error that the store sends in place of an order."""

    reason: Problem  # what it means, and what to do; without params
    is_of_one_order: bool = False  # False: the store sends no orders until somebody corrects it


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookIdentity:
    """What a webhook is about. It is read before the response is sent, and without mapping the order."""

    topic: str  # the platform's own
    topics: frozenset[str]  # that topic, and all canonical topics that apply
    event_key: str  # unique per store; the same when the storefront sends the event again
    order_id: str | None = None
    order_number: str | None = None
    source_updated_at: datetime | None = None  # when the order changed, by the platform; None: when it arrived
    has_order: bool = True  # False: the payload has no order, and none can be fetched (it was deleted)
    undoes_deletion: bool = False  # the order is back, so a deletion of it that arrives late does not count
    ignore_reason: Problem | None = None  # why the event is recorded and never sent; without personal data
    store_error: StoreError | None = None  # each is counted, though its bytes are those of the one before
    warnings: tuple[Problem, ...] = ()  # what looks wrong; without personal data
    #: Whether the body has a payment status that the platform does not document. Such an order takes the routes of a
    #: paid one, so that it is parked where a person sees it.
    has_unknown_payment: bool = False
    is_unpaid: bool = False  # the body says so; a thin webhook does not say
    #: The store erased the customer's data from this order, which asks for the same here. The body is not stored.
    erased_order_id: str | None = None
    #: Whether a repeat is fetched again, because the platform sends the same bytes for a new change.
    refetch_on_duplicate: bool = False

    @property
    def is_cancellation(self) -> bool:
        return "cancelled" in self.topics

    @property
    def topics_for_routes(self) -> frozenset[str]:
        return self.topics | {"paid"} if self.has_unknown_payment else self.topics


def confirm_topic(topic: str, claim: str, facts: Set[str]) -> tuple[frozenset[str], tuple[Problem, ...]]:
    """Return an event's topics, and a warning if its topic claims what its body does not prove.

    A topic in a header is not signed. It may say what the event is about, but only the body says that an order is paid,
    cancelled or deleted.

    Args:
        claim: what the topic says: a canonical topic, or "deleted".
        facts: which of `UNPROVEN_CLAIMS` the body proves.
    """
    if claim in UNPROVEN_CLAIMS and claim not in facts:
        return frozenset({"updated", *facts}), (UNPROVEN_CLAIMS[claim],)
    words = {"cancelled" if word == "deleted" else word for word in (claim, *facts)}
    return frozenset({topic, *words}), ()


def dump_payload(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTimes:
    """When an order was placed and paid, by its platform."""

    placed_at: datetime | None = None
    paid_at: datetime | None = None  # None: the platform does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The HMAC-SHA256 of the raw body with the store's secret."""

    headers: tuple[str, ...]  # any of these may have it
    encoding: Literal["base64", "hex"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseError:
    """An error in a response whose HTTP status says success, as GraphQL has them."""

    code: str
    status: int | None = None  # the HTTP status that says the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """A request to the storefront's API for something that a webhook lacks. It changes nothing there."""

    path: str  # below the store's `api_url`
    method: str = "GET"
    data: Any = None  # the body, sent as JSON
    merge: Callable[[dict[str, Any], Any], dict[str, Any]]  # (payload, parsed response) -> payload
    is_order: bool = False  # whether it returns the order itself, without which nothing can be mapped
    is_valid_response: Callable[[Any], bool] = lambda _response: True  # whether the response is about the right object
    find_error: Callable[[Any], ResponseError | None] = lambda _response: None


class Storefront(ABC, Generic[StoreT]):
    """Base class of all storefronts. Class attributes are facts, methods are pure functions; `connector` does the I/O.

    The registry holds one instance of each. A subclass fails at import if it lacks an attribute that has no value here
    (TypeError when it is defined) or an abstract method (TypeError when the registry instantiates it).
    """

    #: The value of `storefront` in `connector.toml`.
    name: ClassVar[str]
    order_schema: ClassVar[type[StorefrontSchema]]
    settings_schema: ClassVar[type[StoreSchema]] = StoreSchema
    signature: ClassVar[Signature]
    #: Paths at which the customer's tax document usually is; a store's `document_from` replaces them.
    document_from: ClassVar[tuple[str, ...]] = ()
    #: Whether an order that the store cancelled or deleted can come back there, to be paid and sent after all.
    can_undo_cancellation: ClassVar[bool] = False
    #: Whether webhooks only name the order, which is then fetched.
    has_thin_webhooks: ClassVar[bool] = False
    #: How the orders that changed in a period are listed. None: the platform's API does not offer that.
    order_listing: ClassVar[OrderListing[Any] | None] = None
    #: How a shop authorizes an app, if its API takes a token that only a person can obtain.
    app_authorization: ClassVar[AppAuthorization[Any] | None] = None
    #: How its API lists and changes a store's webhooks; None: it does not, or not in a way that is known.
    webhook_api: ClassVar[WebhookApi[Any] | None] = None
    #: Which requests about personal data, and notices about the app, the platform sends.
    notice_topics: ClassVar[frozenset[NoticeTopic]] = frozenset()
    #: What `connector init` asks about a store; None: it does not offer the storefront.
    setup_plan: ClassVar[SetupPlan | None] = None
    sample: ClassVar[SampleStore]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if missing := Storefront.__annotations__.keys() - set(dir(cls)):
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(missing))}.")

    @abstractmethod
    def identify(self, headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
        """Return what a webhook is about. Called before the response is sent.

        Args:
            headers: by lower-case name.
            payload: the parsed `body`.

        Raises:
            MalformedWebhookError: The request is signed, but is not a webhook of this storefront.
        """

    def identify_listed(self, payload: Mapping[str, Any], *, is_new: bool) -> WebhookIdentity:
        """Return the event for an order in a list, under `CATCH_UP_TOPIC`.

        The list was fetched with the store's credentials, so what the order says is true. Its topics are what it
        proves, and the platform's own topics for that.

        Args:
            is_new: whether the order was not known before.

        Raises:
            MalformedWebhookError: It is no order, or has an id that cannot be stored.
        """
        raise NotImplementedError(f"{self.name} lists no orders.")

    def listed_body(self, payload: Mapping[str, Any], store: StoreT) -> bytes:
        """Return what an event stores of an order in a list: a body that a webhook about it could have."""
        return dump_payload(payload)

    def signing_key(self, secret: str) -> str:
        """Return the key of the HMAC, from the secret as the merchant sees it."""
        return secret

    def is_ping(self, body: bytes) -> bool:
        """Return whether the request only tests the address. It is not signed; it gets a 200 and is not recorded."""
        return False

    def shop_names(self, store: StoreT) -> list[str]:
        """Return the platform's own names of the shop, from the store's settings; empty if they do not name it."""
        return store.shop_domain

    def belongs_to_store(self, headers: Mapping[str, str], payload: Mapping[str, Any], store: StoreT) -> bool:
        """Return whether a signed webhook is this store's. One secret may sign for several shops.

        The payload decides where it names the shop, since headers are not signed. A store whose settings do not name
        its shop takes every webhook.
        """
        return True

    def read_notice(self, payload: Mapping[str, Any], topic: NoticeTopic | None = None) -> Notice | None:
        """Return the request about personal data, or the notice about the app, in a signed body; None if it is none.

        Args:
            topic: that of the address, if it names one. It says what the body is only where the body itself cannot.

        Raises `MalformedWebhookError` for an id that cannot be stored.
        """
        return None

    def is_notice_of_store(self, payload: Mapping[str, Any], store: StoreT) -> bool:
        """Return whether a notice's body names this store's shop."""
        return self.belongs_to_store({}, payload, store)

    def order_times(self, payload: Mapping[str, Any]) -> OrderTimes:
        """Return when the order in `payload` was placed and paid. It is read before the order is mapped."""
        return OrderTimes()

    def required_fetches(
        self, payload: Mapping[str, Any], store: StoreT, required_details: Set[str]
    ) -> Sequence[Fetch]:
        """Return the requests for what the payload lacks and the destination needs (see `Destination`)."""
        return ()

    def api_headers(self, store: StoreT, token: str | None) -> dict[str, str]:
        """Return the headers of every request to the store's API.

        Args:
            token: the store's `api_token`, or the one that the connector obtained for it.
        """
        return {}

    def token_request(self, store: StoreT) -> TokenRequest | None:
        """Return the request that gets a new token with the store's credentials; None if no request can."""
        return None

    def probe_path(self, store: StoreT) -> str | None:
        """Return the path of a GET request that succeeds only with credentials that may read orders; None: unknown."""
        return None

    def is_probe_response(self, response: ApiResponse) -> bool:
        """Return whether a response to that request shows that the credentials may read orders."""
        return response.is_success

    @property
    def schema(self) -> StorefrontSchema:
        schema: StorefrontSchema = schema_instance(self.order_schema)
        return schema

    def schema_for(self, store: StoreT) -> StorefrontSchema:
        """Return the store's own schema, or the storefront's."""
        schema_class: Any = store.schema or self.order_schema
        schema: StorefrontSchema = schema_instance(schema_class)
        return schema

    def is_customer_erased(self, payload: Mapping[str, Any]) -> bool:
        """Return whether the store erased the customer's data from the order: what is left of it cannot be sent."""
        return False

    def parse_order(self, payload: Mapping[str, Any], store: StoreT, corrections: Sequence[Correction] = ()) -> Order:
        """Return the order in `payload`, with what a person entered. Raises `MappingError` with every problem."""
        if self.is_customer_erased(payload):
            raise MappingError([Problem(code="customer_erased")])
        paths = store.document_from if store.document_from is not None else self.document_from
        order = self.schema_for(store).parse_order(payload, store=store, document_from=paths)
        return apply_corrections(order, corrections)
