"""The configuration with which `connector serve` runs against a sandbox: every storefront to every destination."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.sandbox.registered_webhooks import DEFAULT_APP_SECRET
from connector.sandbox.server import SandboxServer
from connector.settings.setup import (
    CONFIG_FILE,
    ENVIRONMENT_FILE,
    NewConfiguration,
    escape_reference,
    format_toml,
    generate_secret,
    generate_token_key,
)
from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination

HEADER = """\
# Written by `connector sandbox --write`, for the sandbox at {url}.
# The shops and the accounts are invented, and nothing leaves this machine. docs/configuration.md explains the settings.
"""
#: The sandbox takes any token. WooCommerce's has two parts.
API_TOKEN = "ck_sandbox:cs_sandbox"  # noqa: S105
DATABASE_FILE = "sandbox.db"


def name_files(path: Path) -> NewConfiguration:
    """Return the names of a configuration file and of the environment file beside it, without their texts."""
    environment_name = ENVIRONMENT_FILE if path.name == CONFIG_FILE else f"{path.stem}.env"
    return NewConfiguration(
        toml="",
        variables={},
        config_name=path.name,
        environment_name=environment_name,
        command="connector sandbox --write",
    )


def build_configuration(path: Path, sandbox: SandboxServer) -> NewConfiguration:
    """Return a store for each storefront, an account for each destination, and routes between all of them.

    Args:
        path: of the configuration file.
    """
    files = name_files(path)
    tables = [HEADER.format(url=sandbox.url())]
    stores = [name for name in STOREFRONTS if name in sandbox.storefronts]
    for name in stores:
        settings = {
            "storefront": name,
            "secrets": [DEFAULT_APP_SECRET],
            "api_url": sandbox.url(name),
            "api_token": API_TOKEN,
            **STOREFRONTS[name].sample.settings,
        }
        tables.append(format_table(f"[stores.{name}]", settings))
    for name, destination in sandbox.destinations.items():
        tables.append(format_table(f"[accounts.{name}]", account_settings(name, destination, sandbox)))
    for name in stores:
        for country, accounts in group_by_country(sandbox.destinations).items():
            route = {"from": name, "to": accounts, **({"only": {"country": [country]}} if country else {})}
            tables.append(format_table("[[routes]]", route))
    variables = {
        "ADMIN_TOKEN": generate_secret(),
        "TOKEN_KEYS": generate_token_key(),
        "DATABASE_URL": f"sqlite:///{DATABASE_FILE}",
    }
    if path.name != CONFIG_FILE:
        variables["CONNECTOR_CONFIG"] = path.name
    return NewConfiguration(
        toml="\n".join(tables),
        variables=variables,
        config_name=files.config_name,
        environment_name=files.environment_name,
        command=files.command,
    )


def group_by_country(destinations: Mapping[str, Destination[Any]]) -> dict[str | None, list[str]]:
    """Return the names of the destinations by the only country that they serve; None is any."""
    names: dict[str | None, list[str]] = {}
    for name, destination in destinations.items():
        names.setdefault(destination.sample.country, []).append(name)
    return names


def account_settings(name: str, destination: Destination[Any], sandbox: SandboxServer) -> dict[str, Any]:
    """Return the settings of an account at the sandbox, to which several stores may send."""
    reference_setting = DESTINATIONS[name].order_reference_setting
    return {
        "destination": name,
        "base_url": sandbox.url(name),
        **destination.sample.settings,
        **({reference_setting: "{store}-{order_id}"} if reference_setting else {}),
    }


def format_table(header: str, settings: Mapping[str, Any]) -> str:
    lines = [f"{name} = {format_toml(escape(value))}" for name, value in settings.items()]
    return "\n".join([header, *lines, ""])


def escape(value: Any) -> Any:
    return escape_reference(value) if isinstance(value, str) else value
