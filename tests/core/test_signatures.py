"""Signatures of webhooks."""

import pytest

from connector.core.signatures import is_signed_by_any, sign
from mappings.storefront import Signature

HEX = Signature(headers=("x-firma",), encoding="hex")
BASE64 = Signature(headers=("x-firma", "firma"), encoding="base64")

# https://www.rfc-editor.org/rfc/rfc4231, test case 2
SECRET = "Jefe"
BODY = b"what do ya want for nothing?"
HEX_OF_BODY = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
BASE64_OF_BODY = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="


def test_hex_signature_is_hmac_sha256_of_the_body() -> None:
    assert sign(HEX, SECRET, BODY) == HEX_OF_BODY


def test_base64_signature_is_hmac_sha256_of_the_body() -> None:
    assert sign(BASE64, SECRET, BODY) == BASE64_OF_BODY


def test_non_ascii_secret_is_encoded_as_utf8() -> None:
    # printf '{"id":7}' | openssl dgst -sha256 -hmac 'contraseña'
    expected = "7f3869cc6b08979f8fb11c3f0089fa10a0bca8be0926cbe6af89dd798ea75c6f"
    assert sign(HEX, "contraseña", b'{"id":7}') == expected


@pytest.mark.parametrize("header", ["x-firma", "firma"])
def test_any_of_the_headers_may_carry_the_signature(header: str) -> None:
    assert is_signed_by_any(BASE64, [SECRET], BODY, {"host": "tienda.example", header: BASE64_OF_BODY})


def test_second_header_is_tried_when_the_first_is_wrong() -> None:
    assert is_signed_by_any(BASE64, [SECRET], BODY, {"x-firma": "otra", "firma": BASE64_OF_BODY})


@pytest.mark.parametrize("secrets", [[SECRET, "nuevo"], ["nuevo", SECRET]])
def test_any_configured_secret_may_sign(secrets: list[str]) -> None:
    assert is_signed_by_any(HEX, secrets, BODY, {"x-firma": HEX_OF_BODY})


def test_signature_of_another_secret_is_refused() -> None:
    assert not is_signed_by_any(HEX, ["otro", "nuevo"], BODY, {"x-firma": HEX_OF_BODY})


def test_signature_of_another_body_is_refused() -> None:
    assert not is_signed_by_any(HEX, [SECRET], BODY + b"\n", {"x-firma": HEX_OF_BODY})


def test_signature_in_the_other_encoding_is_refused() -> None:
    assert not is_signed_by_any(HEX, [SECRET], BODY, {"x-firma": BASE64_OF_BODY})


def test_signature_in_another_header_is_refused() -> None:
    assert not is_signed_by_any(HEX, [SECRET], BODY, {"x-otra": HEX_OF_BODY})


def test_webhook_without_a_signature_is_refused() -> None:
    assert not is_signed_by_any(HEX, [SECRET], BODY, {})


def test_store_without_secrets_rejects_everything() -> None:
    assert not is_signed_by_any(HEX, [], BODY, {"x-firma": HEX_OF_BODY})


@pytest.mark.parametrize(
    "value", ["", " ", "ñandú", "\udcff", "=", "W9zB", HEX_OF_BODY[:-1], HEX_OF_BODY + "0", "☃" * 64]
)
def test_malformed_signature_is_refused_without_an_exception(value: str) -> None:
    assert not is_signed_by_any(HEX, [SECRET], BODY, {"x-firma": value})
    assert not is_signed_by_any(BASE64, [SECRET], BODY, {"x-firma": value})
