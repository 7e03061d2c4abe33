"""`[tokens]`: the names, hashes, roles and ends of the API's tokens."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.settings.api_tokens import ApiToken, digest_token, format_hash
from tests.support.configuration import SMALLEST

HASH = format_hash("una-ficha-al-azar-de-treinta-y-dos")
ADMIN = 8 * "ficha"


def with_token(name: str = "hoja", **settings: str) -> str:
    lines = [f"{key} = {value}" for key, value in {"hash": f'"{HASH}"', **settings}.items()]
    return "\n".join([f"[tokens.{name}]", *lines, ""])


def test_tokens_have_a_name_a_role_and_an_end(load: Callable[..., Any]) -> None:
    other = f'"{format_hash("otra")}"'
    text = SMALLEST + "\n" + with_token() + with_token("envios", hash=other, role='"operator"', expires="2027-06-30")
    digest = digest_token("una-ficha-al-azar-de-treinta-y-dos")
    end = datetime(2027, 6, 30, tzinfo=UTC)
    assert load(text).tokens == (
        ApiToken(name="hoja", digest=digest, role="viewer"),
        ApiToken(name="envios", digest=digest_token("otra"), role="operator", expires=end),
    )


def test_admin_token_is_the_first_and_an_operator(load: Callable[..., Any]) -> None:
    tokens = load(f"{SMALLEST}\n{with_token()}", {"ADMIN_TOKEN": ADMIN}).api_tokens
    assert [(token.name, token.role) for token in tokens] == [("admin", "operator"), ("hoja", "viewer")]
    assert tokens[0].digest == digest_token(ADMIN)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (
            with_token(hash='"una-ficha-al-azar-de-treinta-y-dos"'),
            "tokens.hoja.hash: must be the hash that `connector token --name` prints, not the token itself.",
        ),
        (with_token(hash=f'"{format_hash("")}"'), "tokens.hoja.hash: is of an empty token."),
        (with_token(role='"admin"'), "tokens.hoja.role: must be one of: viewer, operator."),
        (
            with_token(expires='"mañana"'),
            "tokens.hoja.expires: must be a date, such as 2027-06-30, or a date and time with an offset.",
        ),
        (with_token("admin"), "tokens.admin.name: “admin” is the name of ADMIN_TOKEN; choose another name."),
        (
            with_token() + with_token("otra"),
            "tokens.otra.hash: is also that of tokens.hoja: each needs a token of its own.",
        ),
        (with_token(papel='"viewer"'), "tokens.hoja.papel: is not a setting."),
    ],
)
def test_what_is_no_token_is_an_error(configuration_errors: Callable[..., Any], table: str, fault: str) -> None:
    [error] = configuration_errors(f"{SMALLEST}\n{table}")
    assert error == fault
    assert "una-ficha" not in error


def test_no_user_is_named_like_a_token(configuration_errors: Callable[..., Any]) -> None:
    errors = configuration_errors(f'{SMALLEST}\n[users."token:hoja"]\npassword_hash = "x"\n')
    fault = "“token:” is how the API's tokens are recorded; choose another name."
    assert f'users."token:hoja".name: {fault}' in errors
