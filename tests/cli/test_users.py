"""Commands that make secrets."""

from click.testing import CliRunner

from connector.cli import cli
from connector.settings.environment import AdminToken


def test_token_command_prints_a_token_that_admin_token_accepts() -> None:
    first, second = (CliRunner().invoke(cli, ["token"]).output.removesuffix("\n") for _ in range(2))
    assert AdminToken().deserialize(first) == first
    assert first != second
