"""`connector check --live`: each account is reached, and nothing is created there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.operations.probe import probe_accounts
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings

pytestmark = pytest.mark.sqlite


def probed(path: Path, environ: dict[str, str]) -> dict[str, tuple[bool, str]]:
    return {one.account: (one.is_good, one.message) for one in probe_accounts(load_settings(path, environ))}


def test_accounts_that_can_be_reached_are_good(
    configure: Callable[..., Path], environ: dict[str, str], sandbox: SandboxServer
) -> None:
    found = probed(configure(), environ)
    assert {name: is_good for name, (is_good, _) in found.items()} == {"bodega": True, "erp": True}
    assert sandbox.orders() == []


@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
def test_a_key_that_is_refused_is_said(
    configure: Callable[..., Path], environ: dict[str, str], sandbox: SandboxServer, destination: str
) -> None:
    sandbox.inject_fault(destination, "reject_key", times=None)
    is_good, said = probed(configure(), environ)[{"rayo": "bodega", "lapyme": "erp"}[destination]]
    assert not is_good
    assert "401" in said or "403" in said


def test_what_is_not_there_is_said(configure: Callable[..., Path], environ: dict[str, str]) -> None:
    path = configure()
    path.write_text(path.read_text("utf-8").replace("http://127.0.0.1:", "http://127.0.0.1:9/"), "utf-8")
    assert {is_good for is_good, _ in probed(path, environ).values()} == {False}
