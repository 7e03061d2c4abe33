"""Creates and verifies webhook signatures. Pure: it reads no settings."""

import base64
import hmac
from collections.abc import Iterable, Mapping

from mappings.storefront import Signature


def sign(signature: Signature, secret: str, body: bytes) -> str:
    """Return the header value that signs `body`. `secret` is the platform's HMAC key."""
    digest = hmac.digest(secret.encode(), body, "sha256")
    return digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode("ascii")


def is_signed_by_any(signature: Signature, secrets: Iterable[str], body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether one of `secrets` signed the raw `body`. A missing or malformed header counts as unsigned.

    Header names are in lower case.
    """
    # As bytes: `compare_digest` raises on text that is not ASCII, and a header may hold anything.
    received = [headers[name.lower()].encode(errors="replace") for name in signature.headers if name.lower() in headers]
    expected = [sign(signature, secret, body).encode("ascii") for secret in secrets]
    return any(
        hmac.compare_digest(received_signature, expected_signature)
        for received_signature in received
        for expected_signature in expected
    )
