"""The configuration: connector.toml, the CSV files that it names, and the environment. Nothing else reads them."""

from connector.settings.alerts import AlertSettings
from connector.settings.environment import Environment
from connector.settings.integrations import build_account, build_pair, build_store
from connector.settings.loader import Settings, config_path, load_settings, refresh_tables
from connector.settings.routes import Route, RouteFilter

__all__ = [
    "AlertSettings",
    "Environment",
    "Route",
    "RouteFilter",
    "Settings",
    "build_account",
    "build_pair",
    "build_store",
    "config_path",
    "load_settings",
    "refresh_tables",
]
