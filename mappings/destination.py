"""A destination: where orders go, how a request is authorized, and what a response means.

These are data and pure functions. `connector` acts on them, once for all destinations.
"""

import json
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mappings.contracts import Contract
from mappings.customer_lookup import CustomerApi, CustomerMatch
from mappings.order import Order
from mappings.order_request import OrderRequest
from mappings.payload_paths import get_path
from mappings.problems import MappingError, Problem
from mappings.schema import DestinationSchema, schema_instance
from mappings.settings import Account, AccountSchema, Store


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
            raise MappingError(
                [
                    Problem(code="contract_broken", params={"destination": self.name, "violation": error})
                    for error in errors
                ]
            )
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
    warnings: list[Problem] = field(default_factory=list)

    @property
    def bytes(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()
