"""How an order's customer is found, or created, at a destination whose orders refer to one.

A `CustomerApi` has pure functions; `connector` makes the requests.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from mappings.order import Order
from mappings.problems import Problem
from mappings.settings import AccountT


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerQuery:
    """A value that identifies one customer."""

    label: str  # as a merchant would call it: "tax document"
    value: str  # normalized: the same for one customer, however it was written
    search_terms: tuple[str, ...]  # the spellings to search for


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """One page of search results."""

    ids: list[str]  # of the customers that match exactly
    cursor: str | None = None  # of the next page


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMatch:
    """The result of the search for an order's customer."""

    customer_id: str | None = None  # None: the account's own
    warning: Problem | None = None


class CustomerApi(ABC, Generic[AccountT]):
    """How a destination's customers are searched and created."""

    #: A GET searches, a POST creates.
    path: ClassVar[str]

    @abstractmethod
    def queries_for(self, order: Order, account: AccountT) -> Sequence[CustomerQuery]:
        """Return what to search for, the most reliable first; empty where the account's settings decide."""

    @abstractmethod
    def may_create(self, account: AccountT) -> bool:
        """Return whether a customer that is not found may be created."""

    @abstractmethod
    def search_params(self, term: str, cursor: str | None) -> Mapping[str, str]:
        """Return the query parameters of a search."""

    @abstractmethod
    def parse_page(self, response: Any, query: CustomerQuery, order: Order) -> CustomerPage | None:
        """Return one page of results; None if the response is not what the vendor documents."""

    @abstractmethod
    def build_request(self, order: Order) -> Mapping[str, Any] | None:
        """Return the body that creates the order's customer; None if the order has no name for one."""

    @abstractmethod
    def created_id(self, response: Any) -> str | None:
        """Return the new customer's id from the response to that body."""

    @abstractmethod
    def is_duplicate(self, status: int, body: Any) -> bool:
        """Return whether a refusal to create the customer says that it exists."""

    @abstractmethod
    def is_in_progress(self, status: int, body: Any) -> bool:
        """Return whether a refusal says that another request may be creating it."""
