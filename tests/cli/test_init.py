"""`connector init`: what it asks, writes and tests."""

import os
import re
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.operations.setup import write_files
from connector.runtime import open_runtime
from connector.sandbox.demo_process import find_free_port
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings
from connector.settings.environment import MIN_SECRET_LENGTH
from connector.settings.setup import NewConfiguration
from connector.worker import webhook_checks
from connector.worker.webhook_checks import START_DELAY_S, WebhookChecks
from tests.support.orders import woo_order
from tests.support.service import UUID, Service
from tests.support.terminal import Terminal, run_on_terminal
from tests.support.webhook_shops import free_url, serve

pytestmark = pytest.mark.sqlite

ROOT = Path(__file__).parents[2]
#: What each platform's questions are answered, and the secrets that come from the environment.
STORES: Mapping[str, tuple[list[str], dict[str, str]]] = {
    "shopify": (
        ["--shop", "tienda.myshopify.com", "--set", "client_id=app", "--set", "api_url={api}"],
        {"SHOPIFY_CLIENT_SECRET": "app-secret"},
    ),
    "tiendanube": (
        ["--shop", "4410733", "--set", "api_url={api}"],
        {"TIENDANUBE_WEBHOOK_SECRET": "app-secret", "TIENDANUBE_API_TOKEN": "token"},
    ),
    "woocommerce": (["--shop", "{api}"], {"WOOCOMMERCE_CONSUMER_KEY": "ck_1", "WOOCOMMERCE_CONSUMER_SECRET": "cs_1"}),
}
ACCOUNTS: Mapping[str, tuple[list[str], dict[str, str]]] = {
    "rayo": (["--set", "base_url={api}"], {"RAYO_API_KEY": "key"}),
    "lapyme": (
        ["--set", "base_url={api}", "--set", f"customer_id={UUID}", "--set", f"assigned_warehouse_id={UUID}"],
        {"LAPYME_API_KEY": "key with a 'quote' and a $"},
    ),
    "centelar": (["--set", "base_url={api}", "--set", "connection_id=123"], {"CENTELAR_TOKEN": "token"}),
}
PAIRS = [*((storefront, "rayo") for storefront in STORES), ("woocommerce", "lapyme"), ("tiendanube", "centelar")]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in an empty directory, without a terminal."""
    monkeypatch.chdir(tmp_path)

    def run_with(*arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(cli, arguments, env={"DATABASE_URL": "sqlite:///connector.db", **environ})

    return run_with


def arguments_for(
    sandbox: SandboxServer, storefront: str = "woocommerce", destination: str = "rayo"
) -> tuple[list[str], dict[str, str]]:
    """Return options and environment that leave nothing to ask."""
    store_options, store_secrets = STORES[storefront]
    account_options, account_secrets = ACCOUNTS[destination]
    arguments = ["init", "--storefront", storefront, "--destination", destination]
    arguments += [option.format(api=sandbox.url(storefront)) for option in store_options]
    arguments += [option.format(api=sandbox.url(destination)) for option in account_options]
    return arguments, {**store_secrets, **account_secrets}


def load_environment_file(directory: Path) -> dict[str, str]:
    """Return what a shell reads from the file."""
    command = ["sh", "-c", "set -a; . ./.env; env -0"]
    printed = subprocess.run(command, cwd=directory, env={}, capture_output=True, check=True).stdout.decode()
    variables = dict(line.split("=", 1) for line in printed.split("\0") if line)
    return {name: value for name, value in variables.items() if name not in ("PWD", "OLDPWD", "SHLVL", "_")}


def files_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(("storefront", "destination"), PAIRS)
def test_what_is_written_passes_the_checks(
    run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path, storefront: str, destination: str
) -> None:
    arguments, secrets = arguments_for(sandbox, storefront, destination)
    result = run(*arguments, **secrets)
    assert result.exit_code == 0, result.output
    variables = load_environment_file(tmp_path)
    assert variables.items() >= secrets.items()
    assert len(variables["ADMIN_TOKEN"]) >= MIN_SECRET_LENGTH
    configuration = (tmp_path / "connector.toml").read_text("utf-8")
    assert [secret for secret in secrets.values() if f'"{secret}"' in configuration] == []
    checked = run("check", "--live", **variables)
    assert checked.exit_code == 0, checked.output
    assert "The configuration is valid: stores 1, accounts 1, routes 1." in checked.output
    assert sandbox.orders() == []


def test_files_are_private_and_nothing_else_is_left(
    run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path
) -> None:
    arguments, secrets = arguments_for(sandbox)
    assert run(*arguments, **secrets).exit_code == 0
    assert files_in(tmp_path) == [".env", "connector.toml"]
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_written_files_are_these(run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path) -> None:
    arguments, secrets = arguments_for(sandbox, "shopify", "centelar")
    options = ["--public-url", "https://pedidos.example.com", "--store", "tienda-mx", "--account", "hub", "--offline"]
    assert run(*arguments, *options, **secrets).exit_code == 0
    text = (tmp_path / "connector.toml").read_text("utf-8")
    assert (
        text.partition("\n\n")[2]
        == f"""\
