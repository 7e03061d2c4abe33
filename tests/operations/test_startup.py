"""What `connector serve` says when it is ready."""

from pathlib import Path

from connector.operations.startup import describe_service
from connector.settings import load_settings
from tests.support.configuration import ACCOUNT, ROUTE, SMALLEST

TOKEN = "ficha-de-las-pruebas-con-40-caracteres-00"
SANDBOX_ACCOUNT = f'{ACCOUNT}base_url = "http://127.0.0.1:9000/rayo"\n'


def describe(folder: Path, text: str, **environ: str) -> list[str]:
    path = folder / "connector.toml"
    path.write_text(text, "utf-8")
    return describe_service(load_settings(path, environ)).splitlines()


def test_service_against_the_sandbox_lacks_nothing(tmp_path: Path) -> None:
    text = SMALLEST.replace(ACCOUNT, SANDBOX_ACCOUNT)
    assert describe(tmp_path, text, ADMIN_TOKEN=TOKEN, PORT="8123") == [
        "The connector is ready. Ctrl-C stops it.",
        "Dashboard: http://127.0.0.1:8123/ (sign in with ADMIN_TOKEN, and leave the user name empty)",
        "Webhooks:",
        "  http://127.0.0.1:8123/webhooks/tienda-mx",
    ]


def test_public_address_is_the_one_of_webhooks_and_dashboard(tmp_path: Path) -> None:
    lines = describe(tmp_path, f'public_url = "https://conector.example"\n{SMALLEST}', ADMIN_TOKEN=TOKEN)
    assert lines[1].startswith("Dashboard: https://conector.example/ (")
    assert lines[3:] == ["  https://conector.example/webhooks/tienda-mx"]


def test_everything_that_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    other = """
[stores.otra]
storefront = "shopify"
client_id = "cliente"
client_secret = "secreto-de-la-app"
shop_domain = "otra.myshopify.com"
[accounts.hub]
destination = "rayo"
api_key = "llave"
"""
    lines = describe(tmp_path, SMALLEST + other)
    missing = lines[lines.index("Missing:") + 1 :]
    assert [line.removeprefix("  - ").partition(":")[0] for line in missing] == [
        "ADMIN_TOKEN is not set",
        "Store otra",
        "Account hub",
        "Store otra",
        "public_url is not set",
    ]
    assert not any(line.startswith("Dashboard") for line in lines)
    for line, remedy in zip(
        missing, ["connector token", "TOKEN_KEYS", "route", 'from = "otra"', "https://"], strict=True
    ):
        assert remedy in line


def test_many_stores_are_counted(tmp_path: Path) -> None:
    stores = "".join(
        f'[stores.t{number}]\nstorefront = "shopify"\nsecrets = ["secreto-{number}"]\n' for number in range(25)
    )
    text = stores + SANDBOX_ACCOUNT + ROUTE.replace("tienda-mx", "t0")
    lines = describe(tmp_path, text, ADMIN_TOKEN=TOKEN)
    assert sum("/webhooks/t" in line for line in lines) == 20
    assert "  and 5 more, each at http://127.0.0.1:8000/webhooks/<store>" in lines
