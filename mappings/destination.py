"""A destination: where orders go, how a request is authorized, and what a response means."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Generic

from mappings.advice import Advice, Clue
from mappings.bundles import find_divided_kits, resolve_bundles
from mappings.contracts import Contract, load_contract
from mappings.credentials import HEADER_PREFIX
from mappings.customer_lookup import CustomerApi, CustomerMatch
from mappings.order import Order
from mappings.order_request import OrderRequest
from mappings.payload_paths import get_path
from mappings.problem_fields import with_fields
from mappings.problems import MappingError, Problem
from mappings.samples import SampleAccount
from mappings.schema import DestinationSchema, schema_instance
from mappings.settings import AccountSchema, AccountT, Store
from mappings.setup_questions import SetupPlan


class Outcome(StrEnum):
    """The outcome of one attempt."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # definitely not processed; the same body would be refused again
    NOT_PROCESSED = "not_processed"  # definitely not processed; a retry may succeed
    UNAUTHORIZED = "unauthorized"  # definitely not processed; true of every order of the account
    TOKEN_EXPIRED = "token_expired"  # noqa: S105  # definitely not processed; a new token may help
    AMBIGUOUS = "ambiguous"  # may or may not have been processed
    CONFLICT = "conflict"  # the key was used with another body, which may have been processed


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExchange:
    """A POST without a body that exchanges the account's API key for a short-lived token (a JWT)."""

    path: str
    key_header: str
    token_path: str  # dotted path in the response


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """A body that may be sent, and warnings about what it does not contain."""

    body: dict[str, Any]
    warnings: list[Problem] = field(default_factory=list)

    @property
    def bytes(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class Destination(Generic[AccountT]):
    """Base class of all destinations. Class attributes are facts, methods are pure functions; `connector` does the I/O.

    The registry holds one instance of each. A subclass that lacks an attribute which has no value here fails at import,
    with a TypeError that names it.
    """

    #: The value of `destination` in `connector.toml`.
    name: ClassVar[str]
    order_schema: ClassVar[type[DestinationSchema]]
    #: What the body is dumped from.
    request_class: ClassVar[type[OrderRequest]] = OrderRequest
    settings_schema: ClassVar[type[AccountSchema]] = AccountSchema
    #: By default `contracts/<name>.json`.
    contract: ClassVar[Contract]
    #: Where the body is posted, below the account's `base_url`.
    path: ClassVar[str]
    #: Dotted path to the new order's id in a response.
    order_id_path: ClassVar[str]
    #: The header of the idempotency key. None: an attempt without a response is never repeated automatically.
    idempotency_header: ClassVar[str | None] = None
    #: How `api_key` becomes a short-lived token.
    token_exchange: ClassVar[TokenExchange | None] = None
    #: A GET of this creates nothing, and shows that the account can be reached.
    probe_path: ClassVar[str] = "/"
    #: Whether that request, or the exchange before it, succeeds only with valid credentials.
    probe_checks_credentials: ClassVar[bool] = False
    #: The account's template by which the vendor identifies an order: where two stores share an account, it needs
    #: {store}.
    order_reference_setting: ClassVar[str | None] = None
    #: Whether it sends parcels, and so gets what is left to ship. One that books gets what was sold.
    ships: ClassVar[bool] = False
    #: How a customer is found and created, where an order names one.
    customer_api: ClassVar[CustomerApi[Any] | None] = None
    #: What `connector init` asks about an account; None: it does not offer the destination.
    setup_plan: ClassVar[SetupPlan | None] = None
    sample: ClassVar[SampleAccount] = SampleAccount()
    #: What it adds to the advice on an order's page.
    advice: ClassVar[Advice] = Advice()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if missing := Destination.__annotations__.keys() - {"contract", *dir(cls)}:
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(missing))}.")
        if not hasattr(cls, "contract"):
            cls.contract = load_contract(cls.name)

    def query_params(self, account: AccountT) -> Mapping[str, str]:
        """Return the query parameters of every request."""
        return {}

    def bearer_token(self, account: AccountT) -> str | None:
        """Return the account's permanent Bearer token, by default its API key.

        None: there is none, or `token_exchange` gets one.
        """
        return None if self.token_exchange else self.api_key(account)

    def api_key(self, account: AccountT) -> str | None:
        """Return the account's API key, by default its setting `api_key`. None: it has none."""
        key: str | None = getattr(account, "api_key", None)
        return key

    def credential_setting(self, account: AccountT) -> str:
        """Return the name of the setting with the account's credentials: its API key, else its request headers."""
        return "api_key" if self.api_key(account) else "headers"

    def credential_settings(self, account: AccountT) -> list[str]:
        """Return the settings whose values are the account's credentials, as `mappings.credentials` names them."""
        setting = self.credential_setting(account)
        if setting != "headers":
            return [setting]
        return [f"{HEADER_PREFIX}{name}" for name in account.headers or ["Authorization"]]

    def find_clues(self, body: Any) -> list[Clue]:
        """Return by what a person finds an order at the destination.

        Args:
            body: as it was sent, parsed.
        """
        return []

    def required_details(self, account: AccountT) -> Set[str]:
        """Return what the account needs of an order that some storefronts leave out of their webhooks.

        These are "payments" and "barcodes".
        """
        return frozenset()

    def field_choices(self, field: str, account: AccountT) -> Sequence[str]:
        """Return the values that a person can enter in a field of the order; empty if it takes any."""
        return ()

    def classify_response(self, status: int, body: Any) -> Outcome | None:
        """Return what a response means where this vendor differs from the others, else None.

        Args:
            body: the parsed JSON; None if the response is not JSON.
        """
        return None

    @property
    def supports_idempotency(self) -> bool:
        return self.idempotency_header is not None

    @property
    def schema(self) -> DestinationSchema:
        schema: DestinationSchema = schema_instance(self.order_schema)
        return schema

    def schema_for(self, account: AccountT) -> DestinationSchema:
        """Return the account's own schema, or the destination's."""
        schema_class: Any = account.schema or self.order_schema
        schema: DestinationSchema = schema_instance(schema_class)
        return schema

    def make_order_request(
        self, order: Order, account: AccountT, store: Store, customer_match: CustomerMatch | None = None
    ) -> OrderRequest:
        """Return what the body is dumped from."""
        request_class = self.schema_for(account).request_class or self.request_class
        order = resolve_bundles(order, account.bundles)
        return request_class(order=order, account=account, store=store, customer_match=customer_match)

    def find_exclusion(self, order: Order, account: AccountT, store: Store) -> Problem | None:
        """Return why this destination must not get the order as it is now; None if it must.

        A destination that ships does not need an order with nothing left to ship.
        """
        return self.make_order_request(order, account, store).nothing_to_ship if self.ships else None

    def override_exclusion(self, order: Order, account: AccountT, store: Store) -> Order:
        """Return the order as it is sent where an operator decided that it is, whatever the store says.

        If nothing was left to ship, everything that was sold is shipped.
        """
        order = order.overridden()
        return order.without_fulfillment() if self.find_exclusion(order, account, store) else order

    def build_request(
        self, order: Order, account: AccountT, store: Store, *, customer_match: CustomerMatch | None = None
    ) -> RequestBody:
        """Return the body of `order` for `account`, which has passed its schema and the vendor's contract.

        Args:
            customer_match: the result of the search for the order's customer. None: there was no search.

        Raises:
            MappingError: with every problem of the order.
        """
        if exclusion := self.find_exclusion(order, account, store):
            raise MappingError([*order.blocking_problems, exclusion])
        order_request = self.make_order_request(order, account, store, customer_match)
        body, problems = self.schema_for(account).dump_and_validate(order_request)
        ambiguities = order_request.ambiguities if store.unsure == "problem" else []
        unknown = order_request.order.unknown_to_ship if self.ships and not order.is_pickup else []
        problems = [*order.blocking_problems, *unknown, *ambiguities, *order_request.problems(), *problems]
        if problems:
            hints = [
                order.missing_details[detail]
                for detail in sorted(self.required_details(account))
                if detail in order.missing_details
            ]
            solvable = [with_fields(problem, order_request.order) for problem in problems]
            raise MappingError(list(dict.fromkeys([*solvable, *hints])))
        if errors := self.contract.validate_request(body):
            raise MappingError(
                [
                    Problem(code="contract_broken", params={"destination": self.name, "violation": error})
                    for error in errors
                ]
            )
        return RequestBody(
            body=body,
            warnings=[
                *([] if self.ships else find_divided_kits(order, account.bundles)),
                *order_request.ambiguities,
                *order_request.data_quality_warnings,
                *order_request.warnings(),
            ],
        )

    def parse_order_id(self, response: Any) -> str | None:
        """Return the new order's id from a 2xx response. None: the response breaks the contract."""
        if self.contract.validate_response(response):
            return None
        order_id = get_path(response, self.order_id_path)
        return None if order_id is None or not str(order_id).strip() else str(order_id)