public_url = "https://pedidos.example.com"

[stores.tienda-mx]
storefront = "shopify"
shop_domain = "tienda.myshopify.com"
client_id = "app"
client_secret = "${{SHOPIFY_CLIENT_SECRET}}"
api_url = "{sandbox.url("shopify")}"

[accounts.hub]
destination = "centelar"
base_url = "{sandbox.url("centelar")}"
headers = {{ Authorization = "Bearer ${{CENTELAR_TOKEN}}" }}
connection_id = 123

[[routes]]
from = "tienda-mx"
to = ["hub"]
"""
    )
    assert load_environment_file(tmp_path).keys() == {"ADMIN_TOKEN", "TOKEN_KEYS", *secrets}


def test_secrets_are_generated_and_kept(run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path) -> None:
    arguments, secrets = arguments_for(sandbox)
    run(*arguments, "--offline", **secrets)
    first = load_environment_file(tmp_path)
    assert len(first["WOOCOMMERCE_WEBHOOK_SECRET"]) >= MIN_SECRET_LENGTH
    run(*arguments, "--offline", "--force", **secrets)
    second = load_environment_file(tmp_path)
    assert not {first[name] for name in ("ADMIN_TOKEN", "WOOCOMMERCE_WEBHOOK_SECRET")} & set(second.values())
    run(*arguments, "--offline", "--force", **second)
    assert load_environment_file(tmp_path) == second


def test_existing_files_are_left_alone(run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path) -> None:
    arguments, secrets = arguments_for(sandbox)
    for name in ("connector.toml", ".env"):
        (tmp_path / name).write_text("mine", "utf-8")
        result = run(*arguments, **secrets)
        assert (result.exit_code, "--force" in result.output) == (2, True)
        assert files_in(tmp_path) == [name]
        assert (tmp_path / name).read_text("utf-8") == "mine"
        (tmp_path / name).unlink()


def test_what_is_missing_is_listed_and_nothing_is_written(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("init", "--storefront", "woocommerce", "--destination", "lapyme", "--set", "customer_id=7")
    assert result.exit_code == 2
    for part in (
        "customer_id: must be a UUID",
        "--shop: The shop's address",
        "the environment variable LAPYME_API_KEY",
        "--set assigned_warehouse_id=…",
    ):
        assert part in result.output
    assert "CONSUMER" not in result.output  # optional
    assert files_in(tmp_path) == []
    assert "give --storefront: shopify, tiendanube, woocommerce" in run("init").output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "consumer_key=ck_1"], "consumer_key is a secret: set the environment variable WOOCOMMERCE_CONSUMER"),
        (["--set", "headers={}"], "headers may be a secret"),
        (["--set", "sku=1"], "sku is not a setting of the store or the account"),
        (["--set", "timeout_s=soon"], "timeout_s must be a number"),
        (["--set", "timeout_s"], "has no “=”"),
        (["--store", "mi tienda"], "--store must be 1 to 64 letters"),
        (["--public-url", "http://example.com"], "--public-url must begin with https://"),
        (["--destination", "acme"], "there is no destination “acme”"),
    ],
)
def test_wrong_options_are_refused(
    run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path, options: list[str], message: str
) -> None:
    arguments, secrets = arguments_for(sandbox)
    result = run(*arguments, *options, **secrets)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert files_in(tmp_path) == []


def test_rejected_credentials_are_reported(run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path) -> None:
    sandbox.inject_fault("rayo", "reject_key", times=None)
    arguments, secrets = arguments_for(sandbox)
    result = run(*arguments, **secrets)
    assert result.exit_code == 1
    assert re.search(r"FAILED +account rayo: ", result.output)
    assert re.search(r"ok +store woocommerce: ", result.output)
    assert files_in(tmp_path) == [".env", "connector.toml"]


def test_plain_answers_are_no_references(run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path) -> None:
    arguments, secrets = arguments_for(sandbox)
    assert run(*arguments, "--set", 'servicio_rayo=A ${B} "C" \\', "--offline", **secrets).exit_code == 0
    assert 'servicio_rayo = "A $${B} \\"C\\" \\\\"' in (tmp_path / "connector.toml").read_text("utf-8")
    assert run("check", **load_environment_file(tmp_path)).exit_code == 0


def test_a_database_that_knows_another_store_is_noticed(
    run: Callable[..., Result], service: Service, sandbox: SandboxServer, tmp_path: Path
) -> None:
    service.post_woo(woo_order(1))
    new = tmp_path / "new"
    new.mkdir()
    arguments, secrets = arguments_for(sandbox)
    database_url = service.runtime.settings.environment.database_url
    result = run(*arguments, "--directory", str(new), **secrets, DATABASE_URL=database_url)
    assert result.exit_code == 1
    assert "store “tienda-ar” is known to the database" in result.output
    assert files_in(new) == []


@pytest.mark.parametrize(
    ("storefront", "options", "secrets", "step"),
    [
        (
            "woocommerce",
            [],
            {},
            "connector webhooks sync --store woocommerce    # once public_url in connector.toml is",
        ),
        (
            "woocommerce",
            ["--public-url", "https://pedidos.example.com"],
            {},
            "connector webhooks sync --store woocommerce    # once https://pedidos.example.com reaches this service",
        ),
        (
            "woocommerce",
            ["--public-url", "https://pedidos.example.com"],
            {"WOOCOMMERCE_CONSUMER_KEY": ""},
            "to https://pedidos.example.com/webhooks/woocommerce: docs/storefronts.md says which. Their secret is "
            "WOOCOMMERCE_WEBHOOK_SECRET in .env.",
        ),
    ],
)
def test_next_steps_say_how_webhooks_are_made(
    run: Callable[..., Result],
    sandbox: SandboxServer,
    storefront: str,
    options: list[str],
    secrets: dict[str, str],
    step: str,
) -> None:
    arguments, all_secrets = arguments_for(sandbox, storefront)
    result = run(*arguments, *options, "--offline", **{**all_secrets, **secrets})
    assert result.exit_code == 0, result.output
    assert step in result.output
    assert "connector serve" in result.output


def test_shopify_app_with_a_permanent_token(run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path) -> None:
    arguments = ["init", "--storefront", "shopify", "--shop", "https://Tienda.myshopify.com/", "--destination", "rayo"]
    arguments += ["--set", f"api_url={sandbox.url('shopify')}", "--set", f"base_url={sandbox.url('rayo')}"]
    secrets = {"SHOPIFY_WEBHOOK_SECRET": "key", "SHOPIFY_API_TOKEN": "shpat_1", "RAYO_API_KEY": "key"}
    result = run(*arguments, **secrets)
    assert result.exit_code == 0, result.output
    assert "[stores.tienda]" in (tmp_path / "connector.toml").read_text("utf-8")
    assert load_environment_file(tmp_path).keys() == {"ADMIN_TOKEN", "TOKEN_KEYS", *secrets}
    settings = load_settings(tmp_path / "connector.toml", load_environment_file(tmp_path))
    assert settings.stores["tienda"].has_api
    assert settings.stores["tienda"].shop_domain == ["tienda.myshopify.com"]


def test_app_of_tiendanube_is_authorized_afterwards(
    run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path
) -> None:
    arguments, secrets = arguments_for(sandbox, "tiendanube")
    secrets = {"TIENDANUBE_CLIENT_SECRET": "app-secret", "RAYO_API_KEY": secrets["RAYO_API_KEY"]}
    result = run(*arguments, "--set", "client_id=5001", **secrets)
    assert result.exit_code == 0, result.output
    assert re.search(r"to do +store tiendanube: .*connector authorize tiendanube", result.output)
    assert re.search(r"^  connector authorize tiendanube +#", result.output, re.MULTILINE)
    assert load_environment_file(tmp_path).keys() == {"ADMIN_TOKEN", "TOKEN_KEYS", *secrets}
    assert run("check", **load_environment_file(tmp_path)).exit_code == 0


def test_service_makes_the_webhooks_once_it_is_reached(
    run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_url = free_url()
    arguments, secrets = arguments_for(sandbox)
    result = run(*arguments, "--public-url", public_url, **secrets)
    assert result.exit_code == 0, result.output
    assert f"The service makes the store's webhooks within minutes after {public_url} reaches it." in result.output
    settings = load_settings(tmp_path / "connector.toml", load_environment_file(tmp_path))
    with open_runtime(settings, with_clients=True) as runtime, serve(runtime):
        checks = WebhookChecks(runtime)
        monkeypatch.setattr(webhook_checks, "monotonic", lambda: monotonic() + START_DELAY_S)
        checks.run()
    made = sandbox.webhooks.find_all("woocommerce")
    assert {webhook.url for webhook in made} == {f"{public_url}/webhooks/woocommerce"}
    assert {webhook.topic for webhook in made} >= {"order.created", "order.updated"}


def test_address_needs_no_scheme(run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path) -> None:
    arguments, secrets = arguments_for(sandbox)
    result = run(*arguments, "--shop", "tienda-ejemplo.com.ar", "--offline", **secrets)
    assert result.exit_code == 0, result.stderr
    assert 'api_url = "https://tienda-ejemplo.com.ar"' in (tmp_path / "connector.toml").read_text()


def test_both_files_are_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "connector.toml").write_text("mine", "utf-8")
    with pytest.raises(FileExistsError):
        write_files(NewConfiguration(toml="x", variables={"A": "1"}), tmp_path)
    assert files_in(tmp_path) == ["connector.toml"]
    assert (tmp_path / "connector.toml").read_text("utf-8") == "mine"


def test_an_interruption_while_writing_leaves_neither_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(source: Path, target: Path) -> None:
        if target.name == "connector.toml":
            raise KeyboardInterrupt
        link(source, target)

    link = os.link
    monkeypatch.setattr(os, "link", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_files(NewConfiguration(toml="x", variables={"A": "1"}), tmp_path)
    assert files_in(tmp_path) == []


def test_files_are_written_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    write_files(NewConfiguration(toml="x", variables={"A": "1"}), tmp_path)
    assert files_in(tmp_path) == [".env", "connector.toml"]
    with pytest.raises(FileExistsError):
        write_files(NewConfiguration(toml="y", variables={"A": "2"}), tmp_path)
    assert (tmp_path / "connector.toml").read_text("utf-8") == "x"


def test_unreachable_database_leaves_the_webhooks_to_a_person(
    run: Callable[..., Result], sandbox: SandboxServer, tmp_path: Path
) -> None:
    arguments, secrets = arguments_for(sandbox)
    database_url = f"postgresql://u:p@127.0.0.1:{find_free_port()}/none"
    result = run(*arguments, "--public-url", "https://pedidos.example.com", **secrets, DATABASE_URL=database_url)
    assert result.exit_code == 0, result.output
    assert "The database was not checked" in result.output
    assert "connector webhooks sync --store woocommerce" in result.output


@pytest.fixture
def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": "sqlite:///connector.db", "NO_COLOR": "1"}


def answer_for_woocommerce(terminal: Terminal, sandbox: SandboxServer) -> None:
    terminal.answer("Storefront (shopify, tiendanube, woocommerce)", "woocommerce")
    terminal.answer("The shop's address", "http://tienda-ejemplo.com.ar")
    terminal.wait_for("must begin with https://")
    terminal.answer("The shop's address", sandbox.url("woocommerce"))
    terminal.answer("Consumer key", "ck_visible")
    terminal.answer("Consumer secret", "cs_visible")


def test_a_person_is_asked(environ: dict[str, str], sandbox: SandboxServer, tmp_path: Path) -> None:
    options = ["init", "--set", f"base_url={sandbox.url('rayo')}"]
    with run_on_terminal(options, environ, tmp_path) as terminal:
        answer_for_woocommerce(terminal, sandbox)
        terminal.answer("Destination (rayo, lapyme, centelar)", "rayo")
        terminal.answer("Rayo's API key", "key_visible")
        terminal.answer("Address at which storefronts will reach this service", "")
        assert terminal.finish() == 0, terminal.printed
    assert "visible" not in terminal.printed
    assert "connector serve" in terminal.printed
    variables = load_environment_file(tmp_path)
    assert variables["RAYO_API_KEY"] == "key_visible"
    assert 'api_token = "${WOOCOMMERCE_CONSUMER_KEY}:${WOOCOMMERCE_CONSUMER_SECRET}"' in (
        tmp_path / "connector.toml"
    ).read_text("utf-8")


def test_rejected_credentials_are_asked_again(environ: dict[str, str], sandbox: SandboxServer, tmp_path: Path) -> None:
    sandbox.inject_fault("rayo", "reject_key", times=1)
    arguments, secrets = arguments_for(sandbox)
    with run_on_terminal(arguments, {**environ, **secrets}, tmp_path) as terminal:
        terminal.answer("Address at which storefronts will reach this service", "https://pedidos.example.com")
        terminal.answer("Enter the credentials again?", "y")
        terminal.answer("Rayo's API key", "other-key")
        assert terminal.finish() == 0, terminal.printed
    assert load_environment_file(tmp_path)["RAYO_API_KEY"] == "other-key"


def test_ctrl_c_leaves_nothing(environ: dict[str, str], sandbox: SandboxServer, tmp_path: Path) -> None:
    with run_on_terminal(["init"], environ, tmp_path) as terminal:
        answer_for_woocommerce(terminal, sandbox)
        terminal.interrupt("Destination")
        assert terminal.finish() == 1
    assert "Nothing was written." in terminal.printed
    assert files_in(tmp_path) == []
