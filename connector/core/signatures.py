"""Makes and checks the signatures of webhooks. Pure: it reads no settings, and never says why a check failed."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from mappings.storefront import Signature

CHUNK_BYTES = 2_047


def sign(signature: Signature, secret: str, body: bytes) -> str:
    """Return the header's value for `body`. `secret` is what the platform keys its HMAC with."""
    digest = hmac_sha256(secret.encode(), body)
    return digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode("ascii")


def hmac_sha256(key: bytes, body: bytes) -> bytes:
    """As `hmac.digest`, which lets other threads have the interpreter meanwhile: to get it back takes far longer.

    Pieces of less than 2,048 bytes are hashed without: https://docs.python.org/3/library/hashlib.html, read 2026-11-22.
    """
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for offset in range(0, len(body), CHUNK_BYTES):
        mac.update(body[offset : offset + CHUNK_BYTES])
    return mac.digest()


def is_signed_by_any(signature: Signature, secrets: Iterable[str], body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether one of `secrets` signed the raw `body`. A missing or garbled header is simply not a signature.

    The headers' names are in lower case.
    """
    # As bytes: `compare_digest` raises on text that is not ASCII, and a header may hold anything.
    received = [headers[name.lower()].encode(errors="replace") for name in signature.headers if name.lower() in headers]
    expected = [sign(signature, secret, body).encode("ascii") for secret in secrets]
    return any(
        hmac.compare_digest(signature_received, signature_expected)
        for signature_received in received
        for signature_expected in expected
    )
