"""Writes the configuration of the connector under test: one store, one account and one route."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.orders import SECRET, STORE

UUID = "5b0c7a1e-52d3-4f6a-9e0b-6d1f0c2a3b4c"
#: The settings that each destination requires of an account, beside its URL.
ACCOUNTS = {
    "rayo": 'api_key = "key"',
    "lapyme": f'api_key = "key"\ncustomer_id = "{UUID}"\nassigned_warehouse_id = "{UUID}"',
    "centelar": "connection_id = 123",
}
#: A sample order that each destination accepts.
SAMPLES = {"rayo": "shopify", "lapyme": "shopify-ar", "centelar": "shopify-ar"}


def write_configuration(directory: Path, *, destination: str, base_url: str, **settings: float) -> Path:
    """Write `connector.toml`. `settings` are the account's, such as `concurrency`."""
    extra = "".join(f"{name} = {value}\n" for name, value in settings.items())
    file = directory / "connector.toml"
    file.write_text(
        f'[stores.{STORE}]\nstorefront = "shopify"\nsecrets = ["{SECRET}"]\n'
        'since = "2020-01-01T00:00:00Z"\ndocument_from = "note_attributes:dni"\n\n'
        f'[accounts.bodega]\ndestination = "{destination}"\nbase_url = "{base_url}"\n'
        f"{ACCOUNTS[destination]}\n{extra}\n"
        f'[[routes]]\nfrom = "{STORE}"\nto = ["bodega"]\n'
    )
    return file


def build_environment(
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
