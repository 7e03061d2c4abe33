"""Commands that make secrets."""

import tomllib
from datetime import date
from hashlib import sha256

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.settings.environment import AdminToken


def test_token_command_prints_a_token_that_admin_token_accepts() -> None:
    first, second = (CliRunner().invoke(cli, ["token"]).output.removesuffix("\n") for _ in range(2))
    assert AdminToken().deserialize(first) == first
    assert first != second


def test_token_command_prints_the_table_of_an_api_token_apart_from_the_token() -> None:
    arguments = ["token", "--name", "hoja.de-pedidos", "--role", "operator", "--expires", "2027-06-30"]
    result = CliRunner().invoke(cli, arguments)
    text = result.stderr.split()[-1]
    assert tomllib.loads(result.stdout) == {
        "tokens": {
            "hoja.de-pedidos": {
                "hash": f"sha256:{sha256(text.encode()).hexdigest()}",
                "role": "operator",
                "expires": date(2027, 6, 30),
            }
        }
    }
    assert len(text) == 43


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "admin"], "“admin” is the name of ADMIN_TOKEN"),
        (["--name", "a/b"], "ASCII letters, digits"),
        (["--role", "operator"], "go with --name"),
        (["--key", "--name", "hoja"], "takes no --name"),
    ],
)
def test_token_command_refuses_what_makes_no_token(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["token", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
