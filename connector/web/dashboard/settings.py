"""The settings as they are in force, with every secret masked: what is not known to be harmless is not shown."""

from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, render_template

from connector.settings import Settings
from connector.web.context import get_runtime
from mappings.lookup_tables import LookupTable

blueprint = Blueprint("settings", __name__, url_prefix="/settings")

MASK = "••••••"
#: Of longer tables only their length is shown.
MAX_ROWS = 20


@blueprint.get("")
def show() -> str:
    return render_template("settings.html", **settings_context(get_runtime().settings))


def settings_context(settings: Settings) -> dict[str, Any]:
    environment = {
        **mask_secrets(settings.environment),
        "database_url": redact_password(settings.environment.database_url),
    }
    return {
        "stores": {store.name: mask_secrets(store) for store in settings.stores.values()},
        "accounts": {account.name: mask_secrets(account) for account in settings.accounts.values()},
        "routes": [mask_secrets(route) for route in settings.routes],
        "users": {user.name: mask_secrets(user) for user in settings.users.values()},
        "retired": sorted(settings.retired),
        "environment": {name.upper(): value for name, value in environment.items()},
    }


def mask_secrets(section: Any) -> dict[str, Any]:
    """A dataclass's settings. Those that its own text leaves out (`repr=False`) are secrets."""
    values = {}
    for setting in fields(section):
        value = getattr(section, setting.name)
        if isinstance(value, LookupTable) and (len(value) > MAX_ROWS or (value and not setting.repr)):
            value = f"{len(value)} rows"
        elif isinstance(value, type):  # a schema of the merchant's own
            value = f"{value.__module__}:{value.__name__}"
        elif not setting.repr:
            value = mask_value(value)
        elif is_dataclass(value):
            value = mask_secrets(value)
        elif isinstance(value, frozenset | tuple):
            value = sorted(value) if isinstance(value, frozenset) else list(value)
        values[setting.name] = value
    return values


def mask_value(value: Any) -> Any:
    """Whether it is set, and of a table which names are."""
    if not value:
        return None
    return dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK


def redact_password(url: str) -> str:
    """Where the database is. A socket's folder or a parameter may stand in the query, and so may a password."""
    if url.startswith("sqlite"):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{MASK}@{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
