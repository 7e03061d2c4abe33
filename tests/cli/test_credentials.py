"""`connector accounts …-credentials`: a key is read from standard input, and shown by no command."""

from pathlib import Path

import pytest

from connector.settings.setup import generate_token_key
from tests.support.commands import Command
from tests.support.service import Service

pytestmark = pytest.mark.sqlite

NEW = "clave-nueva-de-la-bodega"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "TOKEN_KEYS": generate_token_key()}


def test_key_is_replaced_and_withdrawn(service: Service, tmp_path: Path, environ: dict[str, str]) -> None:
    connector = Command(configuration=tmp_path / "connector.toml", environ=environ)
    result = connector.invoke("accounts", "set-credentials", "bodega", "--note", "rotated", typed=f"{NEW}\n")
    assert result.exit_code == 0, result.output
    assert "the destination accepts it" in result.output
    commands = [["accounts", "credentials", "bodega"], ["check"], ["doctor", "--offline"], ["accounts"]]
    outputs = [result.output, *(connector(*command)[1] for command in commands)]
    assert not [output for output in outputs if NEW in output]
    assert "in use" in outputs[1]
    assert "is used in place of the configuration's" in outputs[2]
    assert "is used in place of the configuration's" in outputs[3]
    assert connector("accounts", "withdraw-credentials", "bodega")[0] == 0
    assert connector("accounts", "withdraw-credentials", "bodega")[0] == 1
    assert "configuration" in connector("accounts", "credentials", "bodega")[1]


def test_rejected_key_ends_with_status_1(service: Service, tmp_path: Path, environ: dict[str, str]) -> None:
    service.sandbox.inject_fault("rayo", "reject_key", match="clave-mala", times=None)
    connector = Command(configuration=tmp_path / "connector.toml", environ=environ)
    result = connector.invoke("accounts", "set-credentials", "bodega", typed="clave-mala\n")
    assert result.exit_code == 1
    assert "clave-mala" not in result.output


def test_live_check_uses_the_entered_key(service: Service, tmp_path: Path, environ: dict[str, str]) -> None:
    service.sandbox.inject_fault("rayo", "reject_key", match="rayo-key", times=None)
    connector = Command(configuration=tmp_path / "connector.toml", environ=environ)
    assert "credentials (401)" in connector("doctor")[1] or "no token" in connector("doctor")[1]
    connector.invoke("accounts", "set-credentials", "bodega", typed=NEW)
    assert "account bodega: reachable (200)" in connector("doctor")[1]
