"""The configuration: connector.toml, the CSV files that it names, and the environment. Nothing else reads them."""

from connector.settings.alerts import AlertSettings
from connector.settings.entered_credentials import CredentialUse, EnteredCredential
from connector.settings.entered_rows import EnteredRow
from connector.settings.environment import Environment
from connector.settings.integrations import build_account, build_pair, build_store
from connector.settings.loader import Settings, load_environment, load_settings
from connector.settings.lookup_tables import refresh_tables
from connector.settings.retention import Retention
from connector.settings.routes import Route, RouteFilter
from connector.settings.toml_file import has_configuration

__all__ = [
    "AlertSettings",
    "CredentialUse",
    "EnteredCredential",
    "EnteredRow",
    "Environment",
    "Retention",
    "Route",
    "RouteFilter",
    "Settings",
    "build_account",
    "build_pair",
    "build_store",
    "has_configuration",
    "load_environment",
    "load_settings",
    "refresh_tables",
]
