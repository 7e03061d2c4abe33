"""`${VARIABLES}` in the configuration file."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.configuration import SMALLEST


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("${CLAVE}", "abc"),
        ("antes ${CLAVE} y ${OTRA}.", "antes abc y def."),
        ("$${CLAVE}", "${CLAVE}"),
        ("$$${CLAVE}", "$${CLAVE}"),
        ("$CLAVE cuesta $5", "$CLAVE cuesta $5"),
    ],
)
def test_variables_are_substituted(load: Callable[..., Any], text: str, read: str) -> None:
    settings = load(SMALLEST.replace("secreto", text), {"CLAVE": "abc", "OTRA": "def"})
    assert settings.stores["tienda-mx"].secrets == [read]


def test_substitution_is_not_recursive(load: Callable[..., Any]) -> None:
    settings = load(SMALLEST.replace("secreto", "${CLAVE}"), {"CLAVE": "${CLAVE}"})
    assert settings.stores["tienda-mx"].secrets == ["${CLAVE}"]


def test_number_may_come_from_a_variable(load: Callable[..., Any]) -> None:
    settings = load(
        SMALLEST.replace("api_key", 'concurrency = "${N}"\nheaders = { X-N = "${N}" }\napi_key'), {"N": "7"}
    )
    assert settings.accounts["bodega"].concurrency == 7
    assert settings.accounts["bodega"].headers == {"X-N": "7"}


@pytest.mark.parametrize(
    ("text", "environ", "fault"),
    [
        ("${CLAVE}", {}, "the environment variable CLAVE is not set."),
        ("${CLAVE}", {"CLAVE": ""}, "the environment variable CLAVE is not set."),
        ("${CLAVE", {"CLAVE": "a"}, "has ${ without a variable name and }; write $${ for a literal ${."),
        ("${CLA VE}", {}, "has ${ without a variable name and }; write $${ for a literal ${."),
        ("${CLAVE}", {"CLAVE": "a\n"}, "CLAVE contains unprintable characters, such as a line break."),
        ("${CLAVE}", {"CLAVE": "\udcff"}, "CLAVE contains unprintable characters, such as a line break."),
    ],
)
def test_unresolvable_variable_is_an_error(
    configuration_errors: Callable[..., Any], text: str, environ: dict[str, Any], fault: str
) -> None:
    assert configuration_errors(SMALLEST.replace("secreto", text), environ) == [f"stores.tienda-mx.secrets[0]: {fault}"]


def test_every_missing_variable_of_a_value_is_reported(configuration_errors: Callable[..., Any]) -> None:
    assert configuration_errors(SMALLEST.replace("secreto", "${UNA}${OTRA}")) == [
        "stores.tienda-mx.secrets[0]: the environment variable UNA is not set.",
        "stores.tienda-mx.secrets[0]: the environment variable OTRA is not set.",
    ]


def test_error_does_not_show_environment_values(configuration_errors: Callable[..., Any]) -> None:
    toml = (
        SMALLEST.replace('"shopify"', '"${CLAVE}"')
        .replace('to = ["bodega"]', 'to = ["${CLAVE}"]\ntopics = ["${CLAVE}"]')
        .replace('api_key = "llave"', 'api_key = "llave"\nbase_url = "${CLAVE}"\ntotals = "${CLAVE}"')
    )
    texts = configuration_errors('retired = ["${CLAVE}"]\n' + toml, {"CLAVE": "hush"})
    assert len(texts) == 5
    assert "hush" not in "\n".join(texts)
