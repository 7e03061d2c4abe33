"""`connector authorize`: the code of an installation becomes a token, which is kept encrypted and used at once."""

import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from connector.cli import main
from connector.core.check_result import CheckResult
from connector.database.circuits import read_circuits
from connector.database.models import StoreToken
from connector.database.readings import load_reading
from connector.operations.authorize import read_code
from connector.operations.doctor import run_checks
from connector.sandbox.server import SandboxServer
from tests.support.service import Service
from tests.support.thin_webhooks import SHOP, THIN_CONFIGURATION, post_thin_webhook, store_order, tiendanube_order

KEY = "a2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg5YWJjZGU="
CLIENT_SECRET = "nube-secreto"
APP = f'client_id = 123\nclient_secret = "{CLIENT_SECRET}"\nauth_url = "NUBE"'
TEXT = THIN_CONFIGURATION.replace('api_token = "token-de-nube"', APP).replace('secrets = ["nube-secreto"]\n', "")
OTHER_SHOP = '[stores.otra]\nstorefront = "tiendanube"\nstore_id = 5\napi_url = "NUBE"\n' + APP


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "TOKEN_KEYS": KEY}


@pytest.fixture
def service(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    return open_service(text=f"{TEXT}\n{OTHER_SHOP}".replace("NUBE", sandbox.url("tiendanube")))


@dataclass(frozen=True, kw_only=True)
class Authorize:
    """Runs `connector authorize` as a user does."""

    configuration: Path
    environ: dict[str, str]
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, entered: str = "") -> tuple[int, str]:
        """Return its exit status and what it printed."""
        for name, value in {**self.environ, "CONNECTOR_CONFIG": str(self.configuration)}.items():
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.setattr(sys, "argv", ["connector", "authorize", *arguments])
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(entered))
        with pytest.raises(SystemExit) as end:
            main()
        printed = self.capsys.readouterr()
        return int(end.value.code or 0), printed.out + printed.err


