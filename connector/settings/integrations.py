"""Loads the tables of stores and accounts, with the settings schema of the integration that each names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError

from connector.settings.coercion import coerce_settings, coerce_value
from connector.settings.csv_tables import TableFile, file_fingerprint, load_csv_tables, names_csv_file
from connector.settings.custom_schemas import import_custom_schema
from connector.settings.errors import (
    NOT_IN_FILE,
    ConfigErrors,
    ConfigPath,
    add_suggestion,
    find_similar,
    validate_table,
)
from mappings import DESTINATIONS, STOREFRONTS
from mappings import setting_fields as fields
from mappings.destination import Destination
from mappings.settings import IDENTIFIER, Account, AccountSchema, Store, StoreSchema
from mappings.storefront import Storefront

INTEGRATIONS: Mapping[str, Mapping[str, Storefront[Any] | Destination[Any]]] = {
    "storefront": STOREFRONTS,
    "destination": DESTINATIONS,
}

#: Placeholders for settings that appear in no body, for stores and accounts that are built without a file.
DUMMY_SETTINGS: Mapping[str, Any] = {"secrets": ["none"], "api_key": "none", "base_url": "https://nowhere.invalid"}
#: Placeholders for settings that only some integrations require.
DUMMY_SETTINGS_IF_REQUIRED: Mapping[str, Any] = {"store_id": "1"}
#: A placeholder for a store that cannot be without access to its API. Others must not seem able to fetch.
DUMMY_TOKEN: Mapping[str, Any] = {"api_token": "none"}


def build_store(storefront: str, values: Mapping[str, Any], name: str = "store") -> Store:
    """Return a store without a configuration file, for mapping. Missing secrets are filled with placeholders.

    Args:
        values: settings by name, as text or parsed; `table.key` names a row of a table.

    Raises `SettingsError`.
    """
    errors = ConfigErrors()
    store = _build_without_file("storefront", storefront, name, values, errors)
    errors.raise_any()
    return cast(Store, store)


def build_account(destination: str, values: Mapping[str, Any], name: str = "account") -> Account:
    """Return an account without a configuration file, like `build_store`. Values that appear in a body are required."""
    errors = ConfigErrors()
    account = _build_without_file("destination", destination, name, values, errors)
    errors.raise_any()
    return cast(Account, account)


def build_pair(storefront: str, destination: str, values: Mapping[str, Any]) -> tuple[Store, Account]:
    """Return a store and an account, like the two functions above. Each value goes to the one that has the setting."""
    store_fields = _settings_schema("storefront", storefront).fields
    account_fields = _settings_schema("destination", destination).fields
    outer_names = {name: name.partition(".")[0] for name in values}
    store_values = {name: value for name, value in values.items() if outer_names[name] in store_fields}
    account_values = {
        name: value for name, value in values.items() if outer_names[name] in account_fields or name not in store_values
    }
    errors = ConfigErrors()
    store = _build_without_file("storefront", storefront, "store", store_values, errors)
    account = _build_without_file("destination", destination, "account", account_values, errors)
    errors.raise_any()
    return store, account


def build_store_or_account(
    kind: str, name: str, table: Mapping[str, Any], path: ConfigPath, errors: ConfigErrors, *, directory: Path = Path()
) -> Any:
    """Return the `Store` or `Account` in a table, or None after adding its errors.

    Args:
        kind: "storefront" or "destination".
        directory: the paths of files in the table are relative to it.
    """
    integration_name = table.get(kind)
    if isinstance(integration_name, str) and integration_name not in INTEGRATIONS[kind]:
        errors.add(
            (*path, kind), f"“{integration_name}” is not a {kind}; use one of {', '.join(sorted(INTEGRATIONS[kind]))}."
        )
        # The other settings are checked as those of the integration that was probably meant.
        integration_name = find_similar(integration_name, INTEGRATIONS[kind])
    if "name" in table:
        errors.add((*path, "name"), "is not a setting: the table's own name is used.")
    try:
        IDENTIFIER(name)
    except ValidationError as error:
        errors.add(path, f"the table's name {error.messages[0]}")
        name = "unnamed"
    schema = _settings_schema(kind, integration_name)
    if schema.unknown == EXCLUDE:
        add_unknown_settings(kind, table, path, errors)
    table = load_csv_tables(schema, table, path, directory, errors)
    if (
        isinstance(schema_reference := table.get("schema"), str)
        and isinstance(integration_name, str)
        and integration_name in INTEGRATIONS[kind]
    ):
        schema_path, integration = (*path, "schema"), INTEGRATIONS[kind][integration_name]
        table["schema"] = import_custom_schema(
            schema_reference, integration, path=schema_path, directory=directory, errors=errors
        )
        if table["schema"] is None:
            del table["schema"]
    return validate_table(schema, {"id": name, **coerce_settings(schema, table), "name": name}, path, errors)


def add_unknown_settings(kind: str, table: Mapping[str, Any], path: ConfigPath, errors: ConfigErrors) -> None:
    """Add an error for each setting of a table that no integration has, when it is not known which one it is of."""
    schemas = [integration.settings_schema() for integration in INTEGRATIONS[kind].values()]
    settings = {field.data_key or name for schema in schemas for name, field in schema.fields.items()} - NOT_IN_FILE
    for name in table:
        if name not in settings | NOT_IN_FILE:
            errors.add((*path, name), add_suggestion(f"is not a setting of any {kind}.", name, settings))


def table_files(name: str, table: Mapping[str, Any], directory: Path) -> list[TableFile]:
    """Return the CSV files that an account's table names, with their current fingerprints."""
    settings = _settings_schema("destination", table.get("destination")).fields
    file_names = {setting: value for setting, value in table.items() if names_csv_file(settings.get(setting), value)}
    paths = {setting: directory / value for setting, value in file_names.items()}
    return [
        TableFile(account=name, setting=setting, path=path, fingerprint=file_fingerprint(path))
        for setting, path in paths.items()
    ]


def _settings_schema(kind: str, integration_name: Any) -> Schema:
    """Return the settings schema of an integration. If there is none, return one for the settings that all share."""
    if isinstance(integration_name, str) and integration_name in INTEGRATIONS[kind]:
        return INTEGRATIONS[kind][integration_name].settings_schema()
    return StoreSchema(unknown=EXCLUDE) if kind == "storefront" else AccountSchema(unknown=EXCLUDE)


def _build_without_file(
    kind: str, integration_name: str, name: str, values: Mapping[str, Any], errors: ConfigErrors
) -> Any:
    settings = _settings_schema(kind, integration_name).fields
    table: dict[str, Any] = {setting: value for setting, value in DUMMY_SETTINGS.items() if setting in settings}
    table |= {
        setting: value
        for setting, value in DUMMY_SETTINGS_IF_REQUIRED.items()
        if setting in settings and settings[setting].required
    }
    integration = INTEGRATIONS[kind].get(integration_name)
    if isinstance(integration, Storefront) and integration.has_thin_webhooks and "client_id" not in values:
        table |= DUMMY_TOKEN
    for setting, value in values.items():
        outer, _dot, inner = setting.partition(".")
        outer_value = table.get(outer, {})
        if inner and isinstance(settings.get(outer), fields.Dict) and isinstance(outer_value, dict):
            table[outer] = {**outer_value, inner: value}
        else:
            table[setting] = coerce_value(settings.get(setting), value)
    return build_store_or_account(kind, name, {**table, kind: integration_name}, (), errors)
