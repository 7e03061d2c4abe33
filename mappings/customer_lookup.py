"""Whom an order is booked on, at a destination that keeps customers: how one is told from others, found and made.

Data and pure functions, of which a destination has one `CustomerBook`; `connector` makes the calls.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.order import Order
from mappings.problems import Problem


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
    warning: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerApi:
    path: str  # GET searches, POST makes
    #: Whom to look for, the surest first; nobody where the account does not have them looked for: (order, account).
    queries_for: Callable[[Order, Any], Sequence[CustomerQuery]]
    may_create: Callable[[Any], bool]  # whether the account has customers made
    search_params: Callable[[str, str | None], Mapping[str, str]]  # (spelling, cursor) -> the query of a search
    #: (parsed reply, sought, order) -> Page; None where the reply is not what the vendor promises.
    parse_page: Callable[[Any, CustomerQuery, Order], CustomerPage | None]
    build_request: Callable[
        [Order], Mapping[str, Any] | None
    ]  # the body that makes one; None where the order lacks a name
    created_id: Callable[[Any], str | None]  # the id in the reply to that
    #: Whether a refusal to make one says that it is there, and whether it may be soon: (status, parsed body).
    is_duplicate: Callable[[int, Any], bool]
    is_in_progress: Callable[[int, Any], bool]
