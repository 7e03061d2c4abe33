"""Requests to a storefront's API and their responses, as values: `connector` sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class UnexpectedResponseError(Exception):
    """The API returned what its documentation does not say. The text has no data of the response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    path: str  # below the store's `api_url`
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict)
    data: Any = None  # the body, sent as JSON; None for no body


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    status: int
    headers: Mapping[str, str]  # with lower-case names
    data: Any  # the parsed body; None if there is none or it is not JSON

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300
