"""The settings as they are in force, with every secret masked: what is not known to be harmless is not shown."""

from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, render_template

from connector.settings import Settings
from connector.web.dashboard.auth import this_runtime
from mappings.lookup_tables import Rows

blueprint = Blueprint("settings", __name__, url_prefix="/settings")

MASK = "••••••"
#: Of longer tables only their length is shown.
MOST_ROWS = 20


@blueprint.get("")
def show() -> str:
    return render_template("settings.html", **describe_settings(this_runtime().settings))


def describe_settings(settings: Settings) -> dict[str, Any]:
    environment = {
        **describe(settings.environment),
        "database_url": without_password(settings.environment.database_url),
    }
    return {
        "stores": {store.name: describe(store) for store in settings.stores.values()},
        "accounts": {account.name: describe(account) for account in settings.accounts.values()},
        "routes": [describe(route) for route in settings.routes],
        "users": {user.name: describe(user) for user in settings.users.values()},
        "retired": sorted(settings.retired),
        "environment": {name.upper(): value for name, value in environment.items()},
    }


def describe(table: Any) -> dict[str, Any]:
    """A dataclass's settings. Those that its own text leaves out (`repr=False`) are secrets."""
    shown = {}
    for each in fields(table):
        value = getattr(table, each.name)
        if isinstance(value, Rows) and (len(value) > MOST_ROWS or (value and not each.repr)):
            value = f"{len(value)} rows"
        elif isinstance(value, type):  # a schema of the merchant's own
            value = f"{value.__module__}:{value.__name__}"
        elif not each.repr:
            value = mask(value)
        elif is_dataclass(value):
            value = describe(value)
        elif isinstance(value, frozenset | tuple):
            value = sorted(value) if isinstance(value, frozenset) else list(value)
        shown[each.name] = value
    return shown


def mask(value: Any) -> Any:
    """Whether it is set, and of a table which names are."""
    if not value:
        return None
    return dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK


def without_password(url: str) -> str:
    """Where the database is. A socket's folder or a parameter may stand in the query, and so may a password."""
    if url.startswith("sqlite"):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{MASK}@{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
