"""The settings in effect, with secrets masked. A setting is shown only if it is known not to be a secret."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, render_template

from connector.operations.retention import last_run_at
from connector.runtime import current_settings
from connector.settings import Settings
from connector.web.context import get_runtime
from connector.web.dashboard.filters import to_iso
from connector.web.dashboard.i18n import ngettext
from connector.web.dashboard.preferences import choose_timezone, has_chosen_timezone, list_timezones
from mappings.lookup_tables import LookupTable

blueprint = Blueprint("settings", __name__, url_prefix="/settings")

MASK = "••••••"
#: Of a longer lookup table, only the number of rows is shown.
MAX_ROWS = 20


@blueprint.get("")
def show() -> str:
    runtime = get_runtime()
    return render_template(
        "settings.html",
        **settings_context(current_settings(runtime)[0]),
        retention=runtime.settings.retention,
        last_retention_at=last_run_at(runtime.database),
        timezones=list_timezones(),
        chosen_timezone=choose_timezone() if has_chosen_timezone() else None,
    )


def settings_context(settings: Settings) -> dict[str, Any]:
    environment = {
        **mask_secrets(settings.environment),
        "database_url": mask_credentials(settings.environment.database_url),
        "otel_exporter_otlp_endpoint": mask_credentials(settings.environment.otel_exporter_otlp_endpoint or "") or None,
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
    """Return a dataclass's fields for display. A field with `repr=False` is a secret."""
    return {
        field.name: format_setting(getattr(section, field.name), is_secret=not field.repr) for field in fields(section)
    }


def format_setting(value: Any, *, is_secret: bool) -> Any:
    if isinstance(value, LookupTable) and (len(value) > MAX_ROWS or (value and is_secret)):
        return ngettext("%(num)s row", "%(num)s rows", len(value))
    if isinstance(value, type):  # a merchant's own schema class
        return f"{value.__module__}:{value.__name__}"
    if is_secret:
        return mask_value(value)
    if is_dataclass(value):
        return mask_secrets(value)
    if isinstance(value, datetime):
        return to_iso(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def mask_value(value: Any) -> Any:
    """Return None if it is not set. A mapping keeps its keys."""
    if not value:
        return None
    return dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK


def mask_credentials(url: str) -> str:
    """Return an address without its user, password and query, which may hold a password too."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite" or not (parts.username or parts.password or parts.query):
        return url
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{MASK}@{parts.hostname or ''}{port}{parts.path}"
