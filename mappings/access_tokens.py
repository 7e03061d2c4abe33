"""Access tokens of the storefronts' APIs: the requests for them, and what the responses grant.

Both platforms with such tokens use a part of OAuth 2.0: https://www.rfc-editor.org/rfc/rfc6749.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from mappings.settings import StoreT

#: A token that claims to live longer is renewed after this time.
MAX_LIFETIME_S = 31_536_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A POST request for a token."""

    url: str
    data: Mapping[str, str] = field(repr=False)
    is_json: bool = False  # else `data` is sent as a form
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrant:
    """What a token request returned: RFC 6749, section 5.1."""

    token: str = field(repr=False)
    lifetime_s: float | None = None  # None: the response does not say, or the token does not expire
    scopes: tuple[str, ...] = ()
    shop_id: str | None = None  # the shop that the token is for, if the response names it


class AppAuthorization(ABC, Generic[StoreT]):
    """How a person lets an app read a shop: the shop installs it, and the app exchanges the code that it gets then."""

    @abstractmethod
    def installation_url(self, store: StoreT) -> str:
        """Return the address at which the shop installs the app."""

    @abstractmethod
    def token_request(self, store: StoreT, code: str) -> TokenRequest:
        """Return the request that exchanges the code for a token."""

    @abstractmethod
    def is_of_store(self, grant: TokenGrant, store: StoreT) -> bool:
        """Return whether the token is for this store, and not for another shop that installed the app."""


def parse_grant(data: Any) -> TokenGrant | None:
    """Return what a response grants; None if it has no usable token."""
    if not isinstance(data, Mapping):
        return None
    token, scope, shop_id = data.get("access_token"), data.get("scope"), data.get("user_id")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        return None
    return TokenGrant(
        token=token,
        lifetime_s=parse_lifetime(data.get("expires_in")),
        scopes=tuple(scope.replace(",", " ").split()) if isinstance(scope, str) else (),
        shop_id=str(shop_id) if isinstance(shop_id, str | int) else None,
    )


def parse_lifetime(expires_in: Any) -> float | None:
    """Return the seconds that a token lives, from `expires_in`."""
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(seconds, MAX_LIFETIME_S) if seconds > 0 else None
