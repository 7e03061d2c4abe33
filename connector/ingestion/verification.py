"""Checks that a request is signed by a store, over its raw bytes, before anything of it is parsed."""

from collections.abc import Mapping
from typing import Any

from connector.core.exceptions import InvalidRequestError, SignatureError
from connector.core.json_body import InvalidJsonError, parse_json
from connector.core.signatures import is_signed_by_any
from mappings.settings import Store
from mappings.storefront import Storefront


def require_signature(storefront: Storefront[Any], store: Store, headers: Mapping[str, str], body: bytes) -> None:
    """Raises `SignatureError`."""
    secrets = [storefront.signing_key(secret) for secret in store.secrets]
    if not is_signed_by_any(storefront.signature, secrets, body, headers):
        is_signed = any(name.lower() in headers for name in storefront.signature.headers)
        raise SignatureError(
            "the signature is missing, or none of the store's secrets made it",
            reason="signature_wrong" if is_signed else "signature_missing",
        )


def other_shop_error() -> SignatureError:
    return SignatureError(
        "the signature is valid, but the payload is for another shop", reason="signature_of_other_shop"
    )


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Return the body's JSON object. Raises `InvalidRequestError`."""
    try:
        payload = parse_json(body)
    except InvalidJsonError as error:
        raise InvalidRequestError(str(error)) from None
    if not isinstance(payload, dict):
        raise InvalidRequestError("the body is not a JSON object")
    return payload
