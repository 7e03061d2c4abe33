"""Whom an order is booked on, at a destination that keeps customers: how one is told from others, found and made.

A destination has one `CustomerApi`, of pure functions; `connector` makes the calls.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from mappings.order import Order
from mappings.settings import AccountT


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerQuery:
    """Something by which one customer is told from all others."""

    label: str  # in a merchant's words: "tax document"
    value: str  # the same for the same customer, however it was written
    search_terms: tuple[str, ...]  # in which the destination may have it, and is asked for it


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """What one reply to a search says."""

    ids: list[str]  # of customers that surely are the one sought
    cursor: str | None = None  # of the next page


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMatch:
    """What became of the search for an order's customer."""

    customer_id: str | None = None  # None: the account's own
    warning: str | None = None


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
