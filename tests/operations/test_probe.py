"""`connector check --live`: each account is reached, and nothing is created there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.operations.probe import probe_accounts
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings

pytestmark = pytest.mark.sqlite


def probe_results(path: Path, environ: dict[str, str]) -> dict[str, tuple[bool, str]]:
    return {result.account: (result.is_good, result.message) for result in probe_accounts(load_settings(path, environ))}


def test_reachable_accounts_are_good(
    configure: Callable[..., Path], environ: dict[str, str], sandbox: SandboxServer
) -> None:
    results = probe_results(configure(), environ)
    assert {name: is_good for name, (is_good, _) in results.items()} == {"bodega": True, "erp": True}
    assert sandbox.orders() == []


@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
def test_rejected_key_is_reported(
    configure: Callable[..., Path], environ: dict[str, str], sandbox: SandboxServer, destination: str
) -> None:
    sandbox.inject_fault(destination, "reject_key", times=None)
    is_good, message = probe_results(configure(), environ)[{"rayo": "bodega", "lapyme": "erp"}[destination]]
    assert not is_good
    assert "401" in message or "403" in message


def test_unreachable_account_is_reported(configure: Callable[..., Path], environ: dict[str, str]) -> None:
    path = configure()
    path.write_text(path.read_text("utf-8").replace("http://127.0.0.1:", "http://127.0.0.1:9/"), "utf-8")
    assert {is_good for is_good, _ in probe_results(path, environ).values()} == {False}
