"""Writes the configuration and the environment of the connector under test: one shop, one account, one route."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.orders import SECRET, STORE

UUID = "5b0c7a1e-52d3-4f6a-9e0b-6d1f0c2a3b4c"
#: What each destination asks of an account, beside where it is.
ACCOUNTS = {
    "rayo": 'api_key = "key"',
    "lapyme": f'api_key = "key"\ncustomer_id = "{UUID}"\nassigned_warehouse_id = "{UUID}"',
    "centelar": "connection_id = 123",
}
#: The sample of an order that each destination takes.
SAMPLES = {"rayo": "shopify", "lapyme": "shopify-ar", "centelar": "shopify-ar"}


def write_configuration(directory: Path, *, destination: str, base_url: str, **settings: float) -> Path:
    """`settings` are the account's, such as `concurrency`."""
    more = "".join(f"{name} = {value}\n" for name, value in settings.items())
    file = directory / "connector.toml"
    file.write_text(
        f'[stores.{STORE}]\nstorefront = "shopify"\nsecrets = ["{SECRET}"]\ndocument_from = "note_attributes:dni"\n\n'
        f'[accounts.bodega]\ndestination = "{destination}"\nbase_url = "{base_url}"\n'
        f"{ACCOUNTS[destination]}\n{more}\n"
        f'[[routes]]\nfrom = "{STORE}"\nto = ["bodega"]\n'
    )
    return file


def environment_of(
    configuration: Path, database_url: str, *, port: int = 8000, processes: int = 1
) -> Mapping[str, str]:
    return {
        "CONNECTOR_CONFIG": str(configuration),
        "DATABASE_URL": database_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(processes),
        "ALLOW_EPHEMERAL_SQLITE": "1",
    }
