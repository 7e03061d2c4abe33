"""Who sent a request: the only place that reads `X-Forwarded-For` and `X-Forwarded-Proto`.

A proxy appends the address that it was called from. So the list is read from its end, only as far as the proxies in
`TRUSTED_PROXIES`. A stranger's entries come before these.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, request

from connector.settings.environment import TrustedProxies

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: One host can have any address of its /64, so these count as one.
IPV6_CUSTOMER_PREFIX = 64
#: What of an address is logged: too little to single out a person.
LOGGED_IPV4_PREFIX, LOGGED_IPV6_PREFIX = 24, 48


class ProxyMiddleware:
    """Sets `REMOTE_ADDR` to the address of the client, as far as trusted proxies name it."""

    def __init__(self, wsgi_app: "WSGIApplication", app: Flask) -> None:
        self.wsgi_app = wsgi_app
        self.app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        trusted = self.app.extensions["runtime"].settings.environment.trusted_proxies
        if trusted:
            forwarded = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
            environ["REMOTE_ADDR"] = client_address(environ.get("REMOTE_ADDR", ""), forwarded, trusted)
        return self.wsgi_app(environ, start_response)


def client_address(peer: str, forwarded: list[str], trusted: TrustedProxies) -> str:
    """Return the last address that no trusted proxy has.

    Args:
        peer: the address that the request came from.
        forwarded: the entries of `X-Forwarded-For`.
        trusted: the networks of the proxies, or their number.
    """
    address = peer
    for hop, entry in enumerate(reversed(forwarded)):
        is_trusted = hop < trusted if isinstance(trusted, int) else is_in(address, trusted)
        entry_address = parse_address(entry)
        if not is_trusted or entry_address is None:
            break
        address = str(entry_address)
    return address


def is_in(address: str, networks: Iterable[Any]) -> bool:
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in networks)


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, which may have a port as in `192.0.2.1:443` and `[2001:db8::1]:443`; None if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def client_network() -> str:
    """Return the IPv4 address of the client, or the /64 network of its IPv6 address; "" if it has none."""
    address = parse_address(request.remote_addr or "")
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_CUSTOMER_PREFIX), strict=False))
    return str(address or "")


def logged_network() -> str:
    """Return the client's address without the part that tells people apart."""
    address = parse_address(request.remote_addr or "")
    if address is None:
        return ""
    prefix = LOGGED_IPV4_PREFIX if isinstance(address, IPv4Address) else LOGGED_IPV6_PREFIX
    return str(ip_network((address, prefix), strict=False))


def is_https(request: Request) -> bool:
    """Return whether the browser uses HTTPS, possibly up to a proxy in front of this service.

    Anyone may send the header, trusted proxy or not: it only makes the sender's own cookie and page stricter.
    """
    return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