@pytest.fixture
def run(
    service: Service,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Authorize:
    configuration = service.runtime.settings.directory / "connector.toml"
    return Authorize(configuration=configuration, environ=environ, monkeypatch=monkeypatch, capsys=capsys)


def install(sandbox: SandboxServer, *, shop: int = SHOP, app: int = 123) -> str:
    """Install the app, and return the code."""
    page = httpx.get(sandbox.url(f"tiendanube/apps/{app}/authorize?store_id={shop}"), trust_env=False).text
    return page.strip().removeprefix("code=")


def stored_tokens(service: Service) -> dict[str, str]:
    with service.database.read() as session:
        return {row.store: row.token for row in session.exec(select(StoreToken))}


def deliver(service: Service) -> dict[str, object]:
    store_order(service)
    post_thin_webhook(service)
    service.drain()
    return service.only_delivery()


def check_store(run: Authorize, *, is_offline: bool = True) -> list[CheckResult]:
    checks = run_checks(run.configuration, run.environ, is_offline=is_offline)
    return [
        check
        for check in checks
        if check.subject == "store nube" and not re.search("webhook|its orders", check.message)
    ]


def test_orders_wait_until_the_store_is_authorized(service: Service, run: Authorize, sandbox: SandboxServer) -> None:
    waiting = deliver(service)
    assert waiting["state"] == "waiting"
    assert "not fetched: no access token: run `connector authorize nube`" in str(waiting["attempt_log"])
    assert sandbox.requests("tiendanube") == []
    messages = [(check.severity, check.message, check.remedy) for check in check_store(run)]
    assert ("fault", "there is no token for its API", "run connector authorize nube") in messages

    code = install(sandbox)
    status, output = run("nube", "--code", f"https://app.example.com/?code={code}&state=x")
    assert (status, output) == (0, "Store nube is authorized. Scopes: read_orders, read_customers.\n")
    assert read_circuits(service.database)["store:nube"].opened_at is None
    reading = load_reading(service.database, "nube")
    assert reading is not None
    assert reading.requested_at is not None
    service.clock.forward(120)
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert [check.severity for check in check_store(run, is_offline=False)] == ["ok", "ok", "ok"]


def test_token_is_kept_encrypted_and_not_shown(service: Service, run: Authorize, sandbox: SandboxServer) -> None:
    _, output = run("nube", "--json", "--code", install(sandbox))
    token = service.runtime.store_apis["nube"].tokens.get(timeout_s=1)
    assert token.startswith("shpat_sandbox_")
    assert token not in stored_tokens(service)["nube"]
    assert token not in output
    assert output == '{"store": "nube", "shop": "4410733", "scopes": ["read_orders", "read_customers"]}\n'


def test_newer_token_is_used_after_the_older_one_is_rejected(
    service: Service, run: Authorize, sandbox: SandboxServer
) -> None:
    store_order(service)  # the list of a shop without orders is a 404
    run("nube", "--code", install(sandbox))
    api = service.runtime.store_apis["nube"]
    path = f"/{SHOP}/orders"
    assert api.request("GET", path, timeout_s=5).status == 200
    sandbox.inject_fault("tiendanube", "expire_tokens")
    rejected = api.request("GET", path, timeout_s=5)
    assert rejected.status == 401
    assert rejected.error is not None
    assert rejected.error.code == "store_token_revoked"
    run("nube", "--code", install(sandbox))
    assert api.request("GET", path, timeout_s=5).status == 200


@pytest.mark.parametrize("fault", [None, {"fault": "reject_key", "match": CLIENT_SECRET}, {"fault": "garbage_json"}])
def test_refused_code_is_an_error(
    service: Service, run: Authorize, sandbox: SandboxServer, fault: dict[str, str] | None
) -> None:
    code = install(sandbox)
    if fault:
        sandbox.add_fault({"destination": "tiendanube", **fault})
    else:
        run("nube", "--code", code)
    stored = stored_tokens(service)
    status, output = run("nube", "--code", code)
    assert status == 1
    assert "no access token" in output
    assert "A code is valid for five minutes, and once: install the app again" in output
    assert not {code, CLIENT_SECRET} & set(output.split())
    assert stored_tokens(service) == stored


def test_code_of_another_app_or_shop_is_refused(service: Service, run: Authorize, sandbox: SandboxServer) -> None:
    assert run("nube", "--code", install(sandbox, app=124))[0] == 1
    status, output = run("nube", "--code", install(sandbox, shop=77))
    assert status == 1
    assert "The code is for another shop, 77, and its token was not kept." in output
    assert stored_tokens(service) == {}


def test_code_of_another_store_authorizes_that_one(service: Service, run: Authorize, sandbox: SandboxServer) -> None:
    status, output = run("nube", "--code", install(sandbox, shop=5))
    assert status == 1
    assert "its token was kept for [stores.otra]. Install the app in the shop of [stores.nube]." in output
    assert stored_tokens(service).keys() == {"otra"}
    sandbox.put_order("tiendanube", 5, tiendanube_order())
    assert service.runtime.store_apis["otra"].request("GET", "/5/orders", timeout_s=5).status == 200


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (APP, 'api_token = "ficha"\nsecrets = ["x"]', "[stores.nube] has an `api_token`, which is used."),
        ("", "", "TOKEN_KEYS is not set, and the token must be stored encrypted."),
    ],
)
def test_store_that_cannot_be_authorized_says_why(
    service: Service, run: Authorize, sandbox: SandboxServer, old: str, new: str, message: str
) -> None:
    text = run.configuration.read_text("utf-8")
    run.configuration.write_text(text.replace(old.replace("NUBE", sandbox.url("tiendanube")), new, 1), "utf-8")
    if not old:
        run.environ["TOKEN_KEYS"] = ""
    status, output = run("nube", "--code", "x")
    assert status == 1
    assert message in output
    assert sandbox.requests("tiendanube") == []


def test_installation_address_is_shown_and_the_code_asked_for(run: Authorize, sandbox: SandboxServer) -> None:
    status, output = run("nube", entered=f"{install(sandbox)}\n")
    assert status == 0
    assert f"Open {sandbox.url('tiendanube')}/apps/123/authorize as the shop's owner" in output


@pytest.mark.parametrize("text", [" xyz ", "https://app.example.com/?code=xyz&state=s", "app.example.com/x?code=xyz"])
def test_code_is_read_from_the_address(text: str) -> None:
    assert read_code(text) == "xyz"
