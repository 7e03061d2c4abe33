"""The texts that `connector init` writes."""

import tomllib
from typing import Any

import pytest

from connector.settings.setup import NewConfiguration, default_store_name, format_toml


@pytest.mark.parametrize(
    ("shop", "name"),
    [
        ("tienda.myshopify.com", "tienda"),
        ("https://www.mi-tienda.com.ar/shop", "mi-tienda"),
        ("HTTPS://Tienda.example", "tienda"),
        ("4410733", "acme"),
        ("http://127.0.0.1:8080/x", "acme"),
        ("https://ñandú.example", "acme"),
        ("https://[broken", "acme"),
        ("", "acme"),
    ],
)
def test_store_is_named_after_the_shop(shop: str, name: str) -> None:
    assert default_store_name("acme", shop) == name


@pytest.mark.parametrize(
    "value",
    [
        "",
        'a "quote"',
        "back\\slash",
        "line\nbreak\ttab",
        "\x00\x1f\x7f",
        "ñandú 🛒",
        7,
        1.5,
        True,
        ["a", "b"],
        {"a b": "c"},
    ],
)
def test_values_are_read_as_they_were_written(value: Any) -> None:
    assert tomllib.loads(f"value = {format_toml(value)}") == {"value": value}


def test_secrets_do_not_show_in_the_representation() -> None:
    assert "hidden" not in repr(NewConfiguration(toml="", variables={"A": "hidden"}))
