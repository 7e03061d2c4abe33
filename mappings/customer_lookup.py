"""Whom an order is booked on, at a destination that keeps customers: how one is told from others, found and made.

Data and pure functions, of which a destination has one `CustomerBook`; `connector` makes the calls.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.order import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Something by which one customer is told from all others."""

    what: str  # in a merchant's words: "tax document"
    value: str  # the same for the same customer, however it was written
    spellings: tuple[str, ...]  # in which the destination may have it, and is asked for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one reply to a search says."""

    ids: list[str]  # of customers that surely are the one sought
    cursor: str | None = None  # of the next page


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What became of the search for an order's customer."""

    customer_id: str | None = None  # None: the account's own
    warning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerBook:
    path: str  # GET searches, POST makes
    #: Whom to look for, the surest first; nobody where the account does not have them looked for: (order, account).
    seek: Callable[[Order, Any], Sequence[Sought]]
    may_make: Callable[[Any], bool]  # whether the account has customers made
    query: Callable[[str, str | None], Mapping[str, str]]  # (spelling, cursor) -> the query of a search
    #: (parsed reply, sought, order) -> Page; None where the reply is not what the vendor promises.
    read_page: Callable[[Any, Sought, Order], Page | None]
    new: Callable[[Order], Mapping[str, Any] | None]  # the body that makes one; None where the order lacks a name
    made_id: Callable[[Any], str | None]  # the id in the reply to that
    #: Whether a refusal to make one says that it is there, and whether it may be soon: (status, parsed body).
    is_known: Callable[[int, Any], bool]
    is_being_made: Callable[[int, Any], bool]
