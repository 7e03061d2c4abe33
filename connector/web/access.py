"""Checks Bearer tokens, and limits, logs and counts attempts with a wrong secret.

The right token is always accepted, because it is too long to be guessed. Passwords can be guessed, so tries are
limited, and nobody can use up another person's tries: see `AccessGuard.may_try`. Each process has its own limits.
"""

import hmac
from collections.abc import Iterable

from flask import Response, request

from connector.core.rate_limits import RateLimiter
from connector.database.audit import Actor, Interface
from connector.runtime import Runtime
from connector.settings.api_tokens import ApiToken, digest_token
from connector.web.errors import problem_response
from connector.web.proxies import client_network, logged_network
from connector.web.rejections import RejectionCounter

MINUTE_S, HOUR_S = 60.0, 3_600.0
#: How long a client that has failed too often is told to wait.
RETRY_AFTER_S = int(MINUTE_S)
#: Log lines per minute about one thing. Everything is counted, logged or not.
MAX_LINES_PER_MINUTE = 30


class AccessGuard:
    """Limits failed attempts by network (an IPv4 address, or a /64 of IPv6) and by the name that was tried."""

    def __init__(self, runtime: Runtime, rejections: RejectionCounter) -> None:
        self._log = runtime.log
        self._trusts_proxies = bool(runtime.settings.environment.trusted_proxies)
        self._rejections = rejections
        self._tokens_by_network = RateLimiter(10, MINUTE_S)
        self._passwords_by_network = RateLimiter(100, MINUTE_S)
        self._passwords_by_network_and_name = RateLimiter(10, MINUTE_S)
        self._passwords_by_name = RateLimiter(60, HOUR_S)
        self._passwords_of_attacked_name = RateLimiter(3, HOUR_S)
        self._passwords_by_device = RateLimiter(10, MINUTE_S)
        self._lines = RateLimiter(MAX_LINES_PER_MINUTE, MINUTE_S)

    def match_bearer(self, tokens: Iterable[ApiToken]) -> ApiToken | None:
        """Return the one of these tokens that the request has. It takes as long for whichever, and for none."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        digest = digest_token(credentials.strip())
        matches = [token for token in tokens if hmac.compare_digest(digest, token.digest)]
        return matches[0] if matches and scheme.lower() == "bearer" else None

    def refuse_bearer(
        self, *, interface: str, detail: str, reason: str = "wrong token", token: ApiToken | None = None
    ) -> Response:
        """Return the response to a request without a token that is accepted. A request without any is no attempt.

        Args:
            token: the one that it has, if that is accepted no more.
        """
        has_token = "Authorization" in request.headers
        is_over = has_token and not self._tokens_by_network.hit(client_network())
        if has_token:
            self.record(interface, "too many attempts" if is_over else reason)
            if interface == "api":
                self.record_failed_sign_in("api", token.actor if token else None)
        if is_over:
            return problem_response(429, "too many wrong tokens", {"Retry-After": str(RETRY_AFTER_S)})
        return problem_response(401, detail, {"WWW-Authenticate": "Bearer"})

    def may_try(self, name: str, device: str | None) -> bool:
        """Return whether a password may be tried for a user, and count it.

        After many failures for one name, each network still has a few attempts. So the user can sign in from any
        network without an attacker, and from a browser in which they have signed in before.

        Args:
            device: the browser's, if that user has signed in there.
        """
        if device is not None:
            return self._passwords_by_device.hit(device)
        network = client_network()
        if not self._passwords_by_network.allows(network):
            return False
        if not self._passwords_by_network_and_name.hit(network, name):
            return False
        return self._passwords_by_name.allows(name) or self._passwords_of_attacked_name.hit(network, name)

    def sign_in_failed(self, name: str) -> None:
        self._passwords_by_network.hit(client_network())
        self._passwords_by_name.hit(name)
        self.record("dashboard", "wrong password")

    def signed_in(self, name: str) -> None:
        self._passwords_by_network_and_name.clear(client_network(), name)

    def record(self, interface: str, reason: str) -> None:
        """Log and count one refusal. The line has neither the secret nor the name that was tried."""
        self._rejections.add_denial(interface, reason)
        if self.may_log("access_denied", interface, reason):
            fields = {"interface": interface, "reason": reason, "network": logged_network()}
            if "X-Forwarded-For" in request.headers and not self._trusts_proxies:
                fields["hint"] = "the address is the proxy's: TRUSTED_PROXIES is not set"
            self._log.warning("access_denied", **fields)

    def record_failed_sign_in(self, interface: Interface, name: str | None) -> None:
        """Count it in the audit trail.

        Args:
            name: the user's or the token's; None if there is none of that name.
        """
        self._rejections.add_failed_sign_in(Actor(interface=interface, name=name, network=client_network() or None))

    def may_log(self, *what: str) -> bool:
        return self._lines.hit(*what)
