"""Requests to a storefront's API and their responses, as values: `connector` sends them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: An address in a `Link` header, and its parameters: RFC 8288 §3.
LINK = re.compile(r"<([^<>]*)>([^<]*)")
NEXT = re.compile(r";\s*rel\s*=\s*\"?(?:[\w-]+\s+)*next\b", re.IGNORECASE)


class UnexpectedResponseError(Exception):
    """The API returned what its documentation does not say. The text has no data of the response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    path: str  # below the store's `api_url`
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict)
    data: Any = None  # the body, sent as JSON; None for no body
    state: Any = None  # not sent: what reading the response takes, besides the response


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    status: int
    headers: Mapping[str, str]  # with lower-case names
    data: Any  # the parsed body; None if there is none or it is not JSON

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def next_query(self) -> dict[str, str] | None:
        """Return the query of the next page's address in the `Link` header; None if there is none.

        Only the query is read, so that no response can send the store's credentials elsewhere.
        """
        for address, parameters in LINK.findall(self.headers.get("link", "")):
            if NEXT.match(parameters.strip()):
                return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
        return None

    def header_number(self, name: str) -> int | None:
        """Return a header's whole number; None if it is missing or is none."""
        text = self.headers.get(name, "").strip()
        return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None
